"""What the images are made of and how they serve, without a container engine: the Dockerfile's own steps, run below a folder; then
its entrypoint as process 1 of namespaces that are set up as docker-compose.yml says: read-only, no root, no capabilities."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import yaml

from tests.support.dockerfile import Build, command_of, environment_of, packages_of, read_stages
from tests.support.serving import CHECKOUT

STAGES = read_stages(CHECKOUT.root / "docker" / "Dockerfile")
SERVICE = yaml.safe_load((CHECKOUT.root / "docker-compose.yml").read_text())["services"]["triptych"]
DEBIAN_PYTHON = Path("/usr/bin/python3.11")
TOOLS = {"pip", "uv", "hatchling", "setuptools", "wheel", "pytest", "torch"}

SET_UP = """
set -e
mount --make-rprivate /
mount --bind "$0/data" "$0/data"
mount -t tmpfs -o "$1" tmp /tmp
mount -t tmpfs -o "noexec,nosuid,nodev,mode=1777,size=$2" shm /dev/shm
mount -o remount,bind,ro /
shift 2
exec setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.fixture(scope="module")
def build():
    """The target cpu: its stages run one after the other. Not below /tmp, which is another one in a container."""
    if not DEBIAN_PYTHON.exists():
        pytest.skip(f"the image's Python is Debian 12's, and there is no {DEBIAN_PYTHON}")
    root = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="triptych-image-"))
    root.chmod(0o755)
    for folder in ("build", "opt", "data"):
        (root / folder).mkdir()
    build = Build(STAGES, root, CHECKOUT.root)
    try:
        for stage in ("build", "wheel", "build-cpu"):
            build.run(stage)
        yield build
    finally:
        shutil.rmtree(root)


def pins():
    lock = (CHECKOUT.root / "requirements.lock").read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ]+) ", lock, re.M))


def installed(build):
    found = build.shell("uv pip freeze", environment_of(STAGES, "build"))
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)$", found, re.M))


def test_an_image_carries_what_the_lock_pins_and_no_build_tools(build):
    packages = installed(build)
    assert {name: version for name, version in packages.items() if pins().get(name) != version} == {}
    assert {"onnxruntime", "nvidia-pytriton", "tritonclient"} <= set(packages)
    assert not {"openvino", "ai-edge-litert", *TOOLS} & set(packages)
    assert (build.root / "opt" / "triptych" / "bin" / "triptych").is_file()


@pytest.mark.parametrize(
    ("target", "machine", "has"),
    [
        ("cpu", "aarch64", "onnxruntime"),
        ("openvino", "x86_64", "openvino"),
        ("openvino", "aarch64", "openvino"),
        ("rknn", "aarch64", "rknn-toolkit-lite2"),
        ("armnn", "aarch64", "ai-edge-litert"),
    ],
)
def test_every_target_has_wheels_for_its_machines(build, target, machine, has):
    """Resolved for Debian 12's glibc, nothing downloaded."""
    lines = [line for stage in ("build", f"build-{target}") for line in STAGES[stage].all("RUN") if "--extra" in line]
    extras = " ".join(sorted(set(re.findall(r"--extra \w+", " ".join(lines)))))
    empty = f"uv venv -q --clear --python {DEBIAN_PYTHON} ../empty && VIRTUAL_ENV=../empty"
    flags = f"--dry-run --only-binary :all: --python-platform {machine}-manylinux_2_36"
    environment = {key: value for key, value in environment_of(STAGES, "build").items() if key not in {"UV_NO_CACHE", "VIRTUAL_ENV"}}
    said = build.shell(
        f"{empty} uv pip install {flags} -r pyproject.toml {extras}", {**environment, "UV_CACHE_DIR": str(build.root / "cache")}
    )
    found = dict(re.findall(r"^ \+ ([a-z0-9._-]+)==(\S+)$", said, re.M))
    assert found.items() <= pins().items()
    assert {"onnxruntime", "nvidia-pytriton", has} <= set(found)
    runtimes = {"openvino", "ai-edge-litert", "rknn-toolkit-lite2"}
    assert runtimes & set(found) == runtimes & {has}


def test_debian_has_the_packages():
    names = [name for stage in STAGES.values() for name in packages_of(stage)]
    assert {"python3", "libpython3.11", "python3-venv", "intel-opencl-icd"} <= set(names)
    if shutil.which("apt-get") is None:
        pytest.skip("no apt-get")
    done = subprocess.run(["apt-get", "-s", "install", *names], capture_output=True, text=True, check=False)
    if "Unable to locate package" in done.stderr and not any(Path("/var/lib/apt/lists").glob("*Packages*")):
        pytest.skip("apt-get has no package lists here")
    assert done.returncode == 0, done.stderr


def can_contain():
    """Whether namespaces can be had: root, and no container around that forbids it."""
    probe = [*NAMESPACES, "sh", "-c", "mount --make-rprivate / && mount -t tmpfs tmp /tmp && setpriv --reuid 1000 true"]
    return os.geteuid() == 0 and shutil.which("unshare") and subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.fixture
def inside(build):
    """The start of a command line that runs the rest as in the image; without namespaces where there are none to be had."""
    settings = {key: build.here(value) for key, value in environment_of(STAGES, "cpu").items()}
    settings["PATH"] = settings["PATH"].replace("$PATH", "/usr/bin:/bin")
    image = ["env", "-i", *(f"{key}={value}" for key, value in settings.items())]
    if not can_contain():
        return image
    os.chown(build.root / "data", 1000, 1000)
    (tmpfs,) = SERVICE["tmpfs"]
    return [*NAMESPACES, "sh", "-c", SET_UP, build.root, tmpfs.partition(":")[2], SERVICE["shm_size"].removesuffix("b"), *image]


def told(file, process, seconds):
    """The addresses that a starting server prints."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        text = file.read_text()
        if addresses := re.findall(r"^  (\S+://\S+)$", text, re.M):
            return addresses
        assert process.poll() is None, text
        time.sleep(0.1)
    pytest.fail(f"not serving after {seconds} s: {file.read_text()}")


def process_one(process):
    """The process id, seen from here, of what the container runs as its first process."""
    if "unshare" not in str(process.args[0]):
        return process.pid
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(children.read_text())


def test_it_serves_as_the_compose_file_has_it(build, inside, tmp_path):
    done = subprocess.run(
        [*inside, "triptych", "models", "import", "demo"], cwd=build.root / "data", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    command = [*command_of(STAGES, "cpu"), "--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
    assert command[:4] == ["triptych", "serve", "--host", "0.0.0.0"]
    output = tmp_path / "output"
    with output.open("w") as file:
        process = subprocess.Popen([*inside, *command], cwd=build.root / "data", stdout=file, stderr=subprocess.STDOUT)
    try:
        grpc, _, metrics = told(output, process, 120)
        check = [build.root / "opt/triptych/bin/triptych", *SERVICE["healthcheck"]["test"][2:], "--url", grpc, "--metrics-url", metrics]
        checked = subprocess.run(check, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})
        assert (checked.returncode, checked.stderr) == (0, "")
        first = process_one(process)
        state = Path(f"/proc/{first}/status").read_text()
        if inside[0] == "unshare":
            assert re.search(r"^Uid:\t1000\t1000\t1000\t1000$", state, re.M)
            assert re.search(r"^NSpid:\t\d+\t1$", state, re.M)
            assert re.search(r"^Cap(Eff|Bnd):\t0+$", state, re.M)
        began = time.monotonic()
        os.kill(first, signal.SIGTERM)
        assert process.wait(int(SERVICE["stop_grace_period"].removesuffix("s"))) == 0
        assert time.monotonic() - began < 15
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    data = build.root / "data"
    assert (data / "triptych" / "repository" / "model_repository" / "clip_visual" / "1" / "model.onnx").is_file()
    assert list((data / "state" / "triptych" / "log").glob("triton-*.log"))
