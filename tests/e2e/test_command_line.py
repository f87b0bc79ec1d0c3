"""The command line as people use it: serve, status, embed, search, stop; and the demo, which ends by itself."""

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from demo.faces.agreement import agreement
from demo.faces.album import people_photos
from demo.scenes import EVALUATION_SEEDS, caption, draw, sample
from tests.support.serving import CHECKOUT

TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
RUN_OF = "TRIPTYCH_TEST_RUN"


def run(*arguments, timeout=120, **options):
    return subprocess.run([TRIPTYCH, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False, **options)


def left_by(run_of):
    """Processes that a run started, and those that these started: they inherit its environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(RUN_OF) == str(run_of):
                found.append(process)
    return found


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """Six pictures, and a file that is none."""
    folder = tmp_path_factory.mktemp("album")
    scenes = [sample(seed) for seed in EVALUATION_SEEDS[40:46]]
    for index, scene in enumerate(scenes):
        draw(scene, (480, 360)).save(folder / f"{index}.jpg")
    return folder, [caption(scene) for scene in scenes]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """`triptych serve` on free ports; yields its gRPC and metrics addresses, and ends it with SIGTERM."""
    tmp = tmp_path_factory.mktemp("serve")
    repository = CHECKOUT.copy_to(tmp / "repository")
    shutil.copytree(CHECKOUT.demo_weights.parent, repository.demo_weights.parent)
    imported = run("models", "import", "demo", "--repository", repository.root)
    assert imported.returncode == 0, imported.stderr
    arguments = ["serve", "--profile", "auto", "--repository", repository.root, "--log-file", tmp / "triton.log"]
    ports = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
    process = subprocess.Popen([TRIPTYCH, *map(str, arguments), *ports], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        text = ""
        while "/metrics" not in text:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            text += line
        yield re.search(r"grpc://\S+", text)[0], re.search(r"http://\S+/metrics", text)[0]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not list(Path("/dev/shm").glob(f"triptych_*_{process.pid}_*"))


def test_status_shows_every_model_with_its_device(server):
    url, metrics = server
    done = run("status", "--url", url, "--metrics-url", metrics, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == 0, done.stderr
    for model in ("clip_preprocess", "clip_visual", "clip_tokenize", "clip_textual", "search_image", "search_text"):
        assert re.search(rf"{model}\b.*READY", done.stdout, re.I), done.stdout
    assert re.search(r"clip_visual.*CPU.*(bf16|f32)", done.stdout), done.stdout


def test_search_ranks_a_folder_by_a_text(server, album):
    folder, captions = album
    for index in (0, 3):
        done = run("search", captions[index], folder, "--url", server[0], "--json", "--top", "3")
        assert done.returncode == 0, done.stderr
        rows = json.loads(done.stdout) if done.stdout.lstrip().startswith("[") else [json.loads(line) for line in done.stdout.splitlines()]
        assert any(f"{index}.jpg" in str(row) for row in rows[:2]), done.stdout


def test_embed_writes_unit_rows_and_names_bad_files(server, album, tmp_path):
    folder, _ = album
    (tmp_path / "broken.jpg").write_bytes((folder / "0.jpg").read_bytes()[:500])
    done = run("embed", folder / "0.jpg", tmp_path / "broken.jpg", folder / "1.jpg", "--url", server[0], "-o", tmp_path / "out.npy")
    assert done.returncode == 1
    assert "broken.jpg" in done.stderr + done.stdout
    rows = np.load(tmp_path / "out.npy")
    assert rows.shape == (2, 512)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)


def test_a_server_that_is_not_there_is_one_sentence(album):
    done = run("search", "anything", album[0], "--url", "grpc://127.0.0.1:9")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "127.0.0.1:9" in done.stderr


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """`make demo`: what it printed, and the folder that it wrote to."""
    out = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "demo.run", "--profile", "auto", "--out", str(out)]
    environment = {**os.environ, RUN_OF: str(out)}
    done = subprocess.run(command, cwd=CHECKOUT.root, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr, out


def test_the_demo_ends_by_itself_and_draws_a_contact_sheet(demo):
    printed, out = demo
    assert "100/100" in printed
    sheet = np.asarray(Image.open(out / "contact_sheet.png").convert("L"))
    assert sheet.shape[1] > 800
    assert sheet.std() > 20
    assert re.search(r"triptych ui --serve --library \S+library.sqlite \S*demo/out/album \S*demo/out/people\n$", printed)
    assert not left_by(out)


def test_the_demo_finds_the_people_of_its_album_and_shows_them(demo):
    printed, out = demo
    assert "130/130" in printed
    people = re.findall(r"Person \d+\D+(\d+)\D+(\d+)", printed)
    assert len(people) >= 7, printed  # of eight
    sheet = np.asarray(Image.open(out / "people.png").convert("L"))
    assert sheet.shape[0] > 128 * len(people)
    assert sheet.std() > 20


def test_the_demo_knows_again_who_was_drawn(demo):
    with (demo[1] / "people.csv").open(newline="", encoding="utf-8") as file:
        faces = list(csv.DictReader(file))
    heads = {
        photo.name: [(guest.person.seed, guest.x * photo.size[0], guest.y * photo.size[1]) for guest in photo.group.guests]
        for photo in people_photos()
    }
    groups, who = defaultdict(list), []
    for row, face in enumerate(faces):
        x1, y1, x2, y2 = (float(face[edge]) for edge in ("x1", "y1", "x2", "y2"))
        inside = [seed for seed, x, y in heads.get(Path(face["picture"]).name, ()) if x1 < x < x2 and y1 < y < y2]
        who.append(inside[0] if inside else -1 - row)
        groups[face["person"] or f"stranger {row}"].append(row)
    left = Counter(seed for photo in heads.values() for seed, _, _ in photo) - Counter(who)
    found = agreement(list(groups.values()), who, list(left.elements()))
    # All pairs were right, and none was missing, with the weights that this was written for.
    assert found.precision >= 0.9
    assert found.recall >= 0.85


def test_the_demo_takes_photos_of_ones_own_and_skips_what_is_none(tmp_path, album):
    folder, _ = album
    (folder / "notes.jpg").write_text("no picture")
    command = [sys.executable, "-m", "demo.run", "--photos", str(folder), "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=CHECKOUT.root, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "notes.jpg" in done.stdout + done.stderr
    assert (tmp_path / "contact_sheet.png").is_file()
    assert (tmp_path / "people.csv").is_file()
    assert "drawn people" in done.stdout
