"""Writes the DAG files of Change Windows into the DAGs folder of an Airflow, and says what else it needs."""

import argparse
import hashlib
import sys
from pathlib import Path

from changewindow import settings
from changewindow.cli.output import count
from changewindow.errors import PlatformError

MARK = "# Written by `changewindow dags install`, which replaces it unless it was edited: "
NEXT = """\
What Airflow needs besides, once:
1. The ledger, as the connection {connection}, in the environment of Airflow and of this command:
     export AIRFLOW_CONN_CHANGEWINDOW_LEDGER='{{"conn_type": "postgres", "host": "…", "schema": "…", "login": "…", \
"password": "…"}}'
     changewindow ledger upgrade
2. A bundle for the changes that were approved: add to the list in AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST
     {{"name": "changes", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", \
"kwargs": {{"path": "{published}"}}}}
   CHANGEWINDOW_PUBLISHED names another folder; workers and the DAG processor must see the same one.
3. A policy of your own: it is now {policy}
   Copy it, and {templates}, and name the copies in CHANGEWINDOW_POLICY and CHANGEWINDOW_TEMPLATES.
Then restart Airflow; it finds the plugin by itself (`airflow plugins`).
"""


def install(arguments: argparse.Namespace) -> int:
    """Write the DAG files; write none, and return 1, if a file stands in the way that this command did not write.

    Raises:
        PlatformError: the folder cannot be read or written.
    """
    try:
        return _install(arguments.folder)
    except OSError as error:
        where = error.filename or arguments.folder
        raise PlatformError(f"{where}: {error.strerror}. Choose a folder that can be written.") from error


def _install(folder: Path) -> int:
    files = {path.name: _signed(path.read_text(encoding="utf-8")) for path in _dags()}
    present = {name: _present(folder / name) for name in files}
    foreign = [name for name, text in present.items() if text is not None and not _is_ours(text, files[name])]
    for name in foreign:
        print(f"{folder / name} was not written by this command, or was edited since.", file=sys.stderr)
    if foreign:
        print("Nothing was written. Move what stands in the way, or choose another folder.", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    changed = [name for name, text in files.items() if present[name] != text]
    for name in changed:
        (folder / name).write_text(files[name], encoding="utf-8")
    print(f"{count(len(files), 'DAG file')} in {folder}, {len(changed)} written now.\n")
    known = settings.read()
    print(
        NEXT.format(
            connection=settings.LEDGER_CONNECTION,
            published=known.published,
            policy=known.policy,
            templates=known.templates,
        ),
        end="",
    )
    return 0


def _dags() -> list[Path]:
    return sorted(settings.shipped("dags").glob("*.py"))


def _present(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else None


def _signed(text: str) -> str:
    """Return the text of a DAG file below a line by which this command knows it again."""
    return f"{MARK}{hashlib.sha256(text.encode()).hexdigest()[:16]}\n{text}"


def _is_ours(present: str, wanted: str) -> bool:
    """Return whether a file may be replaced: nobody would lose anything."""
    _, _, text = present.partition("\n")
    return present in {wanted, _signed(text)} or _signed(present) == wanted
