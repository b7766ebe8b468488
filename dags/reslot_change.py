"""The Airflow DAG by which a change gets another window."""

from changewindow.flow.interventions import build_reslot_dag

dag = build_reslot_dag()
