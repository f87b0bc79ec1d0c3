"""Bulk work stands back: where cores are short, the threads of a nice process get what the others leave."""

import os

from triptych_server.serving.instance import Instance
from triptych_server.serving.serving_options import ServingOptions


def be_nice(instance: Instance) -> None:
    """Raise this thread's niceness by the model's parameter `nice`; threads that it starts inherit it, so call it before any is.

    Where nobody else wants the cores nothing is slower. A container's share of the machine is not touched. Raises ConfigError for a
    niceness that there is not.
    """
    os.nice(ServingOptions.from_parameters(instance.parameters, instance.model).nice)
