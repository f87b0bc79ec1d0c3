"""Triton's log: bounded on disk, and read for the reasons that Triton tells nowhere else."""

import io

from triptych_server.engine.log import TritonLog, load_failures
from triptych_server.engine.readiness import ModelState, not_ready

LINES = [
    'I1121 01:00:00.1 1 server.cc:1] "starting"',
    "E1121 01:00:00.2 1 model.cc:642] \"failed to load 'clip_visual' version 1: Internal: ConfigError: clip_visual has no weights\"",
    "E1121 01:00:00.3 1 model_repository_manager.cc:1460] \"Poll failed for model directory 'search_text': failed to read text proto\"",
]


def test_reasons_are_found_for_failed_loads_and_unreadable_configs():
    assert load_failures(LINES) == {
        "clip_visual": "Internal: ConfigError: clip_visual has no weights",
        "search_text": "failed to read text proto",
    }


def test_the_index_speaks_first_then_the_log():
    index = [
        ModelState("clip_tokenize", "READY", ""),
        ModelState("clip_visual", "UNAVAILABLE", "Internal: ConfigError: no weights\n\nAt:\n  /path/model.py(1): initialize"),
        ModelState("search_text", "", ""),
        ModelState("odd", "", ""),
    ]
    expected = ["clip_tokenize", "clip_visual", "search_text", "odd", "absent"]
    assert not_ready(index, expected, load_failures(LINES)) == {
        "clip_visual": "ConfigError: no weights",
        "search_text": "failed to read text proto",
        "odd": "Triton gives no reason; see its log",
        "absent": "Triton gives no reason; see its log",
    }


def test_the_file_is_bounded_and_the_tail_is_kept(tmp_path):
    log = TritonLog(tmp_path / "logs" / "triton.log", max_bytes=10_000)
    log.follow(io.StringIO("".join(f"line {number} 100%\n" for number in range(5000))))
    log.close()
    assert sum(file.stat().st_size for file in (tmp_path / "logs").iterdir()) <= 20_000
    assert log.tail(2) == ["line 4998 100%", "line 4999 100%"]
    assert (tmp_path / "logs" / "triton.log").read_text().splitlines()[-1] == "line 4999 100%"
