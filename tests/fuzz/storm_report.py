"""What a storm did -> the lines that tell it, and what of it must not be."""

from collections.abc import Iterator

import numpy as np

from tests.fuzz.storm import Outcome

MOST_DIFFERENCE = 1e-5
"""Of a number of a unit vector: batches of other sizes round differently."""
FILLED = 2000
"""Pictures after which allocators and caches hold what they will."""
MOST_GROWTH_MIB, MOST_FILLING_MIB = 250, 600
"""From the second quarter's median to the last one's, in runs of at least FILLED pictures and in shorter ones."""


def growth(outcome: Outcome) -> float:
    """MiB from the second quarter's median to the last one's."""
    used = [mib for _, mib in outcome.memory]
    quarter = max(1, len(used) // 4)
    return float(np.median(used[-quarter:]) - np.median(used[quarter : 2 * quarter] or used))


def lines(outcome: Outcome, seconds: float) -> Iterator[str]:
    """For people."""
    sent = sum(outcome.statuses.values())
    yield f"{sent:,} mutated pictures in {seconds:,.0f} s, the slowest answer after {outcome.slowest:.2f} s"
    for (whom, status), count in sorted(outcome.statuses.items()):
        yield f"  {whom} {status}: {count:,}"
    yield f"{outcome.good:,} good ones between them, {outcome.equal:,} equal to the bit, the worst {outcome.worst:.1e} off"
    counts, used = zip(*outcome.memory, strict=True)
    half = len(used) // 2
    slope = np.polyfit(counts[half:], used[half:], 1)[0] * 1000 if len(used) - half > 1 else 0.0
    yield f"memory {used[0]:,.0f} MiB at first, {max(used):,.0f} at most, {used[-1]:,.0f} at last; {growth(outcome):+.0f} MiB from the second"
    yield f"  quarter to the last, {slope:+.1f} MiB per 1,000 pictures in the second half; {outcome.logged:,} bytes of log"


def broken(outcome: Outcome) -> list[str]:
    """What must not be; empty where all is well."""
    found = outcome.failures[:20]
    if outcome.worst > MOST_DIFFERENCE:
        found.append(f"a good picture's answer is {outcome.worst:.1e} off; expected {MOST_DIFFERENCE:.0e} at most")
    most = MOST_GROWTH_MIB if outcome.memory[-1][0] >= FILLED else MOST_FILLING_MIB
    if (grown := growth(outcome)) > most:
        found.append(f"memory grew by {grown:.0f} MiB; expected {most} at most")
    return found
