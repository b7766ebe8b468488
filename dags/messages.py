"""The Airflow DAG that keeps what is told true."""

from changewindow.flow.dags.messages import build_messages_dag

dag = build_messages_dag()
