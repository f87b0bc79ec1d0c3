"""What every fault of a hub or a disk leads to: a sentence, and nothing half done."""

import errno
import shutil
from types import SimpleNamespace

import pytest

from tests.support.hub import clip_files
from tests.support.pulling import CLIP, FACES, WEIGHTS, files_of, needed
from triptych_server.errors import (
    ChecksumError,
    DiskSpaceError,
    HubAccessError,
    HubError,
    HubNotFoundError,
    HubUnreachableError,
    NotCachedError,
)
from triptych_server.models import pull as pulling
from triptych_server.models.model_name import model_name


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ({"status": 500}, HubError, "failed on immich-app/ViT-B-32__openai (HTTP 500); the fault is there"),
        ({"status": 503}, HubError, "(HTTP 503)"),
        ({"status": 429}, HubError, "too many requests"),
        ({"status": 403}, HubAccessError, "forbids immich-app/ViT-B-32__openai (HTTP 403); set HF_TOKEN"),
        ({"status": 404}, HubNotFoundError, "has no repository immich-app/ViT-B-32__openai"),
        ({"status": 418}, HubError, "HTTP 418"),
        ({"stall": 0}, HubUnreachableError, "gave no answer within 0.3 s (HF_HUB_DOWNLOAD_TIMEOUT"),
        ({"cut": 0}, HubUnreachableError, "cannot be reached"),
        ({"corrupt": True}, HubError, "not as a hub does"),
    ],
)
@pytest.mark.parametrize("where", ["/api/models", "/resolve/"])
def test_a_hub_that_fails_is_a_sentence_with_its_address(server, fetch, cache, fault, error, words, where):
    if where == "/resolve/" and "corrupt" in fault:
        error, words = ChecksumError, "config.json of immich-app/ViT-B-32__openai arrived damaged"
    server.fault(where, **fault, times=99)
    with pytest.raises(error) as caught:
        fetch(timeout=0.3)
    text = str(caught.value)
    assert words in text
    assert server.url in text or error is ChecksumError
    assert "\n" not in text
    assert "secret" not in text
    assert cache.all() == []
    server.faults.clear()
    assert files_of(fetch().cached.folder) == needed(clip_files())


def test_an_unknown_revision_or_organisation_is_said(fetch):
    with pytest.raises(HubNotFoundError, match=r"has no revision 'v7' at http.*have main .* and v2"):
        fetch(revision="v7")
    with pytest.raises(HubNotFoundError, match="has no repository nobody/ViT-B-32__openai"):
        fetch(model_name("ViT-B-32__openai", "nobody"))


def test_a_repository_without_a_model_is_refused(server, fetch):
    server.add("me/notes", {"config.json": b"{}", "pytorch_model.bin": b"1"})
    with pytest.raises(HubError, match=r"me/notes at main of .* holds neither visual/model.onnx and textual/model.onnx \(a CLIP\) nor"):
        fetch(model_name("me/notes"))


@pytest.mark.parametrize("commit", ["../../../evil", "/tmp/evil", "main", "a" * 65, "."])
def test_a_commit_that_is_no_hash_becomes_no_folder(server, fetch, cache, commit):
    """What a hub answers names folders of the cache."""
    server.commits[CLIP.repository, commit] = clip_files()
    server.revisions[CLIP.repository]["main"] = commit
    with pytest.raises(HubError, match="names no commit"):
        fetch()
    assert not [file for file in cache.root.parent.rglob("*") if "evil" in file.name]


def test_an_unreachable_hub_names_the_address_the_ways_out_and_what_is_here(fetch):
    fetch()
    with pytest.raises(HubUnreachableError) as caught:
        fetch(endpoint="http://127.0.0.1:9")
    text = str(caught.value)
    for part in (
        "http://127.0.0.1:9 cannot be reached",
        "HF_ENDPOINT",
        "HTTPS_PROXY",
        "triptych models import FOLDER",
        "ViT-B-32__openai (main)",
    ):
        assert part in text


def test_offline_uses_the_cache_and_nothing_else(server, fetch, monkeypatch):
    fetch()
    server.asked.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert files_of(fetch().cached.folder) == needed(clip_files())
    with pytest.raises(
        NotCachedError, match=r"HF_HUB_OFFLINE is set, and buffalo_l at main is not in the cache. In the cache: ViT-B-32__openai"
    ):
        fetch(FACES)
    assert not server.asked


def test_a_full_disk_is_reported_before_anything_is_fetched(server, fetch, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=200_000))
    with pytest.raises(DiskSpaceError, match=r"ViT-B-32__openai needs 0 MB more, and 0 MB are free in .*TRIPTYCH_CACHE"):
        fetch()
    assert not [asked for asked in server.asked if "/api/" not in asked.path]
    fetch(FACES)


def test_only_what_is_missing_needs_room(server, fetch, monkeypatch):
    server.fault(WEIGHTS, status=503, times=99)
    with pytest.raises(HubError):
        fetch()
    server.faults.clear()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=300_500))
    fetch()


def test_a_disk_that_fills_up_on_the_way_is_said_and_what_came_is_kept(server, fetch, monkeypatch):
    real = pulling.download

    def fills_up(hub, url, target, *rest):
        if target.name == "tokenizer.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(hub, url, target, *rest)

    monkeypatch.setattr(pulling, "download", fills_up)
    with pytest.raises(DiskSpaceError, match="is full; make room and pull again: what has come is kept"):
        fetch()
    monkeypatch.setattr(pulling, "download", real)
    server.asked.clear()
    fetch()
    assert not server.gets("textual/model.onnx")
