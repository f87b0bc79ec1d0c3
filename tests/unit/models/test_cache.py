"""The cache of pulled models: where it is, what is in it, its check, removal, and the lock on a model."""

import json
import multiprocessing
import re
import time

import pytest

from tests.support.hub import clip_files, clip_v2_files, face_files, running_hub
from triptych_server.errors import CacheBusyError, CacheError, ConfigError
from triptych_server.models.cache import Cache
from triptych_server.models.hub import Hub
from triptych_server.models.model_name import model_name
from triptych_server.models.pull import pull
from triptych_server.models.served_names import ServedName, served_names, write_served_names

CLIP, FACES = model_name("ViT-B-32__openai"), model_name("buffalo_l")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """With a CLIP at main and v2, and faces."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    cache = Cache.locate(tmp_path / "cache")
    with running_hub() as server:
        server.add(CLIP.repository, clip_files(size=5000))
        server.add(CLIP.repository, clip_v2_files(), "v2")
        server.add(FACES.repository, face_files())
        hub = Hub(server.url)
        pull(CLIP, cache=cache, hub=hub)
        pull(CLIP, cache=cache, hub=hub, revision="v2")
        pull(FACES, cache=cache, hub=hub)
    return cache


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.delenv("TRIPTYCH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Cache.locate().root == tmp_path / "triptych" / "models"
    monkeypatch.setenv("TRIPTYCH_CACHE", "~/models")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Cache.locate().root == tmp_path / "models"
    assert Cache.locate(tmp_path / "mine").root == tmp_path / "mine"
    assert Cache.locate(tmp_path / "mine").all() == []


def test_what_is_in_it(cache):
    assert sorted((str(cached.model), cached.revisions) for cached in cache.all()) == [
        ("ViT-B-32__openai", ("main",)),
        ("ViT-B-32__openai", ("v2",)),
        ("buffalo_l", ("main",)),
    ]
    assert cache.find(CLIP, "main").folder.is_dir()
    assert cache.find(CLIP, "v3") is None
    assert cache.find(model_name("me/other"), "main") is None


def test_a_flipped_byte_a_missing_and_a_longer_file_are_found(cache):
    cached = cache.find(CLIP, "main")
    weights = cached.folder / "visual" / "model.onnx"
    data = bytearray(weights.read_bytes())
    data[1234] ^= 1
    weights.write_bytes(data)
    (cached.folder / "config.json").unlink()
    with (cached.folder / "textual" / "tokenizer.json").open("a") as file:
        file.write(" ")
    seen = []
    found = list(cached.manifest.damage(cached.folder, seen.append))
    assert [sentence.partition(" ")[0] for sentence in found] == ["config.json", "textual/tokenizer.json", "visual/model.onnx"]
    assert "is missing" in found[0]
    assert "has 19 bytes, expected 18" in found[1]
    assert "has changed: its SHA-256 is" in found[2]
    assert sum(seen) == cached.manifest.size
    other = cache.find(FACES, "main")
    assert list(other.manifest.damage(other.folder)) == []


@pytest.mark.parametrize("content", ["", "[]", '{"files": []}', '{"repository": 1, "files": [{}]}', '{"files": 3}'])
def test_a_damaged_manifest_is_named(cache, content, caplog):
    snapshot = cache.find(FACES, "main").snapshot
    (snapshot / "manifest.json").write_text(content)
    others = [cached for cached in cache.all() if cached.model != FACES]
    assert re.search(r"manifest.json is damaged \(\w+\); delete .* and pull the model again", caplog.text)
    assert cache.all() == others != []  # the listing goes on
    with pytest.raises(CacheError, match=r"manifest.json is damaged"):
        cache.find(FACES, "main")


def test_a_manifest_that_points_outside_is_refused(cache):
    snapshot = cache.find(FACES, "main").snapshot
    content = json.loads((snapshot / "manifest.json").read_text())
    content["files"][0]["path"] = "../../../secret"
    (snapshot / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(CacheError, match="outside of the model's folder"):
        cache.of(FACES)


def test_a_revision_is_removed_and_the_other_stays(cache):
    cache.remove(CLIP, "v2")
    assert [cached.revisions for cached in cache.of(CLIP)] == [("main",)]
    cache.remove(CLIP, cache.find(CLIP, "main").manifest.commit[:10])
    assert cache.of(CLIP) == []
    assert len(cache.all()) == 1


def test_a_model_is_removed_whole(cache):
    (cache.home(CLIP) / "partial" / "abc").mkdir(parents=True)
    cache.remove(CLIP)
    assert {file.name for file in cache.home(CLIP).iterdir()} == {"lock"}
    assert [cached.model for cached in cache.all()] == [FACES]


def test_two_names_of_one_commit_are_removed_one_by_one(cache):
    cached = cache.find(CLIP, "main")
    cache.keep(CLIP, "refs/pr/1", cached.snapshot, cached.manifest.commit)
    assert cache.find(CLIP, "refs/pr/1").revisions == ("main", "refs/pr/1")
    cache.remove(CLIP, "refs/pr/1")
    assert cache.find(CLIP, "main").revisions == ("main",)


def _hold(root, ready, seconds):
    with Cache(root).locked(CLIP, print):
        ready.set()
        time.sleep(seconds)


@pytest.mark.parametrize(("seconds", "patience", "outcome"), [(1.0, 30.0, None), (30.0, 0.5, CacheBusyError)])
def test_a_model_that_another_process_changes_is_waited_for_within_bounds(tmp_path, seconds, patience, outcome):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, ready, seconds))
    process.start()
    said = []
    try:
        assert ready.wait(60)
        if outcome is None:
            with Cache(tmp_path).locked(CLIP, said.append, patience):
                pass
        else:
            with (
                pytest.raises(CacheBusyError, match=r"has held ViT-B-32__openai in the cache for over 0.5 s"),
                Cache(tmp_path).locked(CLIP, said.append, patience),
            ):
                pass
    finally:
        process.terminate()
        process.join()
    assert said == [f"another process is pulling or removing ViT-B-32__openai; waiting up to {patience:g} s for it"]


@pytest.mark.parametrize("writable", [True, False])
def test_a_cache_that_cannot_be_written_is_read_without_a_lock(tmp_path, monkeypatch, writable):
    cache = Cache(tmp_path)
    cache.home(CLIP).mkdir(parents=True)
    monkeypatch.setattr("triptych_server.models.cache.os.access", lambda *_: writable)  # root may write everywhere
    with cache.kept(CLIP, print):
        assert (cache.home(CLIP) / "lock").exists() is writable


def test_a_block_that_fails_lets_go_of_the_lock(tmp_path):
    cache, said = Cache(tmp_path), []
    with pytest.raises(ZeroDivisionError), cache.locked(CLIP, said.append):
        1 / 0  # noqa: B018
    with cache.locked(CLIP, said.append):
        assert said == []


def test_names_of_what_is_served_are_kept_beside_the_repository(tmp_path):
    from types import SimpleNamespace

    repository = SimpleNamespace(root=tmp_path)
    assert served_names(repository) == {}
    names = {"clip": ServedName(CLIP.repository, "v2", "abc"), "faces": ServedName(FACES.repository, "main", "def")}
    write_served_names(repository, names)
    assert served_names(repository) == names
    legacy = {"clip": ServedName(CLIP.repository, "v2", "abc", legacy_resize=True)}
    write_served_names(repository, legacy)
    assert served_names(repository) == legacy
    (tmp_path / "served.json").write_text('{"clip": {"repository": "a/b", "revision": "main", "commit": "abc"}}')  # of an older release
    assert not served_names(repository)["clip"].legacy_resize
    (tmp_path / "served.json").write_text('{"clip": 3}')
    with pytest.raises(ConfigError, match="served.json is damaged"):
        served_names(repository)
