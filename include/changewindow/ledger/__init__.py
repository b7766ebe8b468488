"""The ledger: changes, approvals, leases, turns and events; nothing else writes its tables than these modules."""
