"""Pages in Airflow's UI, which only read: what the ledger knows, for who asks, approves, watches and looks back."""
