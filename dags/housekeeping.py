"""The Airflow DAG that ends what nobody else will."""

from changewindow.flow.dags.housekeeping import build_housekeeping_dag

dag = build_housekeeping_dag()
