"""Say in Triton's log that a network is still being opened: building TensorRT's engines, or compiling for a GPU, takes minutes."""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import triton_python_backend_utils as pb_utils

EVERY_SECONDS = 20.0


@contextmanager
def told_while_opening(name: str, every: float = EVERY_SECONDS) -> Iterator[None]:
    """Log a line every `every` seconds while the block runs."""
    done, began = threading.Event(), time.monotonic()

    def tell() -> None:
        while not done.wait(every):
            seconds = time.monotonic() - began
            pb_utils.Logger.log_info(f"{name}: still being opened after {seconds:.0f} s")

    teller = threading.Thread(target=tell, name="opening", daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
