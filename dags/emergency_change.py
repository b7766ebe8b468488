"""The Airflow DAG by which people declare an emergency, and have it carried out at once."""

from changewindow.flow.dags.emergency import build_emergency_dag

dag = build_emergency_dag()
