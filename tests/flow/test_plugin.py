"""Airflow registers our plugin once, wherever it finds it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.layout import INCLUDE, ROOT

ASK = """
import json, sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
ours = [str(plugin.source) for plugin in plugins if plugin.name == "changewindow"]
timetables = sorted(name for name in plugins_manager.get_timetables_plugins() if name.startswith("changewindow."))
models = [sys.modules[name] for name in ("airflow.models.taskinstance", "changewindow.ledger.models")]
is_ready = [models[0].TaskInstance.__mapper__.configured, models[1].Change.__mapper__.configured]
print(json.dumps([ours, errors, timetables, [*is_ready, "airflow.dag_processing.dagbag" in sys.modules]]))
"""
ENTRY_POINT = "changewindow==9.9: EntryPoint(name='changewindow', value='changewindow.flow.plugin:ChangeWindowPlugin', "


@pytest.mark.parametrize(
    ("has_folder", "is_installed", "source"),
    [
        pytest.param(True, False, "$PLUGINS_FOLDER/changewindow_plugin.py", id="a checkout"),
        pytest.param(False, True, ENTRY_POINT, id="an installed package"),
        pytest.param(True, True, ENTRY_POINT, id="both"),
    ],
)
def test_the_plugin_is_registered_once(tmp_path: Path, *, has_folder: bool, is_installed: bool, source: str) -> None:
    """Without an error that Airflow would show to its operators."""
    installed = tmp_path / "installed"
    if is_installed:
        metadata = installed / "changewindow-9.9.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: changewindow\nVersion: 9.9\n")
        (metadata / "entry_points.txt").write_text(
            "[airflow.plugins]\nchangewindow = changewindow.flow.plugin:ChangeWindowPlugin\n"
        )
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins" if has_folder else tmp_path / "none"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": f"{INCLUDE}{os.pathsep}{installed}",
    }
    asked = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    ours, errors, timetables, is_ready = json.loads(asked.stdout.splitlines()[-1])
    assert [text.startswith(source) for text in ours] == [True]
    assert errors == {}
    assert timetables == ["changewindow.flow.timetable.ChangeWindowTimetable"]
    assert is_ready == [True, True, True], "each task of a worker of Celery would import it anew"
