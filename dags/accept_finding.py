"""The Airflow DAG by which a person accepts findings until a day."""

from changewindow.flow.dags.accepting import build_accept_dag

dag = build_accept_dag()
