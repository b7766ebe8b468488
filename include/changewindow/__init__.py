"""Change Windows executes approved operational changes as Airflow DAGs in their windows."""
