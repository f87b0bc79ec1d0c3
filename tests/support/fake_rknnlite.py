"""Stands in for `rknnlite.api` alone, as no NPU is here: a network of one output that doubles, and every way in which the real one fails."""

import threading
import time
from pathlib import Path
from typing import ClassVar

import numpy as np

SDK = """==============================================
RKNN VERSION:
  API: 2.5.0 (429f97ae6b@2026-01-09T09:09:27)
  DRV: rknn_server: 0.0.0
  DRV: rknn driver version 0.9.8
=============================================="""


class RKNNLite:
    """`fails` says what goes wrong: a step's name to what it returns, or an exception that it raises. A context that sees a picture of
    `killed_by` never answers again.

    As the NPU's runtime: one run at a time, and what a run returns is overwritten by the context's next one.
    """

    fails: ClassVar[dict[str, object]] = {}
    made: ClassVar[list["RKNNLite"]] = []
    sdk: ClassVar[str | None] = SDK
    killed_by: ClassVar[int] = -1

    def __init__(self) -> None:
        self.mask: object = "not given"
        self.released, self.runs, self._dead = False, 0, False
        self._busy = threading.Lock()
        self._output = np.zeros((1, 4), np.float32)
        self._step("made", None)
        RKNNLite.made.append(self)

    def load_rknn(self, path: str) -> object:
        assert Path(path).is_file()
        return self._step("load_rknn", 0)

    def init_runtime(self, **options: int) -> object:
        self.mask = options.get("core_mask", "not given")
        return self._step("init_runtime", 0)

    def inference(self, inputs: list[np.ndarray]) -> object:
        assert not self.released
        assert self._busy.acquire(blocking=False), "two threads in one context"
        try:
            [row] = inputs
            assert row.flags.c_contiguous
            assert (row.shape, row.dtype) == ((1, 2, 2, 3), np.uint8)
            self.runs += 1
            self._output[:] = -1  # whoever still looks at the last answer sees it spoilt
            time.sleep(0.001)
            self._output[:] = 2.0 * row[0, 0, 0, 0] + np.arange(4)
            self._dead |= bool(row[0, 0, 0, 0] == self.killed_by)
            if self._dead:
                return None
            if row[0, 0, 0, 0] == 255:
                return self._step("odd row", None)
            return self._step("inference", [self._output])
        finally:
            self._busy.release()

    def get_sdk_version(self) -> str | None:
        return self.sdk

    def release(self) -> None:
        self.released = True

    def _step(self, name: str, given: object) -> object:
        answer = self.fails.get(name, given)
        if isinstance(answer, Exception):
            raise answer
        return answer
