"""How tests are shared out to processes: what belongs together is still there under its name, and a file is never parted."""

from tests.conftest import TOGETHER, unit_of
from tests.support.serving import CHECKOUT


def test_files_that_share_something_are_there():
    files = [file.relative_to(CHECKOUT.root).as_posix() for file in (CHECKOUT.root / "tests").rglob("test_*.py")]
    for shared, begins in TOGETHER.items():
        for each in begins:
            assert any(file.startswith(each) for file in files), f"{shared}: no file begins with {each}"
        assert sum(unit_of(file) == shared for file in files) > 1, f"{shared} is shared by nobody"


def test_other_files_are_units_of_their_own():
    assert unit_of("tests/unit/test_sharing.py") == "tests/unit/test_sharing.py"
