"""The Airflow DAG that reads tickets from a directory or a git repository."""

from changewindow.flow.dags.ticket_sync import build_sync_dag

dag = build_sync_dag()
