"""The DAGs by which people ask, approve and intervene."""
