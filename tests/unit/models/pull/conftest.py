"""A hub that runs here, a cache, and a pull from one to the other."""

import pytest

from tests.support.hub import clip_files, clip_v2_files, face_files, running_hub
from tests.support.pulling import CLIP, FACES
from triptych_server.models.cache import Cache
from triptych_server.models.hub import Hub
from triptych_server.models.pull import pull


@pytest.fixture(autouse=True)
def nothing_of_the_users(monkeypatch, tmp_path):
    for name in (
        "HF_ENDPOINT",
        "HF_TOKEN",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "TRIPTYCH_CACHE",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))


@pytest.fixture
def server():
    with running_hub() as hub:
        hub.add(CLIP.repository, clip_files())
        hub.add(CLIP.repository, clip_v2_files(), "v2")
        hub.add(FACES.repository, face_files())
        yield hub


@pytest.fixture
def cache(tmp_path):
    return Cache.locate(tmp_path / "cache")


@pytest.fixture
def fetch(server, cache):
    """pull() with short waits; the model and whatever is to be different go in."""

    def run(model=CLIP, *, token=None, timeout=5.0, endpoint=None, **more):
        hub = Hub(endpoint or server.url, token, timeout, pause=0.001)
        return pull(model, cache=cache, hub=hub, **more)

    return run
