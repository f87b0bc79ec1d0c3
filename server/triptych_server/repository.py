"""Where the model repositories lie: networks, Python models, ensembles, our backends and the hardware profiles."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from triptych_server.errors import ConfigError

ROOTS = ("model_repository", "python_models", "ensembles")
FOLDERS = (*ROOTS, "backends", "profiles")
WEIGHTS = ("model.onnx*", "tokenizer.json")
CONVERTED = ("rk3566", "rk3568", "rk3576", "rk3588", "armnn")
"""Folders beside a model.onnx: what `triptych models convert` made of it, for a target each. They are weights too."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A folder that holds Triton's three repositories (networks, Python models, ensembles), `backends/` and `profiles/`.

    `root` becomes absolute: Triton runs in another folder. Raises ConfigError when one of them is missing.
    """

    root: Path

    def __post_init__(self) -> None:
        missing = [name for name in FOLDERS if not (self.root / name).is_dir()]
        if missing:
            raise ConfigError(f"{self.root} is no Triptych repository: {', '.join(missing)} missing; name one with --repository")
        object.__setattr__(self, "root", self.root.absolute())

    @property
    def networks(self) -> Path:
        """Neural networks, one folder each, for Triton's own and our runtime backends."""
        return self.root / "model_repository"

    @property
    def python_models(self) -> Path:
        """Models of Triton's Python backend: what comes before and after the networks."""
        return self.root / "python_models"

    @property
    def ensembles(self) -> Path:
        """What clients call."""
        return self.root / "ensembles"

    @property
    def backends(self) -> Path:
        """Our Python-based backends, one folder each."""
        return self.root / "backends"

    @property
    def profiles(self) -> Path:
        """One ModelConfig fragment per hardware profile."""
        return self.root / "profiles"

    @property
    def roots(self) -> tuple[Path, Path, Path]:
        """The three folders given to Triton as --model-repository."""
        return (self.networks, self.python_models, self.ensembles)

    @property
    def demo_weights(self) -> Path:
        """The demo CLIP, in a hub's layout."""
        return self.root / "demo" / "weights" / "clip"

    @property
    def demo_faces(self) -> Path:
        """The demo's face model, in a hub's layout."""
        return self.root / "demo" / "weights" / "faces"

    def models(self) -> list[Path]:
        """Every model folder of the three repositories, by name."""
        folders = (folder for root in self.roots for folder in root.iterdir() if (folder / "config.pbtxt").is_file())
        return sorted(folders, key=lambda folder: folder.name)

    def model(self, name: str) -> Path:
        """The folder of one model; ConfigError when there is none of that name."""
        for root in self.roots:
            if (root / name / "config.pbtxt").is_file():
                return root / name
        raise ConfigError(f"no model {name!r}; there are: {', '.join(folder.name for folder in self.models())}")

    def missing_weights(self, *names: str) -> list[str]:
        """Files of the models `names` (of all by default) that are not in git and not in place yet, relative to the root."""
        models = {folder.name: folder for folder in self.models() if not names or folder.name in names}
        files = [folder / "1" / "model.onnx" for folder in models.values() if folder.parent == self.networks]
        if "clip_tokenize" in models:
            files.append(models["clip_tokenize"] / "1" / "tokenizer.json")
        return [str(file.relative_to(self.root)) for file in files if not file.is_file()]

    def copy_to(self, target: Path, *, weights: bool = False) -> "Repository":
        """Copy to a folder that must not exist yet; weights only when asked for. Returns the copy."""
        ignore = shutil.ignore_patterns("__pycache__", *(() if weights else WEIGHTS))

        def left_out(folder: str, names: list[str]) -> set[str]:
            converted = CONVERTED if self.networks in Path(folder).parents and not weights else ()
            return ignore(folder, names) | {name for name in names if name in converted}

        for name in FOLDERS:
            shutil.copytree(self.root / name, target / name, ignore=left_out)
        return Repository(target)

    @classmethod
    def locate(cls, root: Path | None = None) -> "Repository":
        """Find it: the folder given, $TRIPTYCH_REPOSITORY, the working folder or one above it, the checkout that this
        package is installed from, else a copy of the packaged one in the user's data folder (made at first use)."""
        if root is not None:
            return cls(root.resolve())
        if named := os.environ.get("TRIPTYCH_REPOSITORY"):
            return cls(Path(named).resolve())
        here = Path.cwd()
        checkout = Path(__file__).resolve().parents[2]
        for folder in (here, *here.parents, checkout):
            if all((folder / name).is_dir() for name in FOLDERS):
                return cls(folder)
        return cls._user_copy()

    @classmethod
    def _user_copy(cls) -> "Repository":
        target = platformdirs.user_data_path("triptych") / "repository"
        packaged = Path(__file__).resolve().parent / "_repository"
        if not target.exists():
            staging = target.with_name(f".repository-{os.getpid()}")
            shutil.copytree(packaged, staging)
            try:
                staging.rename(target)  # whole or not at all
            except OSError:  # another start was faster
                shutil.rmtree(staging)
        for code in packaged.rglob("*.py"):  # configs and weights are the user's; the code must fit the package
            file = target / code.relative_to(packaged)
            if not file.is_file() or file.read_bytes() != code.read_bytes():
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(code, file)
        return cls(target)
