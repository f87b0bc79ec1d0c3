"""Start a program that ends with this process, however this process ends: Triton must not go on alone after a SIGKILL."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from triptych_server.engine import die_with_parent


def start_child(command: Sequence[str], *, environment: Mapping[str, str], folder: Path, kept: Sequence[int] = ()) -> subprocess.Popen[str]:
    """Start `command` in `folder`, in a session of its own: Ctrl-C is ours. It inherits the descriptors `kept`, reads nothing, and
    writes both of its outputs to `stdout`. OSError when it cannot be started.

    For Linux its parent is a thread: one is kept for as long as it runs, for the caller's may end earlier.
    """
    wrapper = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid())]
    started: Future[subprocess.Popen[str]] = Future()

    def parent() -> None:
        try:
            child = subprocess.Popen(
                [*wrapper, *command],
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                pass_fds=kept,
                start_new_session=True,
            )
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(child)
        with contextlib.suppress(ChildProcessError):  # somebody was faster
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it stays the caller's to wait for

    threading.Thread(target=parent, name="triton-parent", daemon=True).start()
    return started.result()


def end_group(leader: int) -> None:
    """Kill what is left of an ended child and its own children: a stub that was being started when Triton died waits for ever, and holds
    what it inherited."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
