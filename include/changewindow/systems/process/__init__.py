"""Programs: their command line, their output, and that none of them outlives us."""
