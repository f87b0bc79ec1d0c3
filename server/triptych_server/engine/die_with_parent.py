"""Program, not module: `die_with_parent.py PARENT COMMAND...` becomes COMMAND, which Linux kills once its parent, process PARENT, is gone.

Between fork and exec a process of many threads may not run Python (`preexec_fn` can deadlock); a program of its own may.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h; it outlives exec


def main(parent: str, *command: str) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG) failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(parent):  # it died before we asked
        sys.exit("the engine has ended")
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and an exec keeps that
        signal.signal(ignored, signal.SIG_DFL)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
