"""The only place that knows Airflow, beside the plugin: draws the plan of a change and runs its nodes."""
