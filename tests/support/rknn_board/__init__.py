"""A Rockchip board that is not here: a Python with a stand-in for `rknnlite.api` alone, behind which rknn-toolkit2's PC simulator computes.

    derived venv          rknnlite/api.py  - a socket -  simulator.py in the converter's environment
    (Triton's stubs)      + board.json: a recorded device tree, where that environment is

The simulator cannot load a compiled network, only build one; so the core that it was built from is laid beside it, here only.
"""

import json
import shutil
import sysconfig
import venv
from pathlib import Path

import onnx

from tests.support import boards
from triptych_server.models.convert.environment import Environment
from triptych_server.models.convert.older_opset import lower_opset
from triptych_server.models.convert.parts import cut

HERE = Path(__file__).resolve().parent


def make_python(folder: Path, toolkit: Environment) -> Path:
    """A venv that sees the running one's packages and, before them, the stand-in; returns its `python3`."""
    venv.create(folder / "venv", symlinks=True, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    (site / "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    package = site / "rknnlite"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copyfile(HERE / "api.py", package / "api.py")
    board = boards.build(boards.ROCK_5B, folder / "board")
    facts = {"python": str(toolkit.python), "simulator": str(HERE / "simulator.py"), "board": str(board)}
    (package / "board.json").write_text(json.dumps(facts))
    return folder / "venv" / "bin" / "python3"


def lay_core_beside(conversion: Path) -> None:
    """Put what the simulator builds anew into the folder of a conversion."""
    parts = cut(onnx.load(str(conversion.parent / "model.onnx")))
    lower_opset(parts.core, 19)
    onnx.save_model(parts.core, str(conversion / "core.onnx"))
    (conversion / "core.json").write_text(json.dumps({"target": conversion.name, "mean": parts.head.mean, "std": parts.head.std}))
