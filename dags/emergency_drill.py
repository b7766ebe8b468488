"""The Airflow DAG that drills an emergency each month, on the harmless target that emergencies.yaml names."""

from changewindow.flow.dags.drill import build_drill_dag

dag = build_drill_dag()
