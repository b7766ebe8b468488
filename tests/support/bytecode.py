"""Compiles what a fresh checkout has no bytecode of: a share in each worker of pytest, not all of it in all of them."""

import compileall
from pathlib import Path

import pytest
from _pytest.assertion import rewrite

from support.layout import INCLUDE


def compile_a_share(config: pytest.Config) -> None:
    """Compile every n-th module and test file, where this is one of n workers; the others have the rest done soon."""
    worker: dict[str, str | int] = getattr(config, "workerinput", {})
    count, number = int(worker.get("workercount", 1)), int(str(worker.get("workerid", "gw0")).removeprefix("gw"))
    if count == 1:
        return
    folders = [Path(argument) for argument in config.args]
    for path in sorted(INCLUDE.rglob("*.py"))[number::count]:
        compileall.compile_file(path, quiet=2)
    for path in sorted(test for folder in folders for test in folder.rglob("test_*.py"))[number::count]:
        _rewrite(config, path)


def _rewrite(config: pytest.Config, path: Path) -> None:
    """Do what pytest 9.2 does with the assertions of a test file when it imports it first."""
    kept = rewrite.get_cache_dir(path) / f"{path.stem}{rewrite.PYC_TAIL}"
    if kept.exists() or not rewrite.try_makedirs(kept.parent):
        return  # where it is outdated, pytest sees that when it imports it
    digest, code = rewrite._rewrite_test(path, config)
    rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, digest, kept)
