"""Where changes of the world show, one kind per file, under the name that policy authors write as `kind`."""
