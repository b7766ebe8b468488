"""One file per channel that messages go to."""
