"""The demo's models on the real Triton, started once per run for those who only ask."""

from collections.abc import Iterator

import pytest

from tests.support.demo import demo_repository
from tests.support.serving import serving
from triptych_server.engine import Engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Search and faces on the plain-CPU profile."""
    with serving(demo_repository(tmp_path_factory), tmp_path_factory.mktemp("engine")) as running:
        yield running
