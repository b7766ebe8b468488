"""The Airflow DAG that says what changed."""

from changewindow.flow.dags.what_changed import build_what_changed_dag

dag = build_what_changed_dag()
