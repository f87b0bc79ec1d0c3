"""What the rules look at: one config of one model for one profile, and beside it the configs of all others."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.lint.finding import Finding
from triptych_server.configs.read import DEFAULT_PROFILE, OUR_RUNTIME
from triptych_server.configs.source import Place


@dataclass(frozen=True, slots=True)
class Subject:
    """`profile` is DEFAULT_PROFILE for config.pbtxt; `generated` configs come from profiles/, the others are somebody's own."""

    model: str
    profile: str
    file: str
    config: ModelConfig
    places: Mapping[str, Place]
    is_network: bool
    generated: bool = False

    @property
    def is_ensemble(self) -> bool:
        return bool(self.config.platform == "ensemble")

    @property
    def may_run_natively(self) -> bool:
        """Whether a Triton that has a native backend of this name would take that one."""
        return bool(self.config.runtime != OUR_RUNTIME)

    def finding(self, field: str, found: str, expected: str, mend: str) -> Finding:
        """A mistake in this config; `field` is a path as `fields.flatten` writes them."""
        place = self.places.get(field)
        if self.generated:
            mend += f" (in profiles/{self.profile}.pbtxt, profiles/{self.profile}/{self.model}.pbtxt or config.pbtxt)"
        return Finding(self.file, place.line if place else 0, field, found, expected, mend)


@dataclass(frozen=True, slots=True)
class Everything:
    """All configs of a repository by model and profile."""

    configs: Mapping[tuple[str, str], ModelConfig]

    @property
    def profiles(self) -> list[str]:
        return sorted({profile for _, profile in self.configs})

    def effective(self, model: str, profile: str) -> ModelConfig | None:
        """What Triton loads for a model in a profile; None when there is no such model."""
        return self.configs.get((model, profile)) or self.configs.get((model, DEFAULT_PROFILE))


Rule: TypeAlias = Callable[[Subject, Everything], Iterator[Finding]]
