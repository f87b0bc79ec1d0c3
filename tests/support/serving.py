"""Small repositories for tests of the engine and the backends on the real Triton."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triptych_server.engine import Engine, EngineOptions
from triptych_server.repository import FOLDERS, Repository

CHECKOUT = Repository(Path(__file__).resolve().parents[2])


def empty_repository(root: Path) -> Repository:
    """Triptych's backends and profiles, and no models yet."""
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    for name in ("backends", "profiles"):
        (root / name).rmdir()
        (root / name).symlink_to(CHECKOUT.root / name)
    return Repository(root)


def add_model(repository: Repository, name: str, config: str, graph=None, code: str | None = None, where: str = "model_repository") -> Path:
    """Add a model: its config (without the name), and either a function that writes its graph or the text of its model.py."""
    folder = repository.root / where / name
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(f'name: "{name}"\n{config}')
    if graph is not None:
        graph(folder / "1" / "model.onnx")
    if code is not None:
        (folder / "1" / "model.py").write_text(code)
    return folder


def options(repository: Repository, tmp: Path, **more) -> EngineOptions:
    """Any free ports, and the log in the test's own folder."""
    defaults = {"http_port": 0, "grpc_port": 0, "metrics_port": 0, "log_file": tmp / "triton.log", "start_timeout": 120}
    return EngineOptions(repository, **{**defaults, **more})


@contextmanager
def serving(repository: Repository, tmp: Path, **more) -> Iterator[Engine]:
    """An engine that is ended at once: an orderly stop waits seconds for every Python process, and has tests of its own."""
    with Engine(options(repository, tmp, **more)) as engine:
        yield engine
        engine.kill()
        engine.wait()
