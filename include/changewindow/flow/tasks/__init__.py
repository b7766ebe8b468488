"""The tasks of a change's DAG."""
