"""`triptych bench` on the real Triton with the real perf_analyzer: loads are measured, a report is written; Ctrl-C keeps what there is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.demo import demo_repository
from tests.support.drawn import encode, picture
from tests.support.reports import parsed
from tests.support.serving import serving
from triptych_server.benchmark.perf_analyzer import PerfAnalyzer
from triptych_server.benchmark.photos import MINIMUM
from triptych_server.benchmark.results import Report
from triptych_server.errors import RuntimeMissingError

TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
SHORT = ["--seconds", "0.3", "--stability", "900"]


@pytest.fixture(scope="module")
def perf_analyzer():
    try:
        return PerfAnalyzer.find()
    except RuntimeMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The demo's CLIP."""
    return demo_repository(tmp_path_factory, faces=False)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(MINIMUM):
        (folder / f"{number}.jpg").write_bytes(encode(picture(96 + 8 * number, 96), "jpeg"))
    return str(folder)


def test_a_running_server_is_measured_and_reported(perf_analyzer, repository, photos, tmp_path):
    command = [TRIPTYCH, "bench", "search_image", "clip_visual", "--photos", photos, "--concurrency", "2", "--rate", "40"]
    command += ["--shared-memory", "--runs", "1", *SHORT, "--output", str(tmp_path / "report"), "--repository", str(repository.root)]
    with serving(repository, tmp_path, client_shared_memory=True) as engine:
        place = ["--url", engine.grpc_url, "--metrics-url", engine.metrics_url]
        done = subprocess.run([*command, *place], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    report = Report.load(tmp_path / "report")
    assert {(point.model, point.load) for point in report.points} == {
        *((model, load) for model in ("search_image", "clip_visual") for load in ("2 in flight", "40/s, Poisson")),
        ("clip_visual", "2 in flight, shared memory"),
    }
    for point in report.points:
        assert len(point.runs) == 1, point.problems
        (run,) = point.runs
        assert run.throughput > 0 and 0 < run.p50_ms <= run.p90_ms <= run.p95_ms <= run.p99_ms
        assert run.cpu_ms["tritonserver"] > 0 and run.rss_mib > run.pss_mib > run.shm_mib > 0
        assert run.refused == 0
    images = report.of("search_image", "concurrency")[0].typical.models
    assert {"search_image", "clip_preprocess", "clip_visual"} <= set(images)
    assert images["clip_visual"].compute_ms > 0
    assert {each.network for each in report.agreements} == {"clip_visual"}
    assert all(each.smallest > 0.9999 for each in report.agreements)
    assert {each["precision"] for each in report.facts["devices"]} == {"f32"}
    assert set(report.facts["weights"]) == {"clip_visual"}
    assert report.complete and any("shared memory" in sentence for sentence in report.not_measured)
    parsed((tmp_path / "report" / "report.html").read_text())
    assert len(list((tmp_path / "report").glob("*.png"))) >= 10
    assert not [*Path("/dev/shm").glob("image_*"), *Path("/dev/shm").glob("embedding*")]


def test_ctrl_c_stops_the_server_and_keeps_what_was_measured(perf_analyzer, repository, photos, tmp_path):
    command = [TRIPTYCH, "bench", "search_image", "--photos", photos, "--concurrency", "1,2", "--runs", "50", *SHORT]
    command += ["--output", str(tmp_path / "report"), "--repository", str(repository.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        for line in process.stderr:
            if line.startswith("3/"):
                os.killpg(process.pid, signal.SIGINT)
                break
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    report = Report.load(tmp_path / "report")
    assert not report.complete
    assert 3 <= sum(len(point.runs) for point in report.points) < 6
    assert "Incomplete" in (tmp_path / "report" / "report.html").read_text()
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(repository.root) not in running
