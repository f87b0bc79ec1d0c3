"""`make fuzz`: each target for some time, in turn; what breaks a property is saved under .cache/fuzz/<target>/findings, and named."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.target import NAMES, Target, load, regressions

CACHE = Path(".cache/fuzz")
HANG_SECONDS = 20
_DONE = re.compile(r"^Done (\d+) runs in (\d+) second", re.MULTILINE)
_COVERED = re.compile(r"\bcov: (\d+)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(NAMES)}; all of them where none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    given = parser.parse_args()
    if unknown := set(given.targets) - set(NAMES):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    found = [file for name in given.targets or NAMES for file in fuzz(name, given.seconds)]
    return 1 if found else 0


def fuzz(name: str, seconds: int) -> list[Path]:
    """Run one target; its findings, new and old. What was learned is kept for the next run."""
    target, folder = load(name), CACHE / name
    corpus, seeds, findings = (folder / part for part in ("corpus", "seeds", "findings"))
    for each in (corpus, seeds, findings):
        each.mkdir(parents=True, exist_ok=True)
    _write_seeds(name, target, seeds)
    options = {
        "max_total_time": seconds,
        "max_len": target.max_length,
        "rss_limit_mb": target.memory_mib,
        "timeout": HANG_SECONDS,
        "artifact_prefix": f"{findings}/",
        "print_final_stats": 0,
    }
    command = [sys.executable, "-m", "tests.fuzz.drive", name, str(findings), *(f"-{key}={value}" for key, value in options.items())]
    log = folder / "log.txt"
    # It is ended by its own clock, or by libFuzzer at a hang: at once, so that it cannot remove its temporary files.
    with log.open("wb") as output, tempfile.TemporaryDirectory() as temporary:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": temporary}
        code = subprocess.run([*command, str(corpus), str(seeds)], stdout=output, stderr=output, env=environment, check=False).returncode
    return _told(name, code, log, findings)


def _write_seeds(name: str, target: Target, seeds: Path) -> None:
    for index, data in enumerate(target.seeds()):
        (seeds / f"{index:03}").write_bytes(data[: target.max_length])
    for file in regressions(name):
        (seeds / file.name).write_bytes(file.read_bytes())


def _told(name: str, code: int, log: Path, findings: Path) -> list[Path]:
    text = log.read_text(errors="replace")
    done, covered = _DONE.search(text), _COVERED.findall(text)
    runs = f"{int(done[1]):,} runs in {done[2]} s" if done else f"ended with status {code} before its time, see {log}"
    print(f"{name}: {runs}, {covered[-1] if covered else 0} edges covered", flush=True)
    files = sorted(file for file in findings.iterdir() if file.suffix != ".txt")
    for file in files:
        print(f"  {file}", flush=True)
    return files or ([] if done and code == 0 else [log])


if __name__ == "__main__":
    sys.exit(main())
