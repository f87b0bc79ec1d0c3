"""A small library of real picture files, and the gateway with its page over it. Its Triton is a scripted server (tests/unit/client/scripted_server.py),
for what is looked at here is what the page does, whatever a model says."""

import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.support.drawn import encode, picture
from tests.unit.client.conftest import free_port
from tests.unit.client.scripted_server import Script, grpc_server
from tests.unit.library.made import add_face, near, unit
from triptych.gateway.app import build
from triptych.gateway.settings import GatewaySettings
from triptych.library import Library
from triptych.library.vectors import stored
from triptych.page.settings import PageSettings

__all__ = ["free_port"]
HOME = "http://127.0.0.1"
DIMENSION = 64


class Album:
    """A folder that is indexed, by hand: files and their rows."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "album"
        self.folder.mkdir()
        self.file = root / "library.sqlite"
        self.library = Library.open(self.file)
        self.store = self.library._store
        with self.store.writing() as connection:
            connection.execute("INSERT INTO root VALUES (?)", (str(self.folder.resolve()),))

    def add(self, name, data=None, size=(96, 64), taken="2024-05-01T12:00:00", vector=None):
        path = self.folder / name
        if data is not None:
            path.write_bytes(data)
        with self.store.writing() as connection:
            row = connection.execute(
                "INSERT INTO photo (path, size, mtime_ns, width, height, taken) VALUES (?, 1, 1, ?, ?, ?)", (str(path), *size, taken)
            ).lastrowid
            values = (row, stored(unit(row, DIMENSION) if vector is None else vector))
            connection.execute("INSERT INTO photo_vector (owner, vector) VALUES (?, ?)", values)
        return row

    def add_face(self, photo, person, rng, at=0):
        return add_face(self.store, photo, near(person, rng, dimension=DIMENSION), at)


def until(condition):
    """Wait for it."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def album(tmp_path):
    made = Album(tmp_path)
    yield made
    made.library.close()


@pytest.fixture
def photo(album):
    """The id of one photo."""
    return album.add("one.jpg", encode(picture(), "jpeg"))


@pytest.fixture
def script():
    return Script(faces=0)  # those of the script have no unit length


@pytest.fixture
def opened(album, tmp_path):
    """`with opened(...) as client`: the gateway in front of a Triton's address, with settings of its own."""

    @contextmanager
    def opened(triton, folders=(), cache_bytes=1 << 20, base_url=HOME, **settings):
        page = PageSettings(album.file, tuple(folders), tmp_path / "cache", cache_bytes)
        with TestClient(build(GatewaySettings((triton,), **settings), page), base_url=base_url) as client:
            yield client

    return opened


@pytest.fixture
def page(opened, free_port):
    """Without a Triton: most of the page needs none."""
    with opened(f"127.0.0.1:{free_port}") as client:
        yield client


@pytest.fixture
def served(opened, script):
    """With one."""
    with grpc_server(script) as address, opened(address) as client:
        until(lambda: client.get("/ping").status_code == 200)
        yield client
