"""Change Windows executes approved operational changes as Airflow DAGs in their windows."""

__version__ = "0.1.0"
