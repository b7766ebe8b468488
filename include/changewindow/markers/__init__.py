"""What other tools are told of our changes, one kind per file, under the name that policy authors write as `kind`."""
