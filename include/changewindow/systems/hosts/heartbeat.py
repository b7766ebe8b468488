"""Runs a program at a distance, and lets it know every few seconds that we are still there.

Called as `heartbeat.py CONTENT PROGRAM ARGUMENT…`. The program, mostly `ssh`, gets on its standard input the content of
that file as one line of base64, then one sign after the other. When this process ends, the signs end; `FOLLOWED` in
`ssh` is what listens to them on the other side, and kills what it runs when they stay away.
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
