"""The Airflow DAG that rolls completed changes back which people want back, outside of Airflow."""

from changewindow.flow.dags.wanted_rollbacks import build_wanted_rollbacks_dag

dag = build_wanted_rollbacks_dag()
