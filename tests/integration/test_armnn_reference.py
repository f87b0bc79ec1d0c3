"""The face networks that the real onnx2tf made, in a real Arm NN: the reference backend of Debian's 20.08, against LiteRT on the same row."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from triptych_server.models.convert.record import Conversion
from triptych_server.sessions.armnn_network import COMPILED, litert

PACKAGE = Path("/usr/lib/python3/dist-packages/pyarmnn")
SCRIPT = Path(__file__).parents[1] / "support" / "armnn_reference.py"

pytestmark = [
    pytest.mark.timeout(1200),  # the first to need the converter installs it
    pytest.mark.skipif(
        not PACKAGE.is_dir() or sys.version_info[:2] != (3, 11), reason="apt install python3-pyarmnn libarmnn-cpuref-backend22"
    ),
]


@pytest.mark.parametrize("network", ["face_detection", "face_recognition"])
def test_arm_nn_answers_as_litert_does(armnn_repository, network, tmp_path):
    folder = armnn_repository.model(network) / "1" / "armnn"
    row = np.random.default_rng(0).normal(size=Conversion.read(folder).input.shape).astype(np.float32)
    interpreter = litert().Interpreter(str(folder / COMPILED))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], row)
    interpreter.invoke()
    wanted = [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]
    np.save(tmp_path / "rows.npy", row)
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "pyarmnn").symlink_to(PACKAGE)  # without the numpy that lies beside it
    files = [folder / COMPILED, tmp_path / "rows.npy", tmp_path / "outputs.npz", tmp_path / "packages"]
    subprocess.run([sys.executable, SCRIPT, *files], check=True, timeout=120)
    with np.load(tmp_path / "outputs.npz") as found:
        outputs = [found[name] for name in found.files]
    assert len(outputs) == len(wanted)
    for array, right in zip(outputs, wanted, strict=True):
        np.testing.assert_allclose(array, right, atol=1e-5 * np.abs(right).max())
