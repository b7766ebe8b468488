"""Registers Change Windows with Airflow where it runs from a checkout; an installed package registers itself."""

from importlib.metadata import entry_points

if not entry_points(group="airflow.plugins", name="changewindow"):
    # Airflow shows an error to whoever registers a plugin twice.
    from changewindow.plugins.registration import ChangeWindowPlugin  # noqa: F401  found here by Airflow
