"""Names and embeddings -> JSON lines or a NumPy file; a file appears when it is complete."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from triptych.cli.console import CommandError
from triptych.results import Embedding

Row = tuple[str, Embedding]


def check(output: Path | None) -> None:
    """Raise CommandError, before anything is embedded, for a file that could not be written afterwards."""
    if output is None:
        return
    if output.suffix not in (".jsonl", ".npy"):
        raise CommandError(f"--output {output}: expected a name that ends in .jsonl or .npy")
    if not output.parent.is_dir():
        raise CommandError(f"--output {output}: there is no folder {output.parent}")


def write(rows: Iterable[Row], output: Path | None) -> None:
    """To stdout (None) or `*.jsonl`: one object {"name", "embedding"} a line, as they come. To `*.npy`: float32 [n,D], and
    the n names beside it, one a line."""
    if output is None:
        _json_lines(rows, sys.stdout)
    elif output.suffix == ".jsonl":
        with _complete(output) as file:
            _json_lines(rows, file)
    else:
        names, embeddings = [], []
        for name, embedding in rows:
            names.append(name)
            embeddings.append(embedding)
        if not names:
            return
        np.save(output, np.stack(embeddings))
        Path(f"{output}.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def _json_lines(rows: Iterable[Row], file: IO[str]) -> None:
    for name, embedding in rows:
        file.write(json.dumps({"name": name, "embedding": numbers(embedding)}, ensure_ascii=False) + "\n")


def numbers(values: Iterable[float]) -> list[float]:
    """Float32 values for JSON: 9 digits bring each back exactly; Python would write 17 of the same number as a double."""
    return [float(f"{value:.9g}") for value in values]


@contextmanager
def _complete(output: Path) -> Iterator[IO[str]]:
    part = output.with_name(f".{output.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
