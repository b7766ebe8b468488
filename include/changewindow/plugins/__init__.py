"""What Airflow loads of an installed package: its plugin, with the pages that it serves."""
