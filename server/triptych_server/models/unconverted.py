"""Before a model is fetched: does a running server hold networks that must be converted first? Then what to do, at once."""

from triptych_server.configs.read import profile_config
from triptych_server.engine.running import RunningEngine, running_engines
from triptych_server.errors import ConversionError, EngineError, ModelImportError
from triptych_server.hardware.drm import probe_accel_nodes, probe_render_nodes
from triptych_server.hardware.needs.rknn import SOCS
from triptych_server.hardware.rockchip import probe_rockchip
from triptych_server.hardware.tree import Tree
from triptych_server.repository import Repository
from triptych_server.repository_lock import locked

RUNS_CONVERTED = {"rknn": "Rockchip's NPU", "armnn": "Arm NN"}
"""Backends that take no ONNX."""


def refuse_unconverted(model: str, repository: Repository, tree: Tree | None = None) -> None:
    """ConversionError, with the commands that serve `model` all the same, when a server that could be told of the change runs converted
    networks: the graphs that are about to be put in place have no conversion yet."""
    with locked(repository):
        try:
            engines = running_engines(repository).reachable
        except EngineError as error:
            raise ModelImportError(str(error)) from None
    for engine in engines:
        if networks := _converted(engine, repository):
            backend = networks[min(networks)]
            convert = f"`triptych models convert --target {_target(backend, tree or Tree())}`"
            raise ConversionError(
                f"the server at {engine.http_url} runs {', '.join(sorted(networks))} on {RUNS_CONVERTED[backend]}, which takes converted "
                f"networks only, and {model} has to be converted first. On another machine, where a server may run in the profile cpu: "
                f"`triptych models use {model}`, {convert}; copy model_repository/, python_models/, ensembles/ and served.json here; start "
                f"this server anew. Or on this machine, where it has Python 3.11 or 3.12 and memory enough: "
                f"`triptych models use {model} --no-reload`, {convert}; start the server anew"
            )


def _converted(engine: RunningEngine, repository: Repository) -> dict[str, str]:
    """The networks that its profile runs converted, and the backend of each."""
    networks = [folder for folder in repository.models() if folder.parent == repository.networks]
    backends = {folder.name: str(profile_config(folder, engine.profile).backend) for folder in networks}
    return {name: backend for name, backend in backends.items() if backend in RUNS_CONVERTED}


def _target(backend: str, tree: Tree) -> str:
    """As `models convert` wants it; all that it may be where the board does not say what it is."""
    if backend != "rknn":
        return backend
    soc = probe_rockchip(tree, probe_render_nodes(tree), probe_accel_nodes(tree)).soc
    return soc if soc in SOCS else "|".join(SOCS)
