"""What differs between two profiles, field by field."""

from collections.abc import Iterable
from dataclasses import dataclass

from triptych_server.configs.fields import Value, flatten
from triptych_server.configs.profiles import check_profile
from triptych_server.configs.read import profile_config
from triptych_server.repository import Repository


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one model that two profiles do not agree about; None where a profile does not set it."""

    model: str
    field: str
    before: Value | None
    after: Value | None


def differences(repository: Repository, before: str, after: str, models: Iterable[str] = ()) -> list[Difference]:
    """What changes from profile `before` to profile `after`, of `models` or else of all. ConfigError for an unknown name."""
    for profile in (before, after):
        check_profile(repository, profile)
    found = []
    for folder in [repository.model(name) for name in models] or repository.models():
        old, new = flatten(profile_config(folder, before)), flatten(profile_config(folder, after))
        fields = [*old, *(field for field in new if field not in old)]
        found += [Difference(folder.name, field, old.get(field), new.get(field)) for field in fields if old.get(field) != new.get(field)]
    return found
