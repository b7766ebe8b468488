"""HTTP services: requests, and values inside of JSON."""
