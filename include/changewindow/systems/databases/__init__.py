"""Databases and their migrations: transactions, statements, locks, Alembic and Flyway."""
