"""Reports as `triptych bench` writes them, made of given figures; and a parser that shows whether a page is well formed and alone."""

import re
from xml.etree import ElementTree

from triptych_server.benchmark.results import Agreement, Point, Report, Run
from triptych_server.benchmark.triton_stats import ModelUse

FACTS = {
    "begun": "2026-01-02T03:04:05+00:00",
    "seconds": 60,
    "machine": {"cpu": "A CPU", "cores": 2, "flags": ["avx2"], "memory_gib": 8.0, "system": "Linux", "load_before": 0.1},
    "versions": {"python": "3.11", "commit": "abc"},
    "profile": "cpu",
    "url": None,
    "corpus": {"source": "drawn pictures", "photos": 12, "mean_bytes": 200_000, "digest": "d1"},
    "devices": [{"model": "clip_visual", "requested": "CPU", "actual": "CPU", "precision": "f32"}],
    "weights": {"clip_visual": "w1"},
    "plan": {"seconds": 2.0, "stability": 10.0},
    "method": "three runs",
}


def run(throughput=100.0, latency=10.0, stable=True, cpu=8.0):
    """One measurement."""
    models = {"clip_visual": ModelUse(50, 2.0, 1.5, 6.0), "search_image": ModelUse(50, 0.0, 0.0, 9.0)}
    return Run(
        throughput,
        latency,
        1.5 * latency,
        2 * latency,
        3 * latency,
        stable,
        0,
        models,
        {"clip_visual": cpu, "perf_analyzer": 1.0},
        0.1,
        0.0,
        900.0,
        500.0,
        40.0,
    )


def report(points=None, **facts):
    """Two loads of three runs, where no other points are given."""
    points = points or [
        Point("search_image", "concurrency", 1, runs=(run(99), run(100), run(101))),
        Point("search_image", "concurrency", 4, runs=(run(198, 20), run(200, 20.5), run(202, 21, stable=False))),
        Point("search_image", "rate", 10.0, problems=("shed: 3 requests <turned> away",)),
    ]
    return Report({**FACTS, **facts}, tuple(points), (Agreement("clip_visual", 8, 0.9999, 0.99995),), ("GPU <use>.",))


def parsed(page):
    """The page as a tree; fails where it is not well formed XML. Asserts that ids are unique and nothing is fetched from elsewhere."""
    tree = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for element in tree.iter():
        assert element.tag.rsplit("}")[-1] not in {"script", "link", "iframe", "object", "embed", "img"}
        for name, value in element.attrib.items():
            if name.rsplit("}")[-1] in {"href", "src", "srcset", "data", "action"}:
                assert value.startswith(("#", "data:")), value
    assert not re.search(r"@import|url\((?!#)", page)
    return tree
