"""One mistake in one config."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`file` is relative to the repository, `line` 0 where the field stands nowhere; the texts are parts of one sentence each."""

    file: str
    line: int
    field: str
    found: str
    expected: str
    mend: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        what = f"{self.field}: " if self.field else ""
        return f"{where}: {what}found {self.found}; expected {self.expected}; {self.mend}"
