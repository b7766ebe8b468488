"""What people write, as text and data: YAML with its lines, types of fields, and what is wrong with it."""
