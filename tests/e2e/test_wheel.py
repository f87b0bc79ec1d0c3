"""The wheel: both packages, the model repository as data, the demo weights, and nothing that was pulled."""

import subprocess
import sys
import zipfile

import pytest

from tests.support.serving import CHECKOUT
from triptych_server.repository import FOLDERS


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from the files that a clone would have, plus one pulled weights file that must stay out."""
    tmp = tmp_path_factory.mktemp("wheel")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT.root, capture_output=True, check=True).stdout.decode().split("\0")
    clone = tmp / "clone"
    for name in filter(None, files):
        if (CHECKOUT.root / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes((CHECKOUT.root / name).read_bytes())
    (clone / "model_repository" / "clip_visual" / "1" / "model.onnx").write_bytes(b"pulled weights")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp), str(clone)]
    subprocess.run(command, check=True, capture_output=True)
    return next(tmp.glob("triptych-*.whl"))


def test_it_holds_both_packages_and_the_repository_but_no_pulled_weights(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"triptych/__init__.py", "triptych/py.typed", "triptych_server/__init__.py"} <= set(names)
    assert {"triptych_server/benchmark/templates/report.html.j2", "triptych/page/static/index.html", "triptych/page/static/app.js"} <= set(
        names
    )
    inside = [name.removeprefix("triptych_server/_repository/") for name in names if "/_repository/" in name]
    tracked = {
        str(file.relative_to(CHECKOUT.root))
        for folder in FOLDERS
        for file in (CHECKOUT.root / folder).rglob("*")
        if file.is_file() and file.suffix in {".pbtxt", ".py"} and "__pycache__" not in file.parts
    }
    assert tracked <= set(inside)
    assert "demo/weights/clip/visual/model.onnx" in inside
    assert not [name for name in inside if name.startswith("model_repository") and "model.onnx" in name]


def test_an_installed_package_serves_from_a_copy_in_the_users_data_folder(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    script = (
        "from triptych_server.repository import Repository; r = Repository.locate(); print(r.root);"
        "assert r.missing_weights(); assert r.demo_weights.joinpath('visual/model.onnx').is_file();"
        "assert Repository.locate().root == r.root"
    )
    environment = {
        "PYTHONPATH": str(tmp_path / "site"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "data" / "triptych" / "repository")
