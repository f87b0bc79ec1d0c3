"""Finding a Triton, and merging its backends with ours."""

import sys

import pytest

from triptych_server.engine.backend_directory import build_backend_directory
from triptych_server.engine.triton import PYTHON, find_triton, python_of
from triptych_server.errors import EngineError
from triptych_server.repository import Repository


def lay_out(home, python=PYTHON, native=()):
    """A Triton's folders as NVIDIA ships them, with files in place of binaries: finding and linking look no deeper."""
    for file in ("bin/tritonserver", "backends/python/libtriton_python.so", "backends/python/triton_python_backend_utils.py"):
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_bytes(b"")
    (home / "backends/python/triton_python_backend_stub").write_bytes(b"\0libpython%s.so.1.0\0" % python.encode())
    for name in native:
        (home / "backends" / name).mkdir()
        (home / "backends" / name / f"libtriton_{name}.so").write_bytes(b"")
    return home


def test_the_wheels_triton_is_found_with_the_stub_of_this_python():
    triton = find_triton()
    assert triton.server.name == "tritonserver"
    assert python_of(triton.stub) == f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize("named", ["", "bin/tritonserver"])
def test_a_named_triton_comes_first_by_folder_or_by_binary(tmp_path, named):
    home = lay_out(tmp_path)
    assert find_triton(home / named).server == home / "bin" / "tritonserver"


def test_a_folder_without_triton_is_refused(tmp_path):
    with pytest.raises(EngineError, match=r"expected bin/tritonserver below it"):
        find_triton(tmp_path)


def test_a_stub_of_another_python_is_refused_with_both_versions(tmp_path):
    with pytest.raises(EngineError, match=f"built for Python 3.8, but this is Python {PYTHON}"):
        find_triton(lay_out(tmp_path, python="3.8"))


def test_native_backends_win_over_ours_and_ours_fill_the_gaps(tmp_path):
    triton = find_triton(lay_out(tmp_path / "triton", native=["onnxruntime", "tensorrt"]))
    target = tmp_path / "merged"
    target.mkdir()
    build_backend_directory(target, triton, Repository.locate().backends)
    assert (target / "onnxruntime" / "libtriton_onnxruntime.so").exists()
    assert (target / "tensorrt").is_dir()
    assert not (target / "onnxruntime" / "model.py").exists()
    assert (target / "openvino" / "model.py").exists()
    assert {file.name for file in (target / "python").iterdir()} >= {"libtriton_python.so", "triton_python_backend_stub"}
    assert not any(file.is_symlink() for file in (target / "python").iterdir())


def test_a_backend_that_a_config_keeps_ours_of_is_ours_alone(tmp_path):
    triton = find_triton(lay_out(tmp_path / "triton", native=["onnxruntime", "openvino"]))
    target = tmp_path / "merged"
    target.mkdir()
    build_backend_directory(target, triton, Repository.locate().backends, {"openvino"})
    assert (target / "openvino" / "model.py").exists() and not (target / "openvino" / "libtriton_openvino.so").exists()
    assert (target / "onnxruntime" / "libtriton_onnxruntime.so").exists()
