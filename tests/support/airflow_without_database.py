"""Airflow without a database, with our plugin: enough to draw and serialize DAGs.

To be imported before Airflow, which reads its environment once, whichever test imports it first.
"""

import os
import tempfile
from pathlib import Path

HOME = tempfile.TemporaryDirectory(prefix="changewindow-flow-")  # removed when the process ends
os.environ["AIRFLOW_HOME"] = HOME.name
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(Path(__file__).resolve().parents[2] / "plugins")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
