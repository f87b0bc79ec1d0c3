"""One target under atheris, in a process of its own: `python -m tests.fuzz.drive TARGET FINDINGS [libFuzzer's options and folders]`.

An exception is saved once for each place it comes from, and the search goes on; a crash, a hang and too much memory end it, and libFuzzer
saves the input.
"""

import sys
import traceback
from pathlib import Path
from random import Random

import atheris

from tests.fuzz.target import load

INSTRUMENTED = ["triptych", "triptych_server", "PIL", "python_multipart", "google.protobuf.text_format"]
OURS = ("client/triptych", "server/triptych_server", "tests/fuzz")


def main(name: str, findings: Path, arguments: list[str]) -> None:
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = load(name)

    def check(data: bytes) -> None:
        try:
            target.check(data)
        except Exception as error:
            save(findings, data, error)

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        random = Random(seed)
        assert target.mutate is not None
        made = target.mutate(data, random) if random.random() < 0.5 else atheris.Mutate(data, longest)
        return bytes(made)[:longest]

    options = {"custom_mutator": mutate} if target.mutate else {}
    atheris.Setup([sys.argv[0], *arguments], check, **options)
    atheris.Fuzz()


def save(findings: Path, data: bytes, error: Exception) -> None:
    """Bytes and traceback, named after the exception and the innermost line of ours; the smallest input of a name stays."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if any(part in frame.filename for part in OURS)]
    name = f"{type(error).__name__}-{Path(frames[-1].filename).stem}-{frames[-1].lineno}"
    file = findings / f"{name}.bin"
    if not file.exists() or file.stat().st_size > len(data):
        file.write_bytes(data)
        file.with_suffix(".txt").write_text("".join(traceback.format_exception(error)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
