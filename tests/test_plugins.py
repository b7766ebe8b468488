"""Airflow registers our plugin once, wherever it finds it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.layout import INCLUDE, ROOT

pytestmark = pytest.mark.integration

ASK = """
import json, sys
from airflow import plugins_manager, settings
from airflow._shared.module_loading import _get_grouped_entry_points

def registered(folder, installed):
    settings.PLUGINS_FOLDER = folder
    sys.path[:] = [path for path in before if path not in every] + installed
    for known in (plugins_manager._get_plugins, plugins_manager.get_timetables_plugins, _get_grouped_entry_points):
        known.cache_clear()
    plugins, errors = plugins_manager._get_plugins()
    ours = [str(plugin.source) for plugin in plugins if plugin.name == "changewindow"]
    timetables = sorted(name for name in plugins_manager.get_timetables_plugins() if name.startswith("changewindow."))
    models = [sys.modules[name] for name in ("airflow.models.taskinstance", "changewindow.ledger.models")]
    is_ready = [models[0].TaskInstance.__mapper__.configured, models[1].Change.__mapper__.configured]
    return [ours, errors, timetables, [*is_ready, "airflow.dag_processing.dagbag" in sys.modules]]

before, asked = list(sys.path), json.loads(sys.argv[1])
every = {path for _, installed in asked.values() for path in installed}
print(json.dumps({name: registered(*places) for name, places in asked.items()}))
"""
"""Asks in one process, for Airflow takes seconds to import: what a process loads once, it loads again for each."""
PLUGIN = "changewindow.plugins.registration:ChangeWindowPlugin"
ENTRY_POINT = f"changewindow==9.9: EntryPoint(name='changewindow', value='{PLUGIN}', "
SOURCES = {
    "a checkout": "$PLUGINS_FOLDER/changewindow_plugin.py",
    "an installed package": ENTRY_POINT,
    "both": ENTRY_POINT,
}


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what Airflow says of our plugin, by where that is."""
    folder = tmp_path_factory.mktemp("plugin")
    checkout, installed, none = str(ROOT / "plugins"), [str(_installed(folder))], str(folder / "none")
    asked = {"a checkout": (checkout, []), "an installed package": (none, installed), "both": (checkout, installed)}
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder / "home"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": checkout,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(INCLUDE),
    }
    command = [sys.executable, "-c", ASK, json.dumps(asked)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answers: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return answers


def _installed(folder: Path) -> Path:
    """Make a folder of packages in which ours is."""
    installed = folder / "installed"
    metadata = installed / "changewindow-9.9.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: changewindow\nVersion: 9.9\n")
    (metadata / "entry_points.txt").write_text(f"[airflow.plugins]\nchangewindow = {PLUGIN}\n")
    return installed


@pytest.mark.parametrize("place", SOURCES)
def test_the_plugin_is_registered_once(registered: dict[str, Any], place: str) -> None:
    """Without an error that Airflow would show to its operators."""
    ours, errors, timetables, is_ready = registered[place]
    assert [text.startswith(SOURCES[place]) for text in ours] == [True]
    assert errors == {}
    assert timetables == ["changewindow.flow.timetable.ChangeWindowTimetable"]
    assert is_ready == [True, True, True], "each task of a worker of Celery would import it anew"
