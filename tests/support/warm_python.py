"""A Python that has read Alembic before it is started, for which a cold one takes most of the time of a question.

`warm_python()` returns it as a program, to be named as the interpreter of a step. It hands its arguments, environment,
folder and output to a process that was made ready once, which forks for it, and ends as the fork does; when it is
killed, the fork is killed too.
"""

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path

READ = ("alembic.config", "alembic.command", "psycopg2", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite")
PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({place!r})
    socket.send_fds(asked, [b"!"], [1, 2])
    told = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    asked.sendall(len(told).to_bytes(4, "big") + told)
    sys.exit(asked.recv(1)[0])
"""


@cache
def warm_python() -> str:
    """Return the program; what it needs ends with this process."""
    folder = tempfile.TemporaryDirectory(prefix="warm-")
    place = f"{folder.name}/socket"
    ready = subprocess.Popen([sys.executable, __file__, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert ready.stdout
    ready.stdout.readline()
    atexit.register(folder.cleanup)
    atexit.register(ready.kill)
    program = Path(folder.name) / "python"
    program.write_text(PROGRAM.format(python=sys.executable, place=place))
    program.chmod(0o755)
    return str(program)


def serve(place: str) -> None:
    """Fork for each who asks, until nobody is there any more who could."""
    del sys.path[0]  # our folder
    for name in READ:
        __import__(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen()
        print(flush=True)
        while listening in select.select([listening, sys.stdin], [], [])[0]:
            asked, _ = listening.accept()
            if os.fork() == 0:
                _answer(asked)
                os._exit(0)  # as all forks here end: to tidy up takes longer than what most of them do
            asked.close()


def _answer(asked: socket.socket) -> None:
    """Run what is asked for in a fork, and tell its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, outputs, _, _ = socket.recv_fds(asked, 1, 2)
    told = asked.makefile("rb")
    arguments, folder, environment = json.loads(told.read(int.from_bytes(told.read(4), "big")))
    if (runs := os.fork()) == 0:
        code = _run(arguments, folder, environment, outputs)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    for output in outputs:
        os.close(output)
    ended = os.pidfd_open(runs)
    if ended not in select.select([asked, ended], [], [])[0]:
        os.kill(runs, signal.SIGKILL)
    asked.sendall(bytes([os.waitstatus_to_exitcode(os.waitpid(runs, 0)[1]) & 255]))


def _run(arguments: list[str], folder: str, environment: dict[str, str], outputs: list[int]) -> int:
    """Be what was asked for; return the exit code."""
    for number, output in enumerate(outputs, start=1):
        os.dup2(output, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    try:
        if arguments[0] == "-m":
            del sys.argv[0]
            runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  as Python ends
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
