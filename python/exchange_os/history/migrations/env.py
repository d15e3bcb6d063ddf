"""What alembic runs: inside the transaction of whoever opens the database."""

from alembic import context

from exchange_os.history.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
