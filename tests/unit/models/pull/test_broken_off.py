"""Pulls that break off, and files that are damaged or too long: what is there is kept, and what is missing fetched."""

import pytest

from tests.support.hub import clip_files
from tests.support.pulling import CLIP, WEIGHTS, Heard, files_of, needed
from triptych_server.errors import (
    ChecksumError,
    HubError,
)


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server, fetch):
    server.fault("cdn/" + CLIP.repository, cut=100_000, times=2)
    heard = Heard()
    assert files_of(fetch(watcher=heard).cached.folder) == needed(clip_files())
    assert heard.came == heard.total == sum(len(data) for data in needed(clip_files()).values())
    assert [asked.headers.get("range") for asked in server.gets("textual/model.onnx")] == [None, "bytes=100000-"]


def test_an_interrupted_pull_resumes(server, fetch, cache):
    server.fault(f"cdn/.*{WEIGHTS}", stall=120_000)
    server.fault(f"cdn/.*{WEIGHTS}", status=503, times=99)
    with pytest.raises(HubError, match="HTTP 503"):
        fetch(timeout=0.3)
    assert cache.all() == [], "nothing is usable before all of it is"
    server.faults.clear()
    server.asked.clear()
    heard = Heard()
    assert files_of(fetch(watcher=heard).cached.folder) == needed(clip_files())
    assert [asked.headers.get("range") for asked in server.gets()] == ["bytes=120000-"], "the text tower had come before"
    assert heard.there + heard.came == heard.total
    assert heard.came < 190_000
    assert not (cache.home(CLIP) / "partial").exists()


def test_a_server_that_ignores_ranges_sends_it_all_again(server, fetch):
    server.fault(f"cdn/{CLIP.repository}", cut=100_000)
    server.fault(f"cdn/{CLIP.repository}", whole=True)
    heard = Heard()
    assert files_of(fetch(watcher=heard).cached.folder) == needed(clip_files())
    assert heard.came == heard.total


def test_a_partial_file_that_is_too_long_is_fetched_anew(server, fetch, cache):
    partial = cache.home(CLIP) / "partial" / server.revisions[CLIP.repository]["main"] / CLIP.name / WEIGHTS
    partial.parent.mkdir(parents=True)
    partial.write_bytes(bytes(400_000))
    heard = Heard()
    assert files_of(fetch(watcher=heard).cached.folder) == needed(clip_files())


def test_a_partial_file_of_other_bytes_is_found_out_and_the_next_pull_mends_it(server, fetch, cache):
    partial = cache.home(CLIP) / "partial" / server.revisions[CLIP.repository]["main"] / CLIP.name / WEIGHTS
    partial.parent.mkdir(parents=True)
    partial.write_bytes(bytes(1000))
    with pytest.raises(ChecksumError, match=r"visual/model.onnx of immich-app/ViT-B-32__openai arrived damaged"):
        fetch()
    assert files_of(fetch().cached.folder) == needed(clip_files())


@pytest.mark.parametrize("path", [WEIGHTS, "textual/tokenizer.json"])
def test_a_wrong_checksum_leaves_what_was_there(server, fetch, cache, path):
    before = fetch().cached
    server.add(CLIP.repository, clip_files(seed=50) | {"textual/tokenizer.json": b'{"other": true}'})
    for _ in range(2):
        server.fault(f"/{path}" if path != WEIGHTS else f"cdn/{CLIP.repository}", corrupt=True, times=9)
        with pytest.raises(ChecksumError) as caught:
            fetch()
        assert "the cache is as it was; pull again" in str(caught.value)
        server.faults.clear()
    now = cache.find(CLIP, "main")
    assert now.manifest == before.manifest
    assert files_of(now.folder) == needed(clip_files())
    assert (fetch().cached.folder / "textual" / "tokenizer.json").read_bytes() == b'{"other": true}'


def test_damaged_files_are_fetched_anew_with_again(server, fetch):
    cached = fetch().cached
    (cached.folder / WEIGHTS).write_bytes(bytes([7]) + (cached.folder / WEIGHTS).read_bytes()[1:])
    assert fetch().was_there, "sizes are right, and nothing was read"
    server.asked.clear()
    assert files_of(fetch(again=True).cached.folder) == needed(clip_files())
    assert [asked.path.rsplit("/", 2)[1:] for asked in server.gets()] == [["visual", "model.onnx"]]


def test_a_file_that_is_gone_is_fetched_by_the_next_pull(fetch):
    cached = fetch().cached
    (cached.folder / "config.json").unlink()
    assert files_of(fetch().cached.folder) == needed(clip_files())
