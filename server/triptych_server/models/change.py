"""Change a repository in one step: a copy (without weights) to work on; what differs at the end is put in place whole, or not at all."""

import filecmp
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from triptych_server.configs.edit import edit_config
from triptych_server.configs.profiles import render_profiles
from triptych_server.models.swap import replace_files
from triptych_server.repository import Repository

Dims = Mapping[str, Mapping[str, Sequence[int]]]
Parameters = Mapping[str, Mapping[str, str]]


@dataclass(slots=True)
class Change:
    """The copy, and once the change is made the files of the repository that it replaced."""

    staged: Repository
    files: tuple[Path, ...] = field(default=(), init=False)

    def graph(self, network: str) -> Path:
        """Where the copy wants the graph of a network."""
        return self.staged.model(network) / "1" / "model.onnx"

    def edit_configs(self, dims: Dims, parameters: Parameters) -> None:
        """Set dims (model to tensor to shape) and parameters in the configs, and render every profile anew.

        A model that the repository does not have needs no edit: someone may serve search without `photo`.
        """
        there = {folder.name: folder for folder in self.staged.models()}
        for model in sorted({*dims, *parameters} & set(there)):
            config = there[model] / "config.pbtxt"
            config.write_text(edit_config(config, dims=dims.get(model, {}), parameters=parameters.get(model, {})), encoding="utf-8")
        for file, text in render_profiles(self.staged):
            file.write_text(text, encoding="utf-8")


@contextmanager
def one_change(repository: Repository) -> Iterator[Change]:
    """Work on a copy inside the block; when it ends without an error the repository changes, else it stays as it was."""
    staging = Path(tempfile.mkdtemp(prefix=".import-", dir=repository.root))
    try:
        change = Change(repository.copy_to(staging / "repository"))
        yield change
        replaced, old = _differences(change.staged, repository), _old_sidecars(change.staged, repository)
        replace_files(replaced)
        for sidecar in old:
            sidecar.unlink(missing_ok=True)
        change.files = tuple(replaced)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _differences(staged: Repository, repository: Repository) -> dict[Path, Path]:
    """Targets in the repository and the staged files that differ from them; graphs last, after the sidecars they name."""
    files = [file for root in staged.roots for file in root.rglob("*") if file.is_file()]
    files.sort(key=lambda file: (file.name == "model.onnx", str(file)))
    targets = {repository.root / file.relative_to(staged.root): file for file in files}
    return {target: new for target, new in targets.items() if not target.is_file() or not filecmp.cmp(target, new, shallow=False)}


def _old_sidecars(staged: Repository, repository: Repository) -> list[Path]:
    """Weights files of the graphs that will be replaced; the new graphs name none of them."""
    folders = [graph.parent for graph in staged.networks.glob("*/1/model.onnx")]
    beside = (file for new in folders for file in (repository.root / new.relative_to(staged.root)).glob("model.onnx.*.data"))
    return [file for file in beside if not (staged.root / file.relative_to(repository.root)).exists()]
