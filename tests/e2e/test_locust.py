"""Locust against the real Triton: mixed traffic over both protocols and several processes, gates, and requests that are shed."""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from loadtest.slo import EXIT_MISSED
from tests.support.demo import demo_repository
from tests.support.drawn import encode, picture
from tests.support.serving import CHECKOUT, serving
from triptych_server.configs.read import read_config, render_config

LOCUST = [sys.executable, "-m", "locust", "-f", str(CHECKOUT.root / "loadtest" / "locustfile.py"), "--headless", "--only-summary"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for index in range(12):
        (folder / f"{index}.jpg").write_bytes(encode(picture(320 + index, 240), "jpeg"))
    return folder


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """The demo's models; a queue of one picture."""
    tmp = tmp_path_factory.mktemp("locust")
    repository = demo_repository(tmp_path_factory)
    file = repository.model("clip_preprocess") / "config.pbtxt"
    config = read_config(file)
    config.parameters["max_waiting"].string_value = "1"
    config.max_batch_size = 16
    file.write_text(render_config(config))
    with serving(repository, tmp) as engine:
        yield engine


def locust(url, photos: Path, *arguments):
    """Run it to its end: exit code, rows by kind and method, and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*LOCUST, "--host", url, "--photos", str(photos), "-t", "5s", "--csv", f"{folder}/run", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=CHECKOUT.root)
        file = Path(folder) / "run_stats.csv"
        table = list(csv.DictReader(file.open())) if file.exists() else []
    rows = {(row["Name"], row["Type"]): (int(row["Request Count"]), int(row["Failure Count"])) for row in table if row["Type"]}
    return done.returncode, rows, done.stderr


def test_mixed_traffic_over_grpc_in_several_processes(engine, photos):
    code, rows, said = locust(
        engine.grpc_url,
        photos,
        "-u",
        "4",
        "-r",
        "4",
        "--images",
        "1",
        "--faces",
        "2",
        "--texts",
        "1",
        "--processes",
        "2",
        "--slo",
        "p95=60000",
    )
    assert code == 0, said
    assert {name for name, method in rows if method == "gRPC"} == {"search_image", "faces", "search_text"}
    assert all(requests > 0 and not failures for requests, failures in rows.values())


def test_a_gate_that_is_missed_is_the_exit_code(engine, photos):
    code, rows, said = locust(
        engine.http_url, photos, "-u", "1", "--images", "0", "--faces", "1", "--texts", "0", "--slo", "faces:p50=0.01"
    )
    assert code == EXIT_MISSED
    assert "SLO missed: faces: p50 is" in said
    assert set(rows) == {("faces", "HTTP")}


def test_shed_requests_are_counted_apart(engine, photos):
    code, rows, said = locust(
        engine.grpc_url, photos, "-u", "24", "-r", "24", "--images", "1", "--faces", "0", "--texts", "0", "--slo", "shed=0.001"
    )
    assert code == EXIT_MISSED
    assert "% were shed, over 0.1 %" in said
    shed, (answered, failed) = rows["search_image", "shed"], rows["search_image", "gRPC"]
    assert shed[0] > 0 and answered > 0 and not failed


def test_a_wrong_gate_is_told_at_once(engine, photos):
    code, _, said = locust(engine.grpc_url, photos, "-u", "1", "--slo", "p95")
    assert code == 2
    assert "--slo is 'p95'; expected [KIND:]pNN=MILLISECONDS" in said
