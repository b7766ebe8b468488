"""The ledger: changes, approvals, leases, step locks and events; only these modules write its tables."""
