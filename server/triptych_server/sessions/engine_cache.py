"""Where compiled engines are kept: a folder for each compiler's release, kind of GPU and graph, for an engine fits nothing else.

<cache>/engines/<compiler>/<GPUs>/<model>-<graph>/     what was compiled
                                                  .used   its time is when it was opened last
"""

import contextlib
import hashlib
import logging
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import platformdirs

from triptych_server.errors import DeviceError
from triptych_server.hardware.amd import TOPOLOGY, gfx_name
from triptych_server.hardware.tree import Tree
from triptych_server.models.convert.record import graph_hash
from triptych_server.sessions.protocol import SessionSettings

KEPT = 4
"""Folders that are kept for a model, those used last: its own, and a few to go back to without minutes of compiling."""
USED = ".used"
_DAMAGED = re.compile(r"could not deserialize engine from cache: (\S.*\.engine)")
_logger = logging.getLogger(__name__)


def engines_root() -> Path:
    """Where they are unless somebody says otherwise."""
    return platformdirs.user_cache_path("triptych") / "engines"


def engine_folder(settings: SessionSettings, runtime: str, root: Path | None = None, tree: Tree | None = None) -> Path:
    """The folder, made, for the engines of a model's graph: <cache>/engines/<runtime>/<GPUs>/<model>-<graph>. `runtime` names compiler
    and release, as `tensorrt-10.13.2`. Of the model's other folders those that were used longest ago go. DeviceError where nothing can
    be written."""
    root = root or engines_root()
    folder = root / runtime / gpu_names(tree or Tree()) / graph_name(settings.model, settings.graph)
    try:
        mark_used(folder)
    except OSError as error:
        raise DeviceError(
            f"{settings.model}: compiled engines cannot be kept in {folder} ({error.strerror}), and compiling takes minutes at every "
            "start; make it writable, or set XDG_CACHE_HOME to a folder that is"
        ) from None
    discard_old(root)
    return folder


def mark_used(folder: Path) -> None:
    """Make the folder where it is not there, and note that it is used now. OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / USED).touch()


def discard_old(root: Path, kept: int = KEPT) -> None:
    """Remove all but the `kept` folders of each model that were used last. A session that is open has its engine in memory."""
    by_model: dict[str, list[Path]] = {}
    for folder in sorted(_folders(root), key=_used, reverse=True):
        by_model.setdefault(folder.name.rpartition("-")[0], []).append(folder)
    _remove(folder for folders in by_model.values() for folder in folders[kept:])


def discard_unserved(root: Path, served: Collection[str]) -> int:
    """Remove every folder but those of the graphs `served`, as `graph_name` names them; how many bytes that freed."""
    return _remove(folder for folder in list(_folders(root)) if folder.name not in served)


def discard_damaged(error: Exception) -> bool:
    """Whether ONNX Runtime says of an engine that TensorRT cannot read it, which is removed then: cut short when it was written, or of
    another release."""
    found = _DAMAGED.search(str(error))
    if not found or not (engine := Path(found[1])).is_file():
        return False
    _logger.warning("the compiled engine %s cannot be read; it is removed and built anew, which takes minutes", engine)
    engine.unlink(missing_ok=True)
    engine.with_suffix(".profile").unlink(missing_ok=True)
    return True


def graph_name(model: str, graph: Path) -> str:
    """A name for what is compiled from a graph: its model's, and of which content."""
    content = ""
    if graph.is_file():
        told = graph.stat()
        content = _content(graph, told.st_size, told.st_mtime_ns, told.st_ino)
    # On trial a model is called clip_visual__next, and what is compiled there serves later.
    return f"{model.partition('__')[0]}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


@lru_cache(maxsize=32)
def _content(graph: Path, size: int, mtime_ns: int, inode: int) -> str:
    """A second for a GB, so once in a process as long as the file stays the same."""
    return graph_hash(graph)


def gpu_names(tree: Tree) -> str:
    """The kinds of GPUs that the kernel tells of, in one name for a folder; `gpu` where it tells of none."""
    nvidia = [re.search(r"^Model:\s*(\S.*)$", tree.text(path), re.MULTILINE) for path in tree.glob("proc/driver/nvidia/gpus/*/information")]
    amd = [gfx_name(tree.text(path / "properties")) for path in tree.glob(TOPOLOGY)]
    names = {match[1].strip() for match in nvidia if match} | {name for name in amd if name}
    return re.sub(r"[^A-Za-z0-9+]+", "-", "+".join(sorted(names))) or "gpu"


def _folders(root: Path) -> Iterator[Path]:
    return (folder for folder in root.glob("*/*/*-*") if folder.is_dir())


def _used(folder: Path) -> float:
    """When it was opened last; of one without the mark, when something was added."""
    for told in (folder / USED, folder):
        try:
            return told.stat().st_mtime
        except OSError:  # somebody else removed it
            continue
    return 0.0


def _remove(folders: Iterable[Path]) -> int:
    freed = 0
    for folder in folders:
        with contextlib.suppress(OSError):  # somebody else removes it too
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            _logger.info("removing compiled engines: %s (%.0f MB)", folder, size / 1e6)
            shutil.rmtree(folder)
            freed += size
            for above in (folder.parent, folder.parent.parent):
                if not any(each.is_dir() for each in above.iterdir()):  # only timings of layers are left, of a release that nobody runs
                    shutil.rmtree(above)
    return freed
