"""The Airflow DAG that asks for the approval of what ran already."""

from changewindow.flow.dags.retroactive import build_retroactive_dag

dag = build_retroactive_dag()
