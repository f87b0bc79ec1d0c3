"""Dates as people write them, up to the ends of the calendar."""

from datetime import date

import pytest

from triptych.errors import InvalidInput
from triptych.library import Library, NotInLibrary, Only, days


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", date(2024, 1, 1), date(2024, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2024-12", date(2024, 12, 1), date(2024, 12, 31)),
        ("2024-05-31", date(2024, 5, 31), date(2024, 5, 31)),
        ("9999", date(9999, 1, 1), date(9999, 12, 31)),
        ("9999-12", date(9999, 12, 1), date(9999, 12, 31)),
    ],
)
def test_a_year_a_month_or_a_day(text, first, last):
    assert days(text) == (first, last)


@pytest.mark.parametrize("text", ["", "24", "2024-13", "2023-02-29", "10000", "May", "2024-05-31T12:00"])
def test_what_is_no_date_is_refused_with_the_way_to_write_it(text):
    with pytest.raises(InvalidInput, match="write it as 2024, 2024-05 or 2024-05-31"):
        days(text)


def test_no_end_of_the_calendar_and_no_large_number_breaks_a_question(tmp_path):
    with Library.open(tmp_path / "library.sqlite") as library:
        assert library.photos(only=Only(until=date.max)) == []
        with pytest.raises(NotInLibrary, match="no person '99999999999999999999'"):
            library.people.find("9" * 20)
