"""What people write, as text and data: YAML with its lines, types of fields, findings with their wording."""
