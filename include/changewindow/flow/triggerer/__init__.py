"""What runs beside the triggers in Airflow's triggerer."""
