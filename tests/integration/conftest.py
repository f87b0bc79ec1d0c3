"""The demo models on the real Triton, started once per run and profile."""

from collections.abc import Iterator

import pytest

from tests.support.serving import CHECKOUT, options
from triptych_server.engine import Engine
from triptych_server.models.use import use_folder
from triptych_server.repository import Repository


@pytest.fixture(scope="session")
def demo_repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A copy of the checkout's repository with the demo models imported into it."""
    repository = CHECKOUT.copy_to(tmp_path_factory.mktemp("demo") / "repository")
    use_folder(CHECKOUT.demo_weights, repository)
    return repository


@pytest.fixture(scope="session")
def engine(demo_repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The plain-CPU profile."""
    with Engine(options(demo_repository, tmp_path_factory.mktemp("cpu"))) as running:
        yield running


@pytest.fixture(scope="session")
def openvino_engine(demo_repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The openvino profile on the CPU."""
    with Engine(options(demo_repository, tmp_path_factory.mktemp("openvino"), profile="openvino")) as running:
        yield running
