"""Triton's command line, environment, ports and options."""

import os
import socket
from pathlib import Path

import pytest

from triptych_server.engine.command import triton_command, triton_environment
from triptych_server.engine.options import EngineOptions
from triptych_server.engine.ports import Ports, choose_ports
from triptych_server.engine.triton import find_triton
from triptych_server.errors import ConfigError, EngineError
from triptych_server.hardware.needs.cuda import COMMON
from triptych_server.repository import Repository

REPOSITORY = Repository.locate()


def command(**options):
    models = ["clip_visual", "search_image"]
    places = {"backends": Path("/merged"), "staging": Path("/staging")}
    options = EngineOptions(REPOSITORY, **options)
    return triton_command(options, models, find_triton(), **places, ports=Ports(1, 2, 3), shm_prefix="prefix_", control_key="secret")


def test_the_three_repositories_one_for_trials_and_explicit_control_are_given():
    arguments = command()
    assert [item for item in arguments if item.startswith("--model-repository=")] == [
        f"--model-repository={root}" for root in (*REPOSITORY.roots, "/staging")
    ]
    assert [item for item in arguments if "load-model" in item] == ["--load-model=clip_visual", "--load-model=search_image"]
    assert {"--model-control-mode=explicit", "--http-port=1", "--grpc-port=2", "--metrics-port=3"} <= set(arguments)
    assert {f"--{service}-address=127.0.0.1" for service in ("http", "grpc", "metrics")} <= set(arguments)


def test_relative_folders_are_those_of_whoever_named_them(tmp_path, monkeypatch):
    """Triton runs in another, where it would look for models until the start's time is over."""
    monkeypatch.chdir(REPOSITORY.root)
    options = EngineOptions(Repository(Path()), triton=Path("triton"))
    monkeypatch.chdir(tmp_path)
    assert (options.repository, options.triton) == (Repository(REPOSITORY.root), REPOSITORY.root / "triton")


def test_the_wheels_triton_leaves_no_gpu_out_that_the_doctor_lets_pass():
    assert f"--min-supported-compute-capability={COMMON.capability}" in command()


def test_a_profile_is_a_model_config_name_and_the_default_is_none():
    assert "--model-config-name=openvino" in command(profile="openvino")
    assert not any("model-config-name" in item for item in command())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0"])
def test_control_apis_are_closed_with_a_key_wherever_it_listens(host):
    closed = "model-repository,logging,trace,shared-memory:triptych-control=secret"
    assert {f"--http-restricted-api={closed}", f"--grpc-restricted-protocol={closed}"} <= set(command(host=host))
    opened = "model-repository,logging,trace:triptych-control=secret"
    arguments = command(host=host, client_shared_memory=True)
    assert {f"--http-restricted-api={opened}", f"--grpc-restricted-protocol={opened}"} <= set(arguments)
    assert not any("allow-client-shm" in item for item in arguments), "the Triton from PyPI does not know it, and would end"


def test_models_see_no_secrets_and_no_port_is_opened_from_the_environment():
    given = {"TRIPTYCH_CONTROL_KEY": "a", "TRIPTYCH_API_KEY": "b", "HF_TOKEN": "c", "AIP_MODE": "PREDICTION", "PATH": "/bin"}
    assert not set(triton_environment(find_triton(), "cpu", Path("/b"), given)) & set(given) - {"PATH"}


@pytest.mark.parametrize("key", ["", "a:b", "a b", "ключ", "a=b"])
def test_a_control_key_that_triton_would_read_otherwise_is_refused(key):
    with pytest.raises(EngineError, match="control key") as refusal:
        EngineOptions(REPOSITORY, control_key=key)
    assert not key or key not in str(refusal.value).partition("expected")[0]


def test_stubs_find_this_python_and_nothing_else():
    environment = triton_environment(find_triton(), "cpu", Path("/b"), {"PATH": "/bin", "PYTHONPATH": "/elsewhere", "HOME": "/home/x"})
    first = Path(environment["PATH"].split(":")[0])
    assert (first / "python3").exists()
    assert "PYTHONPATH" not in environment
    assert environment["HOME"] == "/home/x"


def test_free_ports_are_distinct_and_chosen_ones_are_kept():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        wanted = probe.getsockname()[1]
    ports = choose_ports(EngineOptions(REPOSITORY, http_port=wanted, grpc_port=0, metrics_port=0))
    assert ports.http == wanted
    assert len({ports.http, ports.grpc, ports.metrics}) == 3


def test_a_taken_port_is_an_error_that_says_which():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=f"port {port} for grpc on 127.0.0.1 cannot be used: Address already in use; .*--grpc-port"):
            choose_ports(EngineOptions(REPOSITORY, http_port=0, grpc_port=port, metrics_port=0))


def test_options_are_checked_early():
    with pytest.raises(EngineError, match="expected 0"):
        EngineOptions(REPOSITORY, http_port=70000)
    with pytest.raises(EngineError, match="two services on one port"):
        EngineOptions(REPOSITORY, http_port=8001)
    with pytest.raises(ConfigError, match="unknown profile"):
        EngineOptions(REPOSITORY, profile="coda")
    with pytest.raises(EngineError, match="expected an IP address"):
        EngineOptions(REPOSITORY, host="my-host")


def test_arenas_are_few_unless_the_user_says_otherwise():
    assert int(triton_environment(find_triton(), "cpu", Path("/b"), {})["MALLOC_ARENA_MAX"]) == max(2, len(os.sched_getaffinity(0)))
    assert triton_environment(find_triton(), "cpu", Path("/b"), {"MALLOC_ARENA_MAX": "1"})["MALLOC_ARENA_MAX"] == "1"
