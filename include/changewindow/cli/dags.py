"""Writes the DAG files of Change Windows into the DAGs folder of an Airflow, and says what else it needs."""

import argparse
import hashlib
import json
import sys
from pathlib import Path

from changewindow import settings
from changewindow.cli.output import count
from changewindow.errors import PlatformError

MARK = "# Written by `changewindow dags install`, which replaces it unless it was edited: "
NEXT = """
To finish, once:
1. Give the ledger to Airflow and to this command, as the connection {connection}:
     export AIRFLOW_CONN_{variable}='{ledger}'
     changewindow ledger upgrade
2. Let Airflow find the published changes, in a bundle of their own:
     export AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST='{bundles}'
   They lie in {published} as data and are never executed; CHANGEWINDOW_PUBLISHED names another
   folder for them. Workers and DAG processor must share it, and no other bundle may lie around it.
3. Make the policy yours. In force is {policy}:
     cp -r {policy} {templates} FOLDER
     export CHANGEWINDOW_POLICY=FOLDER/policy CHANGEWINDOW_TEMPLATES=FOLDER/templates
Then restart Airflow. `airflow plugins` lists the plugin changewindow."""
LEDGER = {"conn_type": "postgres", "host": "…", "schema": "…", "login": "…", "password": "…"}
LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"


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
    print(f"{count(len(files), 'DAG file')} in {folder}, {len(changed)} written now.")
    print(_what_is_next(folder, settings.read()))
    return 0


def _what_is_next(folder: Path, known: settings.Settings) -> str:
    ours = {"name": "dags-folder", "classpath": LOCAL, "kwargs": {"path": str(folder.absolute())}}
    return NEXT.format(
        connection=settings.LEDGER_CONNECTION,
        variable=settings.LEDGER_CONNECTION.upper(),
        ledger=json.dumps(LEDGER, ensure_ascii=False),
        bundles=json.dumps([ours, settings.BUNDLE]),
        published=known.published.absolute(),
        policy=known.policy,
        templates=known.templates,
    )


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
