"""Runs Airflow as `python -m airflow` does, except that Python looks for garbage less often.

To start, Airflow makes a million objects that stay. By default they are looked through again and again meanwhile, which
is a fourth of the work of a start; there is no garbage among them. At its end all are looked through once more, which
takes seconds; so they are set aside before.
"""

import atexit
import gc
import runpy

OBJECTS = 20_000
"""How many more there are when they are looked through again; 700 by default. Most garbage goes without that."""

if __name__ == "__main__":
    gc.set_threshold(OBJECTS)
    atexit.register(gc.freeze)
    runpy.run_module("airflow", run_name="__main__", alter_sys=True)
