"""perf_analyzer's CSV is read by column name; only a program that works, from a wheel that is the expected one, is run."""

import os
import subprocess
from pathlib import Path

import pytest

from triptych_server.benchmark import perf_analyzer, perf_wheel
from triptych_server.benchmark.perf_analyzer import PerfAnalyzer, PerfLoad
from triptych_server.benchmark.perf_report import PerfReport
from triptych_server.errors import ConfigError, EngineError, RuntimeMissingError

RECORDED = Path(__file__).parent / "recorded"
CSV = (RECORDED / "perf_analyzer.csv").read_text()
RATE = (RECORDED / "perf_analyzer_rate.csv").read_text()


def program(folder: Path, script: str) -> Path:
    file = folder / "perf_analyzer"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_a_row_is_read_by_the_names_of_its_columns():
    report = PerfReport.parse(CSV)
    assert (report.level, report.throughput) == (64, 6.7729)
    assert (report.queue_us, report.compute_infer_us, report.network_us) == (815449, 921523, 1700540)
    assert (report.p50_us, report.p99_us) == (3454408, 5253712)


def test_columns_may_come_in_any_order():
    names, figures = (line.split(",") for line in CSV.splitlines())
    turned = "\n".join(",".join(reversed(line)) for line in (names, figures))
    assert PerfReport.parse(turned) == PerfReport.parse(CSV)


def test_a_missing_column_is_named():
    with pytest.raises(EngineError, match="no column p99 latency"):
        PerfReport.parse(CSV.replace("p99 latency", "p98 latency"))


def test_a_csv_without_a_measurement_is_refused():
    with pytest.raises(EngineError, match="has 0 rows"):
        PerfReport.parse(CSV.splitlines()[0])


def test_one_on_the_path_is_used(tmp_path, monkeypatch):
    real = program(tmp_path, "echo 'Perf Analyzer Version 2.50'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert PerfAnalyzer.find(tmp_path / "cache") == PerfAnalyzer(real)


def test_a_placeholder_on_the_path_is_passed_over(tmp_path):
    assert not PerfAnalyzer(program(tmp_path, "exit 0")).version()


def test_a_wheel_that_is_not_the_expected_one_is_removed(tmp_path, monkeypatch):
    def download(command, **_):
        (tmp_path / "cache" / "perf_analyzer" / perf_wheel.WHEEL).write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(perf_analyzer.shutil, "which", lambda _: None)
    monkeypatch.setattr(perf_wheel.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(perf_wheel.subprocess, "run", download)
    with pytest.raises(RuntimeMissingError, match="sha256"):
        PerfAnalyzer.find(tmp_path / "cache")
    assert list((tmp_path / "cache").rglob("*.whl")) == []


def test_the_report_is_taken_from_the_file_the_program_was_told_to_write(tmp_path):
    script = f'while [ "$1" != -f ]; do shift; done\ncat > "$2" <<EOF\n{CSV}EOF'
    report = PerfAnalyzer(program(tmp_path, script)).run("clip_visual", "127.0.0.1:1", concurrency=64, window_ms=1)
    assert report == PerfReport.parse(CSV)


def test_a_failed_run_says_what_the_program_said(tmp_path):
    with pytest.raises(EngineError, match="ended with 99.*no such model"):
        PerfAnalyzer(program(tmp_path, "echo no such model >&2; exit 99")).run("nope", "127.0.0.1:1", concurrency=1, window_ms=1)


def test_windows_that_pass_without_an_answer_are_doubled(tmp_path):
    silent = f'echo "{perf_analyzer.NOTHING_MEASURED}" >&2; exit 3'
    script = f"""
echo "$*" >> {tmp_path}/calls
case "$*" in *"--measurement-interval 400 "*) ;; *) {silent};; esac
while [ "$1" != -f ]; do shift; done
cat > "$2" <<EOF
{CSV}EOF"""
    report = PerfAnalyzer(program(tmp_path, script)).run("clip_visual", "127.0.0.1:1", concurrency=64, window_ms=100)
    assert report == PerfReport.parse(CSV)
    assert len((tmp_path / "calls").read_text().splitlines()) == 3  # 100, 200, 400 ms


def test_a_model_that_never_answers_is_given_up(tmp_path):
    silent = PerfAnalyzer(program(tmp_path, f'echo "{perf_analyzer.NOTHING_MEASURED}" >&2; exit 3'))
    with pytest.raises(EngineError, match="did not answer 64 requests in flight within 1600 ms"):
        silent.run("clip_visual", "127.0.0.1:1", concurrency=64, window_ms=100)


def test_windows_that_do_not_agree_are_taken_again_and_marked(tmp_path):
    script = f"""
echo "$*" >> {tmp_path}/calls
case "$*" in *"--stability-percentage 10 --max-trials 4"*) echo "{perf_analyzer.UNSTABLE}."; exit 2;; esac
while [ "$1" != -f ]; do shift; done
cat > "$2" <<EOF
{RATE}EOF"""
    report = PerfAnalyzer(program(tmp_path, script)).measure(
        "search_image", "127.0.0.1:1", PerfLoad(rate=40, window_ms=1, stability=10, most_windows=4)
    )
    assert (report.level, report.stable, report.throughput) == (40, False, 33.0228)
    assert "--stability-percentage 999" in (tmp_path / "calls").read_text().splitlines()[1]


def test_a_request_rate_is_read_from_its_own_column():
    report = PerfReport.parse(RATE)
    assert (report.level, report.p50_us, report.p90_us, report.p95_us, report.p99_us) == (40, 24892, 84595, 112617, 144304)


@pytest.mark.parametrize(
    "wrong", [{}, {"concurrency": 1, "rate": 1.0}, {"concurrency": 0}, {"rate": -1.0}, {"rate": 1.0, "most_windows": 2}]
)
def test_a_load_is_of_one_kind_and_of_something(wrong):
    with pytest.raises(ConfigError):
        PerfLoad(**wrong)


def test_another_architecture_is_told_where_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setattr(perf_analyzer.shutil, "which", lambda _: None)
    monkeypatch.setattr(perf_wheel.platform, "machine", lambda: "aarch64")
    with pytest.raises(RuntimeMissingError, match="sdk"):
        PerfAnalyzer.find(tmp_path)
