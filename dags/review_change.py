"""The Airflow DAG by which people review an emergency, a record, or what was rolled back."""

from changewindow.flow.dags.reviewing import build_review_dag

dag = build_review_dag()
