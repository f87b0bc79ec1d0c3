"""The labels of an instance's own metrics."""

import os

from triptych_server.serving.instance import Instance


def metric_labels(instance: Instance) -> dict[str, str]:
    """Labels that no other instance has, not even the one that takes its place: while both live, Triton would give them one counter, and
    free it under the later one when the earlier goes."""
    return {"model": instance.model, "instance": instance.name, "pid": str(os.getpid())}
