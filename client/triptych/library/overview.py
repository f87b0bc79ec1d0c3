"""What a library spans: the years and the folders of its photos, and how many there are of each."""

import os
from pathlib import Path

from triptych.library import files
from triptych.library.store import Store


def years(store: Store) -> dict[int, int]:
    """The newest first."""
    rows = store.rows("SELECT substr(taken, 1, 4) AS year, count(*) FROM photo WHERE failure IS NULL GROUP BY year ORDER BY year DESC")
    return {int(year): photos for year, photos in rows}


def subfolders(store: Store, folder: Path) -> dict[Path, int]:
    """The folders directly in one that have photos, or have some below them, by name."""
    low, high = files.below(str(folder))
    rows = store.rows(
        "SELECT substr(rest, 1, instr(rest, ?) - 1) AS name, count(*) FROM "
        "(SELECT substr(path, ?) AS rest FROM photo WHERE path >= ? AND path < ? AND failure IS NULL) WHERE instr(rest, ?) > 0 "
        "GROUP BY name ORDER BY name",
        (os.sep, len(low) + 1, low, high, os.sep),
    )
    return {Path(low, name): photos for name, photos in rows}


def count(store: Store, folder: Path) -> int:
    """Photos in a folder and below it."""
    return int(store.value("SELECT count(*) FROM photo WHERE path >= ? AND path < ? AND failure IS NULL", files.below(str(folder))))
