"""One file per kind of source: something that can be measured or probed."""
