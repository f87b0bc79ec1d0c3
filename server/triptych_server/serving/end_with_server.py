"""A stub ends with its server, even while it waits for an answer that died with it: by itself it would go on waiting."""

import os
import signal
import threading
import time

LOOK_SECONDS, GRACE_SECONDS = 2.0, 5.0


def end_with_server() -> None:
    """Watch the parent process from a thread of its own; some seconds after it is gone, kill this one, which mostly has ended by then."""
    threading.Thread(target=_watch, args=(os.getppid(),), name="end_with_server", daemon=True).start()


def _watch(server: int) -> None:
    while os.getppid() == server:
        time.sleep(LOOK_SECONDS)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)  # not an exit, which would wait as well
