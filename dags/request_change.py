"""The Airflow DAG by which people ask for a change."""

from changewindow.flow.dags.request import build_request_dag

dag = build_request_dag()
