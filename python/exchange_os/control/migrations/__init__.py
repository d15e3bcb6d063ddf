"""Migrations of the control database, run by alembic when it is opened."""
