"""`triptych tune`: search this machine's best config of a model or an ensemble, and write it as a profile of its own."""

import datetime
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from triptych.cli.console import err, out
from triptych.cli.server_side import server_side

if TYPE_CHECKING:
    from triptych_server.tuning.search import Tried
    from triptych_server.tuning.tune import Tuned, TuneOptions


def tune(
    target: Annotated[str, typer.Argument(help="A network, or an ensemble with all that is below it: search_image, faces, clip_visual.")],
    profile: Annotated[str, typer.Option(help="The profile to start from.")] = "cpu",
    objective: Annotated[str, typer.Option(help="throughput, latency or memory.")] = "throughput",
    p95: Annotated[float | None, typer.Option(help="Milliseconds that 95 % of the answers must take at most.", show_default=False)] = None,
    in_flight: Annotated[int | None, typer.Option(min=1, help="Requests at a time.", show_default="16; 1 for latency")] = None,
    trials: Annotated[int, typer.Option(min=1, help="Points to try, those of an earlier search of the same included.")] = 30,
    runs: Annotated[int, typer.Option(min=1, help="Measurements of each point; the median counts.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.2, help="Length of one measurement.")] = 4.0,
    name: Annotated[str, typer.Option(help="What the config is called: `triptych serve --profile NAME`.")] = "tuned",
    precision: Annotated[
        list[str] | None, typer.Option(help="Precisions that may be tried (f32, bf16, f16): they change the answers.", show_default=False)
    ] = None,
    photos: Annotated[Path | None, typer.Option(help="A folder of JPEGs to send; drawn ones without it.", show_default=False)] = None,
    repository: Annotated[Path | None, typer.Option(help="Folder with model_repository, python_models, ensembles.")] = None,
) -> None:
    """Try configs on a Triton of its own, choose the best under the limits, compare it with the profile, and write it as
    configs/NAME.pbtxt. Ctrl-C keeps what was measured: the same command goes on from there."""
    with server_side():
        from triptych_server.benchmark.diagnosis.figures import BUSY
        from triptych_server.benchmark.photos import own_photos
        from triptych_server.configs.profiles import profile_names
        from triptych_server.hardware.recommend import AUTO, recommended_profile
        from triptych_server.repository import Repository
        from triptych_server.tuning.goal import Goal
        from triptych_server.tuning.load import Load
        from triptych_server.tuning.tune import TuneOptions, write_tuned
        from triptych_server.tuning.tune import tune as search

        place = Repository.locate(repository)
        options = TuneOptions(
            place,
            target,
            recommended_profile(profile_names(place)) if profile == AUTO else profile,
            Goal(objective, p95),  # type: ignore[arg-type]
            Load(in_flight or (1 if objective == "latency" else 16), seconds),
            trials,
            runs,
            name,
            len(os.sched_getaffinity(0)),
            tuple(precision or ()),
            own_photos(photos) if photos else (),
        )
        try:
            found = search(options, _say, _progress)
        except KeyboardInterrupt:
            _say("interrupted; every point that was measured is kept: the same command goes on from there")
            raise
        if found.others_share > BUSY:
            share = f"{found.others_share:.0%}"
            _say(f"other processes took up to {share} of this machine meanwhile, and figures show it: tune on when it is quiet")
        report = _report(options, found)
        if found.best is None:
            typer.echo(f"no point is better than the profile {profile} under these limits for certain; nothing was written ({report})")
            return
        files = write_tuned(options, found, _title(options, found))
    _print(found)
    typer.echo(
        f"{_gain(found)} times as good as the profile in {objective}; written to {len(files)} files as {name}: "
        f"triptych serve --profile {name}"
    )
    typer.echo(f"all points: {report}")


def _say(sentence: str) -> None:
    err().print(sentence, markup=False, soft_wrap=True)


def _progress(number: int, tried: "Tried") -> None:
    point = ", ".join(f"{key}={value}" for key, value in tried.point.items())
    score = tried.score
    came = f"{score.throughput:.1f}/s, p95 {score.p95_ms:.0f} ms, {score.memory_mib:.0f} MiB" if score else f"no figures: {tried.reason}"
    _say(f"{number}: {came} ({point})")


def _title(options: "TuneOptions", found: "Tuned") -> str:
    from triptych_server.hardware.cpu import probe_cpu
    from triptych_server.hardware.tree import Tree

    cpu = probe_cpu(Tree())
    gain = f"{_gain(found)} times as good as {options.profile} in {options.goal.objective}, {options.load.in_flight} in flight"
    return f"`triptych tune {options.target}` on {cpu.name or 'this machine'}, {datetime.date.today().isoformat()}: {gain}."


def _report(options: "TuneOptions", found: "Tuned") -> Path:
    """Write every point as JSON, and the picture beside it."""
    from triptych_server.repository_lock import FOLDER
    from triptych_server.tuning.plot import draw

    file = options.repository.root / FOLDER / "tuning" / f"{options.name}.json"
    title = f"{options.target}, profile {options.profile}, {options.load.in_flight} in flight"
    draw(file.with_suffix(".png"), title, found.profile, found.tried, found.best, options.goal)
    content = {
        "target": options.target,
        "profile": options.profile,
        "goal": asdict(options.goal),
        "load": asdict(options.load),
        "gain": found.gain,
        "gains": found.gains,
        "comparison": [{"best": asdict(one), "profile": asdict(other)} for one, other in found.turns],
        "left_alone": found.left_alone,
        "others_share": found.others_share,
        "knobs": sorted({knob for each in found.tried for knob in each.point}),
        "score_of_profile": asdict(found.profile),
        "best": asdict(found.best) if found.best else None,
        "points": [asdict(each) for each in found.tried],
    }
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return file


def _gain(found: "Tuned") -> str:
    """The middle of the turns' gains, with the range where there are several."""
    spread = f" ({min(found.gains):.2f} to {max(found.gains):.2f})" if len(found.gains) > 1 else ""
    return f"{found.gain:.2f}{spread}"


def _print(found: "Tuned") -> None:
    """What the best point turns."""
    assert found.best is not None
    table = Table("knob", "value", box=None)
    for knob, value in sorted(found.best.point.items()):
        table.add_row(knob, str(value))
    out().print(table)
