"""One file per policy check: from a ticket and facts to findings."""
