"""`python -m changewindow`: the command line."""

import sys

from changewindow.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
