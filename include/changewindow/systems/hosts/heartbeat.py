"""Runs a remote program, and sends it a heartbeat every few seconds while we are alive.

Called as `heartbeat.py FILE PROGRAM ARGUMENT…`. The program, mostly `ssh`, gets on its standard input the content of
that file as one line of base64, then one byte per heartbeat. When this process ends, the heartbeat stops; `WATCHED` in
`host` listens for it on the other side, and kills what it runs there when it fails to come.
"""

import base64
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

BEAT = 3.0


def main() -> int:
    """Run the program; return its exit code."""
    content = base64.b64encode(Path(sys.argv[1]).read_bytes())
    program = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, bufsize=0)
    pipe = program.stdin
    with suppress(BrokenPipeError):
        pipe.write(content + b"\n")  # type: ignore[union-attr]
    while True:
        try:
            code = program.wait(BEAT)
        except subprocess.TimeoutExpired:
            with suppress(BrokenPipeError):
                pipe.write(b".")  # type: ignore[union-attr]
        else:
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
