"""Pulling from a hub that runs here: which files come, from where, and what is kept."""

import json

import pytest

from tests.support.hub import clip_files, clip_v2_files, face_files
from tests.support.pulling import CLIP, FACES, WEIGHTS, files_of, needed
from triptych_server.errors import (
    HubAccessError,
    HubError,
    HubNotFoundError,
    HubUnreachableError,
)
from triptych_server.models.hub import Hub
from triptych_server.models.pull import cached_folder, pull


@pytest.mark.parametrize(
    ("model", "revision", "files"),
    [(CLIP, "main", clip_files()), (CLIP, "v2", clip_v2_files()), (FACES, "main", face_files())],
    ids=["legacy CLIP", "v2 CLIP with weights beside it", "faces"],
)
def test_the_files_that_are_needed_come_and_no_others(server, fetch, model, revision, files):
    pulled = fetch(model, revision=revision)
    assert files_of(pulled.cached.folder) == needed(files)
    assert pulled.cached.folder.name == model.name, "the import reads the model's kind off its folder's name"
    assert not pulled.was_there
    assert not [asked.path for asked in server.asked if asked.path.endswith((".armnn", ".rknn", ".md"))]


def test_the_manifest_says_what_came_from_where(server, fetch):
    cached = fetch().cached
    manifest = json.loads((cached.snapshot / "manifest.json").read_text())
    commit = server.revisions[CLIP.repository]["main"]
    assert (manifest["repository"], manifest["revision"], manifest["commit"]) == (CLIP.repository, "main", commit)
    assert manifest["endpoint"] == server.url
    assert {file["path"]: file["size"] for file in manifest["files"]} == {p: len(d) for p, d in needed(clip_files()).items()}
    assert all(len(file["sha256"]) == 64 for file in manifest["files"])
    assert list(cached.manifest.damage(cached.folder)) == []


def test_a_second_pull_asks_for_the_listing_only(server, fetch):
    fetch()
    server.asked.clear()
    assert fetch().was_there
    assert [asked.path for asked in server.asked] == [f"/api/models/{CLIP.repository}/revision/main"]


def test_revisions_stand_beside_each_other_and_commits_can_be_pinned(server, fetch, cache):
    old = server.revisions[CLIP.repository]["main"]
    fetch()
    fetch(revision="v2")
    fetch(revision=old)
    assert cache.find(CLIP, "main").manifest.commit == cache.find(CLIP, old[:9]).manifest.commit == old
    assert cache.find(CLIP, "v2").manifest.commit != old
    new = server.add(CLIP.repository, clip_files(seed=5))
    fetch()
    assert cache.find(CLIP, "main").manifest.commit == new
    assert cache.find(CLIP, old).revisions == (old,), "a commit that was pulled by its hash stays"


def test_what_did_not_change_in_a_new_commit_is_not_fetched_again(server, fetch, cache):
    first = fetch().cached
    server.add(
        CLIP.repository, clip_files() | {"README.md": b"# new", "visual/model.armnn": b"new", "textual/tokenizer.json": b'{"new": 1}'}
    )
    server.asked.clear()
    second = fetch().cached
    assert not server.gets()
    assert (second.folder / "textual" / "tokenizer.json").read_bytes() == b'{"new": 1}'
    assert (second.folder / WEIGHTS).read_bytes() == clip_files()[WEIGHTS]
    assert not first.snapshot.exists(), "nothing names it any more"
    assert [cached.revisions for cached in cache.of(CLIP)] == [("main",)]


def test_tokens(server, fetch):
    server.tokens[CLIP.repository] = "hf_good"
    with pytest.raises(HubNotFoundError, match=r"has no repository .*, or it is private \(HTTP 401\).*HF_TOKEN"):
        fetch()
    with pytest.raises(HubAccessError, match="does not accept the token"):
        fetch(token="hf_wrong")
    server.gated.add(CLIP.repository)
    with pytest.raises(HubAccessError, match=r"is gated: accept its terms at http.*/immich-app/ViT-B-32__openai"):
        fetch(token="hf_other")
    fetch(token="hf_good")
    assert {asked.headers.get("authorization") for asked in server.gets()} == {None}, "the token is the hub's alone"
    assert "Bearer hf_good" in {asked.headers.get("authorization") for asked in server.asked}
    assert "hf_good" not in repr(Hub(token="hf_good"))


def test_a_proxy_is_used(server, cache, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    from huggingface_hub.utils import close_session

    close_session()
    try:
        with pytest.raises(HubUnreachableError):
            pull(CLIP, cache=cache, hub=Hub("http://hub.invalid", timeout=1, pause=0.001))
        assert not server.asked
    finally:
        close_session()


def test_cached_folder_pulls_what_is_missing_and_asks_nothing_otherwise(server, cache, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/")
    monkeypatch.setenv("TRIPTYCH_CACHE", str(cache.root))
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    folder = cached_folder("ViT-B-32::openai")
    assert files_of(folder) == needed(clip_files())
    server.asked.clear()
    assert cached_folder("immich-app/ViT-B-32__openai", "main", cache=cache) == folder
    assert not server.asked
    assert files_of(cached_folder("ViT-B-32__openai", "v2")) == needed(clip_v2_files())


def test_the_hub_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "2.5")
    assert Hub.from_environment() == Hub("https://mirror.example", "hf_mine", 2.5)
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "soon")
    with pytest.raises(HubError, match="HF_HUB_DOWNLOAD_TIMEOUT is 'soon'; expected seconds"):
        Hub.from_environment()
    monkeypatch.setenv("HF_ENDPOINT", "mirror.example")
    with pytest.raises(HubError, match="HF_ENDPOINT is 'mirror.example'; expected an address"):
        Hub.from_environment()
