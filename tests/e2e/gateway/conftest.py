"""The demo's models under names of Immich's on the real Triton, and a gateway in front of it, started once per run."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.people import draw_group, sample_group
from demo.people.person import ALBUM_PEOPLE
from tests.support.gateway import CLIP, PACK, Running, gateway
from tests.support.serving import CHECKOUT, serving
from triptych_server.engine import Engine
from triptych_server.models.any_folder import use_any
from triptych_server.models.served_names import ServedName
from triptych_server.repository import Repository


@pytest.fixture(scope="session")
def named_repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Names as if both came from a hub."""
    repository = CHECKOUT.copy_to(tmp_path_factory.mktemp("named") / "repository")
    for folder, name in ((CHECKOUT.demo_weights, CLIP), (CHECKOUT.demo_faces, PACK)):
        use_any(folder, repository, name=ServedName(f"immich-app/{name}", "main", "0" * 40))
    return repository


@pytest.fixture(scope="session")
def triton(named_repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with serving(named_repository, tmp_path_factory.mktemp("triton"), log_verbose=True) as engine:
        yield engine


@pytest.fixture(scope="session")
def running(triton: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with gateway([triton.grpc_url], tmp_path_factory.mktemp("gateway")) as started:
        yield started


@pytest.fixture(scope="session")
def group() -> bytes:
    """A drawn JPEG of three people."""
    size = (720, 480)
    people = sample_group(1, ALBUM_PEOPLE[:8], size, count=3, least=0.07, kind="album")
    buffer = io.BytesIO()
    draw_group(people, size)[0].convert("RGB").save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateways")
