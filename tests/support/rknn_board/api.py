"""Stands in for `rknnlite.api` on a board that is not here; as strict about threads as the real one, and as careless with its memory."""

import json
import os
import socket
import subprocess
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

import triptych_server.sessions.rknn as session
from triptych_server.hardware.tree import Tree

BOARD = json.loads(Path(__file__).with_name("board.json").read_text())
session.Tree = lambda: Tree(Path(BOARD["board"]))  # the device tree is missing here too

_simulators = {}
_starting = threading.Lock()


class _Simulator:
    """One for each compiled network of this process, whose contexts take turns."""

    def __init__(self, compiled):
        here, there = socket.socketpair()
        environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}  # those are Triton's
        command = [BOARD["python"], "-Iu", BOARD["simulator"], str(compiled.parent), str(there.fileno())]
        self.process = subprocess.Popen(command, pass_fds=[there.fileno()], env=environment, stdout=subprocess.DEVNULL)
        there.close()
        self.connection = Connection(here.detach())
        self.turn = threading.Lock()
        self.ready = self.connection.recv()

    def run(self, row):
        with self.turn:
            self.connection.send((row.shape, row.tobytes()))
            return [np.frombuffer(data, np.float32).reshape(shape) for shape, data in self.connection.recv()]


class RKNNLite:
    NPU_CORE_AUTO = 0

    def __init__(self):
        self._compiled = self._outputs = self._simulator = None
        self._busy = threading.Lock()

    def load_rknn(self, path):
        self._compiled = Path(path)
        return 0 if self._compiled.read_bytes()[:4] == b"RKNN" else -1

    def init_runtime(self, core_mask=None):
        with _starting:
            if self._compiled not in _simulators:
                _simulators[self._compiled] = _Simulator(self._compiled)
        self._simulator = _simulators[self._compiled]
        return 0 if self._simulator.ready and core_mask in (0, 1, 2, 4, 7) else -1

    def inference(self, inputs):
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("two threads in one context")
        try:
            for output in self._outputs or ():
                output[:] = np.nan
            found = self._simulator.run(inputs[0])
            self._outputs = self._outputs or [np.empty_like(array) for array in found]
            for mine, array in zip(self._outputs, found, strict=True):
                mine[:] = array
            return self._outputs
        finally:
            self._busy.release()

    def get_sdk_version(self):
        return "RKNN VERSION:\n  API: 2.5.0 (simulator)\n  DRV: rknn driver version 0.9.8"

    def release(self):
        simulator = _simulators.pop(self._compiled, None)
        if simulator is not None:
            simulator.connection.close()
            simulator.process.wait(10)
