"""Build hook: the wheel carries the model repository (configs and code, never pulled weights) as package data."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("model_repository", "python_models", "ensembles", "backends", "profiles", "demo/weights")


class RepositoryHook(BuildHookInterface[Any]):
    """Adds each file of FOLDERS as triptych_server/_repository/<same path>."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatch before each build; an editable install uses the checkout itself."""
        if version == "editable":
            return
        root = Path(self.root)
        for folder in FOLDERS:
            for file in sorted((root / folder).rglob("*")):
                pulled = not folder.startswith("demo") and (file.name.startswith("model.onnx") or file.name == "tokenizer.json")
                converted = folder == "model_repository" and len(file.relative_to(root / folder).parts) > 3  # <network>/1/<target>/<file>
                if file.is_file() and not pulled and not converted and "__pycache__" not in file.parts:
                    name = file.relative_to(root).as_posix()
                    build_data["force_include"][str(file)] = f"triptych_server/_repository/{name}"
