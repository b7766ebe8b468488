"""The Airflow DAG that finds the changes that nobody asked for."""

from changewindow.flow.dags.silent_changes import build_silent_changes_dag

dag = build_silent_changes_dag()
