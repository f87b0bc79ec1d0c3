"""The networks change over to another profile and back while they are asked: nobody notices."""

from loadtest.chaos.stage import LOAD_SECONDS, Scenario, Stage, start_again
from triptych_server.configs.read import profile_config

OTHER = {"cpu": "openvino", "openvino": "cpu"}
NETWORKS = ("clip_visual", "clip_textual", "face_detection", "face_recognition")


def act(stage: Stage) -> None:
    """One network after the other, as `triptych models use` does."""
    for profile in (OTHER[stage.server.profile], stage.server.profile):
        for network in NETWORKS:
            stage.server.control.load(network, profile_config(stage.server.repository.model(network), profile), LOAD_SECONDS)
        stage.go_on(2)


SCENARIO = Scenario("swapped profiles", act, start_again)
