"""Pages hold every figure, escape what they are given, are well formed, and need nothing from outside."""

import json
from dataclasses import replace

from tests.support.reports import parsed, report
from triptych_server.benchmark.compare import LABELS, compare
from triptych_server.benchmark.page import render, write_report
from triptych_server.benchmark.results import Report


def text(tree):
    return " ".join(" ".join(tree.itertext()).split())


def test_a_report_is_written_as_json_page_and_pictures(tmp_path):
    page = write_report(report(), tmp_path)
    tree = parsed(page.read_text())
    shown = text(tree)
    for figure in (
        "A CPU, 2 cores",
        "avx2",
        "99 to 101",
        "1 of 3 not",
        "0.999900",
        "shed: 3 requests <turned> away",
        "GPU <use>.",
        "digest d1",
    ):
        assert figure in shown
    svgs = [element for element in tree.iter() if element.tag.endswith("}svg")]
    pictures = sorted(file.name for file in tmp_path.glob("*.png"))
    assert len(svgs) == len(pictures) == 5
    assert all(svg.get("aria-label") and svg.get("role") == "img" for svg in svgs)
    assert "#010203" not in page.read_text() and "currentColor" in page.read_text()
    assert Report.load(tmp_path) == Report.load(tmp_path / "report.json") == report()


def test_an_interrupted_report_says_so():
    for complete in (True, False):
        page = render("report.html.j2", {"report": replace(report(), complete=complete), "drawn": {}, "busy": 0.0})
        assert ("Incomplete" in text(parsed(page))) is not complete


def test_names_from_outside_cannot_become_markup():
    evil = "<script>alert(1)</script>"
    made = report(corpus={"source": evil, "photos": 1, "mean_bytes": 1, "digest": '"><b>'})
    page = render("report.html.j2", {"report": made, "drawn": {}, "busy": 0.5})
    assert evil not in page
    assert evil in text(parsed(page))


def test_without_a_server_process_the_page_does_without_cpu_and_memory(tmp_path):
    points = [
        replace(point, runs=tuple(replace(run, cpu_ms={}, rss_mib=None, pss_mib=None, shm_mib=None) for run in point.runs))
        for point in report().points
    ]
    parsed(write_report(report(points), tmp_path).read_text())
    assert not list(tmp_path.glob("*-cpu.png"))


def test_a_comparison_is_a_page():
    found = compare(
        report(),
        report(versions={"python": "3.12", "commit": "<def>"}, corpus={"source": "x", "photos": 1, "mean_bytes": 1, "digest": "d2"}),
    )
    shown = text(parsed(render("comparison.html.j2", {"comparison": found, "names": ("a", "<b>"), "labels": LABELS})))
    for words in ("another corpus: d1 and d2", "commit: abc and <def>", "<b> against a", "within the spread"):
        assert words in shown


def test_json_is_plain(tmp_path):
    saved = json.loads(report().save(tmp_path).read_text())
    assert saved["points"][0]["runs"][0]["models"]["clip_visual"]["queue_ms"] == 1.5


def test_an_ensemble_has_no_row_beside_its_steps_but_a_network_alone_has():
    point = report().points[0]
    assert (point.model, set(point.parts)) == ("search_image", {"clip_visual"})
    alone = replace(point, model="clip_visual", runs=(replace(point.runs[0], models={"clip_visual": point.runs[0].models["clip_visual"]}),))
    assert set(alone.parts) == {"clip_visual"}
