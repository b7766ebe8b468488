"""The Airflow DAG by which a change gets another window."""

from changewindow.flow.dags.interventions import build_reslot_dag

dag = build_reslot_dag()
