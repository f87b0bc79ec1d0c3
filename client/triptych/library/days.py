"""A year, a month or a day as people write it -> its first and its last day."""

from calendar import monthrange
from datetime import date, datetime

from triptych.errors import InvalidInput


def days(text: str) -> tuple[date, date]:
    """Of 2024, 2024-05 or 2024-05-31. Raises InvalidInput."""
    for form in ("%Y-%m-%d", "%Y-%m", "%Y"):
        try:
            first = datetime.strptime(text, form).date()
        except ValueError:
            continue
        if form == "%Y":
            return first, first.replace(month=12, day=31)
        return first, first if form == "%Y-%m-%d" else first.replace(day=monthrange(first.year, first.month)[1])
    raise InvalidInput(f"{text[:40]!r} is no date; write it as 2024, 2024-05 or 2024-05-31")
