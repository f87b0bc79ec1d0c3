"""Rules about the load as a whole: what else ran, the client, full queues."""

from collections.abc import Iterator

from triptych_server.benchmark.diagnosis.figures import Figures
from triptych_server.benchmark.diagnosis.rules.finding import BUSY_CLIENT, Finding


def other_processes(figures: Figures) -> Iterator[Finding]:
    """Something else ran."""
    if not figures.is_quiet:
        yield Finding(
            "other_processes",
            f"Other processes took up to {figures.others_share:.0%} of this machine: trust the CPU times only. Speeds are not judged; "
            "measure again when it is quiet.",
        )


def client_bound(figures: Figures) -> Iterator[Finding]:
    """The client is the bottleneck."""
    if figures.many.client_share > BUSY_CLIENT:
        yield Finding(
            "client_bound",
            f"The client used {figures.many.client_share:.2f} of the one core that it can use: the server may be faster than what is seen "
            "here. Send from several processes (locust --processes), and in your own client from several threads or processes.",
        )


def refused(figures: Figures) -> Iterator[Finding]:
    """A queue is full."""
    if figures.many.refused:
        yield Finding(
            "refused",
            f"{figures.many.refused:.0%} of the requests were refused with {figures.many.in_flight} in flight, for a queue was full: "
            "send fewer at a time, or raise max_waiting of the model whose queue it is.",
        )
