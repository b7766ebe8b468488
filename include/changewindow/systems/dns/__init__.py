"""DNS: records, the servers that serve them, updates, and how long they take to spread."""
