"""What may be silenced while a change runs: one file per product."""
