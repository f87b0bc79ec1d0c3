"""What the page is set up with, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from triptych.errors import InvalidInput
from triptych.library.errors import LibraryIncomplete

ROOT = "/ui"
"""Where the gateway has the page."""


def is_page(path: str) -> bool:
    """Whether an address is the page's, or below it."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def default_cache() -> Path:
    """Where small copies of photos are kept unless another folder is named."""
    try:
        import platformdirs
    except ModuleNotFoundError as error:
        raise LibraryIncomplete(error) from None
    return platformdirs.user_cache_path("triptych") / "page"


@dataclass(frozen=True, slots=True)
class PageSettings:
    """`library`: its file, None for the user's own. `folders`: indexed when the page starts. `cache`: the folder of small copies, of
    `cache_bytes` at most. `metrics_urls`: of Tritons (by their address) whose metrics are not on port 8002. `control_headers`: what
    opens a Triton's list of models, which the status wants whole. Raises InvalidInput.
    """

    library: Path | None = None
    folders: tuple[Path, ...] = ()
    cache: Path = field(default_factory=default_cache)
    cache_bytes: int = 512 << 20  # about ten thousand photos
    metrics_urls: Mapping[str, str] = field(default_factory=dict)
    control_headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.cache_bytes > 0:
            raise InvalidInput(f"cache_bytes is {self.cache_bytes}; expected a number above 0")
        for folder in self.folders:
            if not folder.is_dir():
                raise InvalidInput(f"{folder} is no folder")
