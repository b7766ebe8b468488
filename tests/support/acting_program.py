"""A program for tests that acts for a while, writes down when, and ignores SIGTERM.

Called as `acting_program.py JOURNAL NAME SECONDS`.
"""

import signal
import sys
import time


def main() -> None:
    """Write a line now, every 50 ms, and at the end."""
    journal, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end = time.time() + seconds
    while True:
        over = time.time() >= end
        with open(journal, "a", encoding="utf-8") as file:  # noqa: PTH123  no more imports than needed
            file.write(f"{time.time():.3f} {name} {'end' if over else 'acts'}\n")
        if over:
            return
        time.sleep(0.05)


if __name__ == "__main__":
    main()
