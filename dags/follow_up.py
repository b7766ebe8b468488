"""The Airflow DAG by which people say what became of follow-ups and workarounds."""

from changewindow.flow.dags.reviewing import build_follow_up_dag

dag = build_follow_up_dag()
