"""`python -m loadtest.chaos`: play the scenarios, print the table; exit with 1 when a promise was broken."""

import argparse
import signal
import sys
from pathlib import Path

from rich.console import Console

from loadtest.chaos.report import print_outcomes, write_outcomes
from loadtest.chaos.run import play
from loadtest.chaos.scenarios import SCENARIOS

RESCUE_AFTER = 60.0
"""Longer than a server on a busy machine takes to be started anew."""


def main() -> None:
    """Play what was chosen."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--short", action="store_true", help="the short form, about half a minute")
    arguments.add_argument("--only", help="scenarios whose names hold this")
    arguments.add_argument("--profile", default="cpu", choices=("cpu", "openvino"))
    arguments.add_argument(
        "--rescue-after", type=float, default=RESCUE_AFTER, help="seconds after which the runner mends what does not heal"
    )
    arguments.add_argument("--json", type=Path, help="a file for the figures")
    options = arguments.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who ends it, ends its server
    chosen = [each for each in SCENARIOS if (each.short or not options.short) and (options.only or "") in each.name]
    console = Console(width=200)
    outcomes = play(chosen, options.profile, options.rescue_after, console)
    print_outcomes(console, outcomes)
    if options.json:
        write_outcomes(options.json, outcomes)
    sys.exit(any(each.broken or each.late for each in outcomes))


if __name__ == "__main__":
    main()
