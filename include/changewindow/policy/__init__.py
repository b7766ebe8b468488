"""What the policy says of a change: approvals, services, standard changes, conflicts, and whether it may act now."""
