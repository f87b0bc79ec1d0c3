"""The spellings of a model's name: what a user wrote in, the repository it stands for out."""

import difflib
import re
from dataclasses import dataclass

from triptych_server.errors import ModelNameError
from triptych_server.models.catalogue import CatalogueModel, catalogue

ORGANISATION = "immich-app"
"""Whose repositories the catalogue's names are of."""

_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class ModelName:
    """A repository of a hub, ORGANISATION/NAME. ModelNameError where a part cannot be one (it becomes a folder's name)."""

    organisation: str
    name: str

    def __post_init__(self) -> None:
        for part in (self.organisation, self.name):
            if not _PART.fullmatch(part) or ".." in part or "--" in part:
                raise ModelNameError(f"{part!r} can be no name on a hub; expected letters, digits, and -, _ or . between them")

    @property
    def repository(self) -> str:
        """As the hub writes it."""
        return f"{self.organisation}/{self.name}"

    @property
    def known(self) -> CatalogueModel | None:
        """What the catalogue says of it."""
        return next((model for model in catalogue().models if model.name == self.name), None)

    def __str__(self) -> str:
        return self.name if self.organisation == ORGANISATION else self.repository


def find_model(text: str) -> CatalogueModel | None:
    """The catalogue's model for a spelling, by Immich's rules (the part after the last /, : as _, no dots), in any case; None
    where there is none, or where more than one differs in case alone."""
    cleaned = cleaned_name(text)
    exact = [model for model in catalogue().models if model.name == cleaned]
    folded = exact or [model for model in catalogue().models if model.name.casefold() == cleaned.casefold()]
    return folded[0] if len(folded) == 1 else None


def model_name(text: str, organisation: str | None = None) -> ModelName:
    """A model of the catalogue by any of its spellings, from `organisation`; any other one by its whole name ORGANISATION/NAME.

    ModelNameError, with the nearest names, for what is neither.
    """
    if known := find_model(text):
        return ModelName(organisation or ORGANISATION, known.name)
    owner, _, name = text.strip().rpartition("/")
    if organisation and name:
        return ModelName(organisation, name)
    if owner and owner != ORGANISATION:
        return ModelName(owner, name)
    near = _near(cleaned_name(text))
    hint = f"did you mean {', '.join(near)}?" if near else "`triptych models list` shows those it has."
    raise ModelNameError(
        f"the catalogue has no model {text!r}; {hint} One that is not in it is pulled by its whole name, ORGANISATION/NAME, "
        "or with --organisation"
    )


def cleaned_name(text: str) -> str:
    """A spelling by Immich's rules: the part after the last /, : and \\ as _, no dots."""
    return text.strip().rsplit("/", 1)[-1].replace(":", "_").replace("\\", "_").replace(".", "")


def _near(cleaned: str) -> list[str]:
    """At most six names: those that begin alike, then those that look alike."""
    names = {model.name.casefold(): model.name for model in catalogue().models}
    wanted = cleaned.casefold()
    begin = [name for name in names if wanted and name.startswith(wanted)]
    alike = difflib.get_close_matches(wanted, names, n=6, cutoff=0.6)
    return [names[name] for name in dict.fromkeys([*begin, *alike])][:6]
