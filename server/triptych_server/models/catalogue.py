"""The models that Immich names, with what helps to choose one: catalogue.toml and recall.csv in, `CatalogueModel`s out."""

import csv
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from triptych_server.errors import ModelNameError

Task = Literal["clip", "faces"]

_F32_BYTES = 4
_MEMORY_PER_WEIGHT = 1.1  # where it is given, large models take 0.9 (multilingual ones) to 1.25 (ViT-H-14) times their weights
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Licence:
    """The terms of a model's weights. `free`: any use is allowed; else `note` says what is not."""

    name: str
    holder: str
    free: bool
    note: str = ""

    def __str__(self) -> str:
        return f"{self.name}, {self.holder}" + (f"; {self.note}" if self.note else "")


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """One model. `size`: pixels a side; `context`: tokens; `languages`: en or many ("" for faces); `recall`: per cent by language;
    `memory_mib` and `ms`: as Immich's documentation measured them, None where it did not; `score`: InsightFace's MR-ALL, per cent."""

    name: str
    task: Task
    dim: int
    size: int
    licence: Licence
    mparams: float
    context: int | None = None
    languages: Literal["", "en", "many"] = ""
    memory_mib: int | None = None
    ms: float | None = None
    score: float | None = None
    recall: Mapping[str, float] | None = None

    @property
    def disk_mb(self) -> int:
        """About how large the files are, in MB: four bytes a parameter."""
        return round(self.mparams * _F32_BYTES)

    @property
    def memory_about_mib(self) -> int:
        """Memory as given, else an estimate from the weights."""
        return self.memory_mib or round(self.disk_mb * 1e6 * _MEMORY_PER_WEIGHT / _MIB)

    def quality(self, language: str = "en") -> float | None:
        """Recall in a language or, of a face model, its score; per cent, None where it is not known."""
        return self.score if self.task == "faces" else (self.recall or {}).get(language)

    def knows(self, language: str) -> bool:
        """Whether texts in a language find anything: it is multilingual, or its recall there is given."""
        return self.languages in ("many", language) or language in (self.recall or {})


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All models, in the order of their families; language names and other codes for them."""

    models: tuple[CatalogueModel, ...]
    languages: Mapping[str, str]
    aliases: Mapping[str, str]

    def language(self, text: str) -> str:
        """A language's code from a code ("de", "pt-BR", "nb_NO") or its English name. ModelNameError for one nobody knows."""
        wanted = text.strip().casefold().replace("_", "-")
        code = next((code for code, name in self.languages.items() if name.casefold() == wanted), wanted.partition("-")[0])
        code = self.aliases.get(code, code)
        if not (2 <= len(code) <= 3 and code.isascii() and code.isalpha()):
            known = ", ".join(f"{code} {name}" for code, name in self.languages.items())
            raise ModelNameError(f"{text!r} is no language; expected a code such as de or pt-BR, or one of: {known}")
        return code

    def choose(
        self,
        *,
        task: str | None = None,
        language: str | None = None,
        dim: int | None = None,
        max_memory_mib: int | None = None,
        names: Iterable[str] | None = None,
    ) -> list[CatalogueModel]:
        """The models that meet every condition, the best first; `language` is a code, `names` limits to these."""
        among = None if names is None else set(names)
        found = [
            model
            for model in self.models
            if (task is None or model.task == task)
            and (language is None or model.knows(language))
            and (dim is None or model.dim == dim)
            and (max_memory_mib is None or model.memory_about_mib <= max_memory_mib)
            and (among is None or model.name in among)
        ]
        return sorted(found, key=lambda model: (model.task, -(model.quality(language or "en") or 0)))


@cache
def catalogue() -> Catalogue:
    """The catalogue of this version."""
    here = resources.files("triptych_server.models")
    data = tomllib.loads((here / "catalogue.toml").read_text("utf-8"))
    rows = (line for line in (here / "recall.csv").read_text("utf-8").splitlines() if not line.startswith("#"))
    recall = {row.pop("model"): {code: float(value) for code, value in row.items() if value} for row in csv.DictReader(rows)}
    licences = {key: Licence(**value) for key, value in data["licences"].items()}

    def model(task: Task, row: dict[str, Any]) -> CatalogueModel:
        return CatalogueModel(**row | {"task": task, "licence": licences[row["licence"]], "recall": recall.get(row["name"], {})})

    tasks: tuple[Task, ...] = ("clip", "faces")
    models = tuple(model(task, row) for task in tasks for row in data[task])
    return Catalogue(models, data["languages"], data["language_aliases"])
