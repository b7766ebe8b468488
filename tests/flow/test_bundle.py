"""Airflow finds published changes through the bundle, executes nothing of them, and names each wrong file."""

import json
import os
from pathlib import Path

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag

from changewindow import settings
from changewindow.changes.publication import publish
from changewindow.errors import PlatformError
from changewindow.flow.bundle import PublishedChanges, require_bundle
from changewindow.ledger.seal import Seal
from support.tickets import BANNER, banner

SEAL = Seal()
CONFIGURED = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of published changes of an Airflow whose configuration names the bundle."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("CHANGEWINDOW_PUBLISHED", raising=False)
    monkeypatch.setenv(CONFIGURED, json.dumps([settings.BUNDLE]))
    return tmp_path / "changes"


def bag_of(bundle: PublishedChanges) -> DagBag:
    """Return what Airflow finds in the bundle."""
    return DagBag(dag_folder=str(bundle.path), bundle_path=bundle.path, bundle_name="changes")


def test_the_configuration_names_the_bundle(published: Path) -> None:
    """By its class alone; what is published later is there after a refresh, or for a task at once."""
    bundle = DagBundlesManager().get_bundle("changes")
    assert isinstance(bundle, PublishedChanges)
    bundle.initialize()
    publish(published, "CHG-1", BANNER, SEAL)
    bundle.refresh()
    publish(published, "CHG-2", BANNER, SEAL)
    (of_a_task := PublishedChanges(name="changes")).initialize()
    bag = bag_of(of_a_task)
    assert bag.import_errors == {}
    assert {dag.dag_id: dag.relative_fileloc for dag in bag.dags.values()} == {
        "CHG-1": "CHG-1.py",
        "CHG-2": "CHG-2.py",
    }


def test_code_in_the_folder_is_never_executed(published: Path, tmp_path: Path) -> None:
    """Appended, in a file of its own, in one of an earlier version, in an archive, in a link: an error of that file."""
    canary = tmp_path / "canary"
    code = f'"""An Airflow DAG."""\nopen({str(canary)!r}, "w")\n'
    for number in range(1, 8):
        publish(published, f"CHG-{number}", BANNER, SEAL)
    with (published / "CHG-2.json").open("a") as file:
        file.write(code)
    (published / "CHG-3.json").write_text(code)
    (published / "CHG-4.json").write_bytes((published / "CHG-1.json").read_bytes())
    (published / "CHG-5.json").write_text('{"change": ')
    (outside := tmp_path / "outside.json").write_bytes((published / "CHG-6.json").read_bytes())
    (published / "CHG-6.json").unlink()
    (published / "CHG-6.json").symlink_to(outside)
    os.link(published / "CHG-7.json", tmp_path / "second name")
    for name in ("CHG-1.py", "airflow_dag.py", "CHG-8.zip"):
        (published / name).write_text(code)
    bundle = PublishedChanges(name="changes")
    bundle.initialize()
    bundle.refresh()
    bag = bag_of(bundle)
    assert not canary.exists()
    assert set(bag.dags) == {"CHG-1"}
    last = {name: error.strip().splitlines()[-1] for name, error in bag.import_errors.items()}
    named = {name.split(".")[0] if name.startswith("CHG") and name.count(".") == 1 else name for name in last}
    assert {"CHG-2", "CHG-3", "CHG-4", "CHG-5", "CHG-6", "CHG-7"} <= named
    assert len(last) == 9
    for sentence in last.values():
        assert sentence.startswith(f"changewindow.errors.BadPublication: {published}/")
        assert "Nothing of it is used. Find out who wrote it and remove it" in sentence
    assert "is a link" in last["CHG-6.py"]
    assert "is another change's" in last["CHG-4.py"]


def test_a_file_swapped_after_it_was_found_is_refused_by_the_task(published: Path) -> None:
    """The DAG file reads what is published each time it is parsed."""
    bundle = PublishedChanges(name="changes")
    publish(published, "CHG-1", BANNER, SEAL)
    bundle.initialize()
    path = published / "CHG-1.json"
    path.write_text(path.read_text().replace("BANNER", "banner") + "\n")
    assert set(bag_of(bundle).import_errors) == {"CHG-1.py"}
    publish(published, "CHG-1", banner(summary="Another text."), SEAL)
    assert bag_of(bundle).dags["CHG-1"].description == "Another text."


def test_nothing_is_published_where_airflow_would_execute_it(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the configuration of an earlier version, publishing says what to set."""
    require_bundle()
    earlier = {"name": "changes", "classpath": LOCAL, "kwargs": {"path": str(published)}}
    monkeypatch.setenv(CONFIGURED, json.dumps([earlier]))
    with pytest.raises(PlatformError) as refused:
        require_bundle()
    assert str(refused.value) == (
        f"Airflow executes what lies in {published}: nothing is published there. In [dag_processor] "
        f"dag_bundle_config_list, let the bundle changes be {json.dumps(settings.BUNDLE)}, restart Airflow, and clear "
        "this task."
    )


@pytest.mark.parametrize("around", ["", "changes", None])
def test_no_other_bundle_may_lie_around_it(
    published: Path, monkeypatch: pytest.MonkeyPatch, around: str | None
) -> None:
    """It would execute what lies there all the same; without a path it is the folder of DAGs."""
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(published.parent))
    kwargs = {} if around is None else {"path": str(published.parent / around)}
    other = {"name": "all", "classpath": LOCAL, "kwargs": kwargs}
    monkeypatch.setenv(CONFIGURED, json.dumps([settings.BUNDLE, other]))
    with pytest.raises(PlatformError, match="let the bundle all be"):
        require_bundle()


def test_an_airflow_that_reads_nothing_published_is_told(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the change would simply never start."""
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(published.parent / "dags"))
    monkeypatch.setenv(CONFIGURED, json.dumps([{"name": "dags-folder", "classpath": LOCAL, "kwargs": {}}]))
    with pytest.raises(PlatformError, match=r"does not read .*changes: nothing is published there"):
        require_bundle()
