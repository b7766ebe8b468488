"""The Airflow DAG by which people tell what was done by hand."""

from changewindow.flow.dags.record import build_record_dag

dag = build_record_dag()
