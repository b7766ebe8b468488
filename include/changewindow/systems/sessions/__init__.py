"""Reads what people paste of what they did by hand: shell history, recorded terminals, the audit log of Kubernetes."""
