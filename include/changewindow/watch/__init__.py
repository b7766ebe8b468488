"""What is measured and what it means: conditions, readings, verdicts, and the watch that reads until it knows."""
