"""How tests are shared out to processes (`pytest -n 2`)."""

import pytest

CONVERTED = ("armnn", "rknn")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file stay together, for they share servers; and those of a converter, for they share what it made."""
    for item in items:
        file = item.path.relative_to(item.config.rootpath)
        shared = [name for name in CONVERTED if name in file.stem and "integration" in file.parts]
        item.add_marker(pytest.mark.xdist_group(shared[0] if shared else str(file)))
