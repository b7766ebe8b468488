"""The only place that imports Airflow: draws the plan of a change and runs its nodes."""
