"""Migrations of the history, run by alembic when it is opened."""
