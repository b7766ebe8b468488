"""Runs a program that dies, with everything it started, when the process that asked for it dies.

Called as `guard.py DESCRIPTOR PROGRAM ARGUMENT…`. The descriptor is the reading end of a pipe whose writing end only
the asking process holds: when that process ends in whatever way (SIGKILL included), the pipe closes and the guard
kills the program with all its descendants, so a dead step cannot go on acting while its undo runs. What a program
leaves in the background when it ends by itself (a daemon it was asked to start) is left alone. Linux only.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
KILLED = 128 + signal.SIGKILL
prctl = ctypes.CDLL(None).prctl


def kill_all() -> None:
    """Kill every descendant: orphans come to us, because we are their subreaper."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while pids := children.read_text().split():
        for pid in pids:
            os.kill(int(pid), signal.SIGKILL)
        for pid in pids:
            os.waitpid(int(pid), 0)


def become_child() -> None:
    """Prepare the child: it hears SIGTERM again, and dies with the guard."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main() -> int:
    """Run the program; return its exit code, or 137 when the asking process ended first."""
    pipe, arguments = int(sys.argv[1]), sys.argv[2:]
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        child = subprocess.Popen(arguments, preexec_fn=become_child)  # noqa: PLW1509  the guard has no threads
    except OSError as error:
        print(f"{arguments[0]}: {error.strerror}", flush=True)
        return 127
    ended = os.pidfd_open(child.pid)
    ready, _, _ = select.select([pipe, ended], [], [])
    if ended not in ready:
        kill_all()
        return KILLED
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
