"""A program that tells where a database stands among Alembic's migrations; see `__main__`."""
