"""The bundle in which Airflow finds the published changes: data for us, and for Airflow one fixed DAG file for each."""

import json
from pathlib import Path
from typing import Any

from airflow.configuration import conf
from airflow.dag_processing.bundles.base import BaseDagBundle

from changewindow import settings
from changewindow.changes.dag_files import DagFiles
from changewindow.errors import PlatformError
from changewindow.ledger.seal import Seal


class PublishedChanges(BaseDagBundle):
    """The published changes of this installation; nothing in their folder is ever executed.

    Airflow's configuration names this class; it takes no arguments.
    """

    supports_versioning = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        places = settings.read()
        self.files = DagFiles(places.published, places.dag_files, Seal())

    @property
    def path(self) -> Path:
        """Return the folder of DAG files."""
        return self.files.own

    def initialize(self) -> None:
        """Have a DAG file for each published change."""
        self.files.add_missing()
        super().initialize()

    def refresh(self) -> None:
        """Have exactly one for each, showing what is published now."""
        self.files.bring_up_to_date()

    def get_current_version(self) -> None:
        """Return none: what was approved when is for the ledger to say."""


def require_bundle() -> None:
    """Make sure that Airflow reads published changes as data.

    Raises:
        PlatformError: its configuration does not name this bundle, or executes what lies in the published folder.
    """
    configured = conf.getjson("dag_processor", "dag_bundle_config_list") or []
    published = settings.read().published.resolve()
    executed = [bundle["name"] for bundle in configured if _executes(bundle, published)]
    if executed or settings.BUNDLE["classpath"] not in {bundle.get("classpath") for bundle in configured}:
        wrong = f"executes what lies in {published}" if executed else f"does not read {published}"
        raise PlatformError(
            f"Airflow {wrong}: nothing is published there. In [dag_processor] dag_bundle_config_list, let the bundle "
            f"{executed[0] if executed else 'changes'} be {json.dumps(settings.BUNDLE)}, restart Airflow, and clear "
            "this task."
        )


def _executes(bundle: dict[str, Any], published: Path) -> bool:
    """Return whether a bundle lets Airflow execute what lies in a folder."""
    is_local = str(bundle.get("classpath", "")).endswith("LocalDagBundle")
    path = bundle.get("kwargs", {}).get("path") or (conf.get("core", "dags_folder") if is_local else None)
    return path is not None and published.is_relative_to(Path(path).resolve())
