"""benchmark_app's report is read as it was printed, and an incomplete one is not."""

from pathlib import Path

import pytest

from loadtest.benchmark_app import BenchmarkApp

RECORDED = Path(__file__).parent / "recorded"


def test_the_throughput_report_counts_images_not_batches():
    report = BenchmarkApp.parse((RECORDED / "benchmark_app_throughput.txt").read_text())
    assert report == BenchmarkApp(throughput=35.04, latency_ms=884.29, precision="bf16", streams=2)


def test_the_latency_report_gives_the_median_of_one_image():
    report = BenchmarkApp.parse((RECORDED / "benchmark_app_latency.txt").read_text())
    assert (report.latency_ms, report.throughput, report.streams) == (25.60, 38.02, 1)


@pytest.mark.parametrize("missing", ["Throughput", "Median", "INFERENCE_PRECISION_HINT", "NUM_STREAMS"])
def test_a_report_without_a_figure_is_refused(missing):
    lines = (RECORDED / "benchmark_app_latency.txt").read_text().splitlines()
    with pytest.raises(ValueError, match="benchmark_app printed nothing that matches"):
        BenchmarkApp.parse("\n".join(line for line in lines if missing not in line))
