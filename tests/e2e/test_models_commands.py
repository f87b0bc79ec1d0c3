"""`triptych models` as people use it: choose, pull (twice at once, killed on the way), verify, import, remove; with a hub of our own."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.hub import clip_files, face_files, hub_environment, noise, running_hub
from tests.support.serving import CHECKOUT
from triptych_server.sessions.engine_cache import graph_name

TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
NAME = "ViT-B-32__openai"
REPOSITORY = f"immich-app/{NAME}"


@pytest.fixture
def server():
    with running_hub() as hub:
        yield hub


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def triptych(server, cache):
    """Run the program to its end; `start` is the same without waiting."""

    def start(*arguments, **environment):
        return subprocess.Popen(
            [TRIPTYCH, "models", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=hub_environment(server, cache, **environment),
        )

    def run(*arguments, **environment):
        process = start(*arguments, **environment)
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    run.start = start
    return run


def test_the_list_helps_to_choose(triptych):
    done = triptych("list", "--language", "German", "--max-memory", "3100")
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert rows[0].split() == ["model", "dim", "px", "%", "MiB", "MB", "lang", "licence"]
    assert rows[1].split()[:4] == ["ViT-L-16-SigLIP2-384__webli", "1024", "384", "86.6"]
    assert "German" in done.stderr
    models = json.loads(triptych("list", "--json").stdout)
    assert len(models) == 62
    assert {"name", "dim", "licence", "memory_about_mib", "disk_mb", "recall", "installed"} <= models[0].keys()
    assert json.loads(triptych("list", "--task", "faces", "--json").stdout)[0]["name"] == "buffalo_l"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--task", "ocr"], "--task ocr: expected clip or faces"),
        (["list", "--language", "!"], "is no language"),
        (["list", "--dim", "7"], "no model meets all of this"),
        (["show", "ViT-B-32"], "did you mean ViT-B-32__openai"),
        (["show", "me/mine"], "neither in the catalogue nor in the cache"),
        (["pull", "nothing"], "the catalogue has no model 'nothing'"),
        (["verify", "buffalo_l"], "buffalo_l not in the cache"),
        (["remove", "buffalo_l", "--yes"], "buffalo_l is not in the cache"),
        (["pull", "buffalo_l", "--revision", "v9"], "has no repository immich-app/buffalo_l"),
    ],
)
def test_mistakes_are_sentences(triptych, arguments, words):
    done = triptych(*arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.startswith(("triptych: ", "licence of the weights: "))


def test_pull_show_verify_remove(server, triptych, cache):
    server.add(REPOSITORY, clip_files())
    server.add("immich-app/buffalo_l", face_files())
    pulled = triptych("pull", "ViT-B-32::openai")
    assert pulled.returncode == 0, pulled.stderr
    assert "pulled and checked" in pulled.stdout
    assert pulled.stderr == ""
    assert "was here already" in triptych("pull", NAME).stdout
    assert "for non-commercial research only" in triptych("pull", "buffalo_l").stderr

    installed = json.loads(triptych("list", "--installed", "--json").stdout)
    assert [model["name"] for model in installed] == [NAME, "buffalo_l"]
    shown = triptych("show", NAME)
    commit = server.revisions[REPOSITORY]["main"]
    assert f"main = {commit[:12]} of {REPOSITORY}" in shown.stdout
    facts = json.loads(triptych("show", NAME, "--json").stdout)
    folder = Path(facts["installed"][0]["folder"])
    assert (folder / "visual" / "model.onnx").read_bytes() == clip_files()["visual/model.onnx"]

    assert triptych("verify").returncode == 0
    weights = bytearray((folder / "visual" / "model.onnx").read_bytes())
    weights[77] ^= 1
    (folder / "visual" / "model.onnx").write_bytes(weights)
    damaged = triptych("verify", NAME)
    assert damaged.returncode == 1
    assert "visual/model.onnx has changed" in damaged.stdout
    assert f"`triptych models pull {NAME} --revision main --again`" in damaged.stderr
    assert triptych("pull", NAME, "--again").returncode == 0
    assert triptych("verify").returncode == 0

    assert triptych("remove", NAME).returncode == 1, "nobody answered the question"
    assert folder.is_dir()
    assert triptych("remove", NAME, "--yes").returncode == 0
    assert not folder.exists()
    assert [model["name"] for model in json.loads(triptych("list", "--installed", "--json").stdout)] == ["buffalo_l"]


def test_removing_the_served_model_says_so(server, triptych, tmp_path):
    commit = server.add(REPOSITORY, clip_files())
    triptych("pull", NAME)
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    names = {"clip": {"repository": REPOSITORY, "revision": "main", "commit": commit, "legacy_resize": True}}
    (repository.root / "served.json").write_text(json.dumps(names))
    shown = triptych("show", NAME, "--repository", repository.root).stdout
    assert f"served        main = {commit[:12]}; resized as Immich did up to 3.2" in shown
    graph = repository.model("clip_visual") / "1" / "model.onnx"
    graph.write_bytes(b"served")
    engines = tmp_path / "xdg" / "triptych" / "engines" / "tensorrt-10.13.2" / "gpu"
    for name in (graph_name("clip_visual", graph), "clip_visual-0123456789ab"):
        (engines / name).mkdir(parents=True)
        (engines / name / "net.engine").write_bytes(bytes(3_000_000))
    done = triptych("remove", NAME, "--yes", "--repository", repository.root)
    assert done.returncode == 0
    assert "is the model that is served" in done.stderr
    assert "is deleted, and 3 MB of compiled engines of models not served now" in done.stdout
    assert [folder.name for folder in engines.iterdir()] == [graph_name("clip_visual", graph)]


def test_a_pull_that_is_killed_goes_on_where_it_was(server, triptych, cache):
    server.add(REPOSITORY, clip_files(size=3_000_000))
    server.pace = 0.02
    process = triptych.start("pull", NAME)
    try:
        partial = wait_for(lambda: [file for file in cache.rglob("partial/*/*/visual/model.onnx") if file.stat().st_size > 300_000])[0]
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    there = partial.stat().st_size
    assert there < 3_000_000
    assert json.loads(triptych("list", "--installed", "--json").stdout) == []
    server.pace = 0
    server.asked.clear()
    done = triptych("pull", NAME)
    assert done.returncode == 0, done.stderr
    assert [asked.headers.get("range") for asked in server.gets()] == [f"bytes={there}-"]
    assert triptych("verify").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_ends_with_130_and_lets_go_of_the_lock(number, server, triptych, cache):
    server.add(REPOSITORY, clip_files(size=3_000_000))
    server.pace = 0.05
    process = triptych.start("pull", NAME)
    try:
        wait_for(lambda: list(cache.rglob("partial/*/*/*/model.onnx")))
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err
    server.pace = 0
    assert triptych("pull", NAME).returncode == 0


def test_two_pulls_at_once_fetch_once(server, triptych):
    server.add(REPOSITORY, clip_files(size=2_000_000))
    server.pace = 0.03
    both = [triptych.start("pull", NAME) for _ in range(2)]
    results = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    assert sorted("pulled and checked" in out for out, _ in results) == [False, True]
    assert sum("another process is pulling or removing ViT-B-32__openai" in err for _, err in results) == 1
    assert len(server.gets("visual/model.onnx")) == 1
    assert triptych("verify").returncode == 0


def test_offline_and_unreachable(server, triptych):
    server.add(REPOSITORY, clip_files())
    triptych("pull", NAME)
    assert triptych("pull", NAME, HF_HUB_OFFLINE="1").returncode == 0
    done = triptych("pull", "buffalo_l", HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert "HF_HUB_OFFLINE is set, and buffalo_l at main is not in the cache" in done.stderr
    done = triptych("pull", "buffalo_l", HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr
    assert f"In the cache: {NAME} (main)" in done.stderr
    for command in ("list", "show", "verify"):
        arguments = [command, NAME] if command == "show" else [command]
        assert triptych(*arguments, HF_ENDPOINT="http://127.0.0.1:9").returncode == 0


def test_a_token_comes_from_the_environment(server, triptych):
    server.add(REPOSITORY, clip_files())
    server.tokens[REPOSITORY] = "hf_good"
    assert triptych("pull", NAME).returncode == 1
    assert triptych("pull", NAME, HF_TOKEN="hf_good").returncode == 0


def test_a_pulled_model_can_be_imported(server, triptych, tmp_path):
    """The demo's CLIP, as a hub has it, with other runtimes' files beside it."""
    server.add("me/demo", CHECKOUT.demo_weights)
    commit = server.revisions["me/demo"]["main"]
    server.commits["me/demo", commit]["visual/model.armnn"] = noise(1, 100)
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    done = triptych("pull", "me/demo")
    assert done.returncode == 0, done.stderr
    folder = done.stdout.rsplit(": ", 1)[1].strip()
    done = triptych("import", folder, "--repository", repository.root)
    assert done.returncode == 0, done.stderr
    assert repository.missing_weights("clip_visual", "clip_textual", "clip_tokenize") == []
    listed = json.loads(triptych("list", "--installed", "--json").stdout)
    assert [model["name"] for model in listed] == ["me/demo"]
    assert triptych("show", "me/demo").returncode == 0


def wait_for(found, seconds=30):
    until = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)
    return result
