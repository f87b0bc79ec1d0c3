"""Reports as pages: Jinja2 templates with everything escaped, styles and pictures inside, nothing fetched from anywhere."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from triptych_server.benchmark.results import Point, Report
from triptych_server.errors import RuntimeMissingError

TEMPLATES = Path(__file__).parent / "templates"
PAGE = "report.html"
BUSY = 0.05
DPI = 130


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture in the page, and the name of its PNG beside it."""

    title: str
    words: str
    svg: Any
    png: str


def check_tools() -> None:
    """RuntimeMissingError where Matplotlib or Jinja2 is missing: before an hour of measuring, not after it."""
    missing = [name for name in ("matplotlib", "jinja2") if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeMissingError(f"{' and '.join(missing)} is not installed, which the report is made with: pip install 'triptych[bench]'")


def write_report(report: Report, folder: Path) -> Path:
    """report.json, report.html and a PNG of each picture; returns the page. RuntimeMissingError where a tool is missing; the JSON is
    written all the same."""
    folder.mkdir(parents=True, exist_ok=True)
    report.save(folder)
    check_tools()
    from triptych_server.benchmark.plots import pictures
    from triptych_server.benchmark.svg import inline_svg

    drawn: dict[str, list[Drawn]] = {}
    for model in report.models:
        for picture in pictures(report, model):
            png = folder / f"{picture.name}.png"
            picture.figure.savefig(png, dpi=DPI, facecolor="white")
            svg = inline_svg(picture.figure, picture.name, picture.words)
            drawn.setdefault(model, []).append(Drawn(picture.title, picture.words, svg, png.name))
    page = folder / PAGE
    page.write_text(render("report.html.j2", {"report": report, "drawn": drawn, "busy": _busiest(report.points)}), encoding="utf-8")
    return page


def render(template: str, content: Mapping[str, Any], folders: Sequence[Path] = ()) -> str:
    """A page from a template of ours, or of `folders`, which may extend ours."""
    check_tools()
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader([*folders, TEMPLATES])
    environment = Environment(autoescape=True, loader=loader, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters |= {"figure": figure, "spread": spread, "median": median}
    return environment.get_template(template).render(content)


def figure(value: float) -> str:
    """Three digits that say something, without an exponent."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    """From the lowest to the highest; empty for one alone."""
    return f"{figure(min(values))} to {figure(max(values))}" if len(values) > 1 else ""


def _busiest(points: Sequence[Point]) -> float:
    """The largest share of the machine that other processes took, where it is too much to be left out."""
    share = max((run.others_share or 0.0 for point in points for run in point.runs), default=0.0)
    return share if share > BUSY else 0.0
