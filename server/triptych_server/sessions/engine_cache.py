"""Where compiled engines are kept: a folder for each runtime's release, kind of GPU and graph, for an engine fits nothing else."""

import hashlib
import re
from pathlib import Path

import platformdirs

from triptych_server.errors import DeviceError
from triptych_server.hardware.amd import TOPOLOGY, gfx_name
from triptych_server.hardware.tree import Tree
from triptych_server.sessions.protocol import SessionSettings


def engine_folder(settings: SessionSettings, runtime: str, root: Path | None = None, tree: Tree | None = None) -> Path:
    """The folder, made, for the engines of a model's graph: <cache>/engines/<runtime>/<GPUs>/<model>-<graph>. `runtime` names program and
    release, as `tensorrt-1.31.1`. DeviceError where nothing can be written."""
    root = root or platformdirs.user_cache_path("triptych") / "engines"
    folder = root / runtime / gpu_names(tree or Tree()) / graph_name(settings.model, settings.graph)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
    except OSError as error:
        raise DeviceError(
            f"{settings.model}: compiled engines cannot be kept in {folder} ({error.strerror}), and compiling takes minutes at every "
            "start; make it writable, or set XDG_CACHE_HOME to a folder that is"
        ) from None
    return folder


def graph_name(model: str, graph: Path) -> str:
    """A name for what is compiled from a graph: its model's, and of which file."""
    stamp = f"{graph.stat().st_size}-{graph.stat().st_mtime_ns}" if graph.is_file() else ""  # of gigabytes a hash would take seconds
    # On trial a model is called clip_visual__next, and what is compiled there serves later.
    return f"{model.partition('__')[0]}-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"


def gpu_names(tree: Tree) -> str:
    """The kinds of GPUs that the kernel tells of, in one name for a folder; `gpu` where it tells of none."""
    nvidia = [re.search(r"^Model:\s*(\S.*)$", tree.text(path), re.MULTILINE) for path in tree.glob("proc/driver/nvidia/gpus/*/information")]
    amd = [gfx_name(tree.text(path / "properties")) for path in tree.glob(TOPOLOGY)]
    names = {match[1].strip() for match in nvidia if match} | {name for name in amd if name}
    return re.sub(r"[^A-Za-z0-9+]+", "-", "+".join(sorted(names))) or "gpu"
