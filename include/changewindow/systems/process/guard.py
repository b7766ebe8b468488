"""Runs a program that dies, with everything it started, when the process that asked for it dies.

Called as `guard.py DESCRIPTOR ACCOUNT PROGRAM ARGUMENT…`; the account is `uid:gid`, or empty for our own. The
descriptor is the reading end of a pipe whose writing end only the asking process holds: when that process ends in
whatever way (SIGKILL included), the pipe closes and the guard kills the program with all its descendants, so a dead
step cannot go on acting while its undo runs. What a program leaves in the background when it ends by itself (a daemon
it was asked to start) is left alone. Linux only.
"""

# It is started for every program, so it imports little: `subprocess`, `signal` and `pathlib` take longer than Python,
# and `ctypes` half as long. What `signal` and `ctypes` are made of is there at once.
import _ctypes
import _signal  # type: ignore[import-not-found]  # no stubs name it
import os
import select
import sys

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SIGKILL, SIGPIPE, SIGTERM, SIGXFSZ = 9, 13, 15, 25
KILLED = 128 + SIGKILL


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process."""
    loaded = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # None: what is loaded already
    _ctypes.call_function(_ctypes.dlsym(loaded, "prctl"), (option, value, 0, 0, 0))


def kill_all() -> None:
    """Kill every descendant: orphans come to us, because we are their subreaper."""
    while pids := children():
        for pid in pids:
            os.kill(pid, SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)


def children() -> list[int]:
    """Return the processes whose parent we are."""
    pid = os.getpid()
    with open(f"/proc/self/task/{pid}/children", encoding="ascii") as listed:  # noqa: PTH123  see the imports
        return [int(child) for child in listed.read().split()]


def become(account: str) -> None:
    """Act as another account from now on, in its home and without any of our groups."""
    user, _, group = account.partition(":")
    os.setgroups([])
    os.setgid(int(group))
    os.setuid(int(user))
    os.chdir(os.environ["HOME"])


def start(arguments: list[str], account: str) -> int:
    """Start the program as a child that dies with the guard and hears all signals again; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        for ignored in (SIGTERM, SIGPIPE, SIGXFSZ):  # by us, and by Python
            _signal.signal(ignored, _signal.SIG_DFL)
        if account:
            become(account)
        prctl(PR_SET_PDEATHSIG, SIGKILL)  # after that, which would take it back
        os.execvp(arguments[0], arguments)  # noqa: S606  no shell is wanted
    except OSError as error:
        print(f"{arguments[0]}: {error.strerror}", flush=True)
    finally:
        os._exit(127)


def main() -> int:
    """Run the program; return its exit code, 127 when it cannot be run, or 137 when the asking process ended first."""
    pipe, account, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    os.set_inheritable(pipe, False)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    _signal.signal(SIGTERM, _signal.SIG_IGN)
    child = start(arguments, account)
    ended = os.pidfd_open(child)
    ready, _, _ = select.select([pipe, ended], [], [])
    if ended not in ready:
        kill_all()
        return KILLED
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    os._exit(main())  # to tidy up a Python takes a fifth of the time of a guard
