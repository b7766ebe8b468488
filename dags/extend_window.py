"""The Airflow DAG by which a window is extended."""

from changewindow.flow.dags.extending import build_extend_dag

dag = build_extend_dag()
