"""What proves a change or its rollback, with the blanks that only a person can fill in."""

PROOF = """\
  estimate: 5m
  verify:
    - name: Health check returns 200
      source: {kind: http, connection: <airflow_connection>, path: /health, read: status}
      pass: {equals: 200}

watch:
  for: 15m
  every: 10s

validation:
  - name: Health check returns 200
    source: {kind: http, connection: <airflow_connection>, path: /health, read: status}
    pass: {equals: 200}
"""
"""What follows `rollback:` in a ticket that is written for people to fill in, up to its end."""
