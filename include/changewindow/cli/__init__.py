"""The terminal: the command `changewindow`, and Airflow standalone as the demo starts it."""
