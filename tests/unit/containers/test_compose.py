"""docker-compose.yml on every hardware of hwaccel.yml, as a compose implementation resolves them, against the Doctor, the engine and the
single-file variants."""

import inspect
import re

import pytest
import yaml
from typer.testing import CliRunner

from tests.support.compose import resolved
from tests.support.serving import CHECKOUT
from tools.single_file import FOLDER, hardware_names, single_file
from triptych.cli.app import build
from triptych.gateway.run import STOP_SECONDS
from triptych.gateway.settings import PORT
from triptych.page.indexing import STOP_SECONDS as INDEX_STOP_SECONDS
from triptych_server.engine.options import GRPC_PORT, HTTP_PORT, EngineOptions
from triptych_server.hardware.needs import NEEDS

ROOT = CHECKOUT.root
HARDWARE = hardware_names()
SECONDS = {"s": 1, "m": 60, "h": 3600}


def seconds(text):
    return sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([smh])", text))


def megabytes(size):
    """`1gb` as docker-compose leaves it, or bytes as a string, as docker compose does."""
    number, unit = re.fullmatch(r"(\d+)([mg]?)b?", str(size)).groups()
    return int(number) * {"m": 1, "g": 1024, "": 1 / 2**20}[unit]


@pytest.fixture(scope="module")
def compose(tmp_path_factory):
    """`compose(**environment)`: for each hardware the service of docker-compose.yml with that line chosen; all in one file, as each run of
    a compose implementation takes a second."""
    folder = tmp_path_factory.mktemp("compose")
    (folder / "hwaccel.yml").write_text((ROOT / "hwaccel.yml").read_text())
    content = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    service = content["services"]["triptych"]
    content["services"] = {name: {**service, "extends": {**service["extends"], "service": name}} for name in HARDWARE}
    (folder / "docker-compose.yml").write_text(yaml.safe_dump(content))
    return lambda **environment: resolved(folder / "docker-compose.yml", **environment)["services"]


@pytest.fixture(scope="module")
def services(compose):
    """By hardware."""
    return compose()


@pytest.fixture(params=HARDWARE)
def hardware(request):
    return request.param


def nodes(service):
    """Host paths of the devices passed in; a mapping in newer implementations."""
    devices = (item["source"] if isinstance(item, dict) else item.partition(":")[0] for item in service.get("devices", ()))
    return set(devices)


def test_the_files_themselves_are_well():
    service = resolved(ROOT / "docker-compose.yml")["services"]["triptych"]
    assert service["image"].endswith("-cpu")


def test_the_gateway_stands_in_front_and_is_as_closed():
    service = resolved(ROOT / "docker-compose.yml")["services"]["gateway"]
    assert service["command"][-1] == f"grpc://triptych:{GRPC_PORT}"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "user", "devices", "volumes"} & set(service)
    (port,) = service["ports"]
    assert f"127.0.0.1:{PORT}:{PORT}" in str(port) or (port["host_ip"], port["target"]) == ("127.0.0.1", PORT)
    assert f":{PORT}/ping" in service["healthcheck"]["test"][-1]
    assert seconds(service["stop_grace_period"]) > STOP_SECONDS
    assert f" AS {service['build']['target']}\n" in (ROOT / service["build"]["dockerfile"]).read_text()


def test_the_page_is_asked_for_closed_and_only_reads_the_photos():
    service = resolved(ROOT / "docker-compose.yml", TRIPTYCH_PHOTOS="/home/me/Pictures", TRIPTYCH_PAGE_KEY="secret")["services"]["page"]
    assert service["profiles"] == ["page"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "user", "devices"} & set(service)
    (port,) = service["ports"]
    assert "127.0.0.1:3033:3033" in str(port) or (port["host_ip"], port["target"]) == ("127.0.0.1", 3033)
    photos, library = (volume if isinstance(volume, str) else f"{volume['source']}:{volume['target']}" for volume in service["volumes"])
    assert photos.startswith("/home/me/Pictures:/photos")
    assert photos.endswith(":ro") or service["volumes"][0]["read_only"] is True
    assert library.split(":")[1] == "/library"
    options = dict(zip(service["command"][1::2], service["command"][2::2], strict=True))
    assert options["--triton"] == service["environment"]["TRIPTYCH_URL"] == f"grpc://triptych:{GRPC_PORT}"
    assert options["--library"] == service["environment"]["TRIPTYCH_LIBRARY"] == "/library/library.sqlite"
    assert (options["--index"], options["--port"], options["--host"]) == ("/photos", "3033", "0.0.0.0")
    assert service["environment"]["TRIPTYCH_API_KEY"] == "secret"
    assert seconds(service["stop_grace_period"]) > STOP_SECONDS + INDEX_STOP_SECONDS
    assert f" AS {service['build']['target']}\n" in (ROOT / service["build"]["dockerfile"]).read_text()


def test_the_page_opens_to_nobody_without_a_key(tmp_path):
    """What its container says then, and ends with."""
    service = resolved(ROOT / "docker-compose.yml")["services"]["page"]
    assert service["environment"]["TRIPTYCH_API_KEY"] == ""
    command = [str(tmp_path) if word == "/photos" else word for word in service["command"]]
    done = CliRunner().invoke(build(), command, env={"TRIPTYCH_API_KEY": ""})
    assert "set --api-keys or TRIPTYCH_API_KEY, or bind to loopback" in str(done.exception)


def test_every_profile_can_be_chosen(services, compose):
    assert {re.sub(r"-.*", "", name) for name in HARDWARE} == set(NEEDS)
    for hardware in HARDWARE:
        assert services[hardware]["environment"]["TRIPTYCH_PROFILE"] == re.sub(r"-.*", "", hardware)
    targets = {name: service["environment"].get("TRIPTYCH_TARGET_DEVICE") for name, service in services.items()}
    assert {name: target for name, target in targets.items() if target} == {"openvino": "GPU", "openvino-npu": "NPU"}
    chosen = compose(TRIPTYCH_PROFILE="mine", RENDER_GID="992")["openvino"]
    assert chosen["environment"]["TRIPTYCH_PROFILE"] == "mine"
    assert "992" in map(str, chosen["group_add"])


def test_nothing_is_reachable_from_outside_nor_more_allowed_than_needed(services, hardware):
    service = services[hardware]
    for port in service["ports"]:
        host = port["host_ip"] if isinstance(port, dict) else port.rpartition(":")[0].rpartition(":")[0]
        assert host == "127.0.0.1"
    published = {int(port["target"] if isinstance(port, dict) else re.split("[:/]", port)[-2]) for port in service["ports"]}
    assert published == {HTTP_PORT, GRPC_PORT}  # no metrics, which have no password
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "user"} & set(service)
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert service["mem_limit"]
    assert service["pids_limit"] >= 1024


def test_the_engine_has_what_it_needs(services, hardware):
    service = services[hardware]
    assert seconds(service["stop_grace_period"]) > EngineOptions(CHECKOUT).stop_timeout + 5 + 5  # Triton's, the kill after it, and the rest
    assert seconds(service["healthcheck"]["start_period"]) >= EngineOptions(CHECKOUT).start_timeout
    assert service["healthcheck"]["test"] == ["CMD", "triptych", "status", "--check"]
    assert megabytes(service["shm_size"]) >= 1024  # 517 MB were measured: docs/containers.md
    assert service["init"] is True
    (tmp,) = service["tmpfs"]
    assert re.match(r"/tmp:.*\bexec\b", tmp)
    assert not re.search("noexec", tmp)
    assert service["command"][0] == "serve"
    assert any(volume["target"] == "/data" if isinstance(volume, dict) else ":/data" in volume for volume in service["volumes"])


def test_devices_are_those_that_the_doctor_looks_for(services, hardware):
    profile, _, part = hardware.partition("-")
    asked = set(re.findall(r'"(/dev/\w+)"', inspect.getsource(inspect.getmodule(NEEDS[profile]))))
    if profile == "openvino":  # a choice of one of the two
        asked &= {"": {"/dev/dri"}, "npu": {"/dev/accel"}, "cpu": set()}[part]
    service = services[hardware]
    assert nodes(service) == asked
    assert bool(service.get("group_add")) == bool(asked)
    reserved = service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
    assert [item["driver"] for item in reserved] == (["nvidia"] if profile in {"cuda", "tensorrt"} else [])
    assert ("systempaths=unconfined" in service["security_opt"]) == (profile == "rknn")


def test_the_single_files_say_the_same(services, tmp_path):
    for name in HARDWARE:
        assert (FOLDER / f"{name}.yml").read_text() == single_file(name), "stale: run tools/single_file.py"
    singles = {name: yaml.safe_load(single_file(name))["services"]["triptych"] for name in HARDWARE}
    (tmp_path / "all.yml").write_text(yaml.safe_dump({"services": singles, "volumes": {"triptych": None}}))
    for name, alone in resolved(tmp_path / "all.yml")["services"].items():
        extended = {key: value for key, value in services[name].items() if key != "build"}
        for service in (alone, extended):
            for key in {"security_opt", "volumes", "group_add", "devices"} & set(service):
                service[key] = sorted(map(str, service[key]))
        assert alone == extended


def test_images_are_built_here_from_a_target_that_exists(services, hardware):
    service = services[hardware]
    dockerfile = (ROOT / service["build"]["dockerfile"]).read_text()
    target = service["build"].get("target")
    assert target is None or f" AS {target}\n" in dockerfile
    assert re.fullmatch(r"triptych:\d+\.\d+\.\d+-\w+", service["image"])
    assert service["image"].split(":")[1].split("-")[0] in dockerfile  # the image's version label
