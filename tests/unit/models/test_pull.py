"""Pulling from a hub that runs here: which files come, what is kept, and what every fault of a hub or a disk leads to."""

import errno
import json
import shutil
from types import SimpleNamespace

import pytest

from tests.support.hub import clip_files, clip_v2_files, face_files, running_hub
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
from triptych_server.models.cache import Cache
from triptych_server.models.hub import Hub
from triptych_server.models.model_files import is_needed, is_safe
from triptych_server.models.model_name import model_name
from triptych_server.models.pull import cached_folder, pull

CLIP, FACES = model_name("ViT-B-32__openai"), model_name("buffalo_l")
WEIGHTS = "visual/model.onnx"


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


class Heard:
    """A watcher that writes down what it hears."""

    def __init__(self):
        self.total = self.there = self.came = 0
        self.said = []

    def begin(self, total, there):
        self.total, self.there = total, there

    def advance(self, size):
        self.came += size

    def say(self, sentence):
        self.said.append(sentence)


def files_of(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def needed(files):
    return {path: data for path, data in files.items() if not path.endswith((".armnn", ".rknn", ".md", ".gitattributes"))}


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


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("config.json", True),
        ("visual/model.onnx", True),
        ("visual/model.onnx.data", True),
        ("textual/model.safetensors", True),
        ("textual/sentencepiece.bpe.model", True),
        ("visual/onnx__MatMul_12", True),
        ("visual/model.armnn", False),
        ("visual/rknpu/rk3588/model.rknn", False),
        ("visual/rknpu/rk3588/notes.txt", False),
        ("model.onnx", False),
        ("README.md", False),
        ("visual/.gitattributes", False),
        ("ocr/model.onnx", False),
        ("visual/../../evil.onnx", False),
        ("/visual/model.onnx", False),
        ("visual\\..\\model.onnx", False),
    ],
)
def test_which_files_are_needed(path, wanted):
    assert is_needed(path) is wanted


@pytest.mark.parametrize(("path", "safe"), [("a/b", True), ("../a", False), ("/a", False), ("", False), ("c:/a", False)])
def test_which_paths_stay_inside(path, safe):
    assert is_safe(path) is safe
