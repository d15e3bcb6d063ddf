"""Limits of keys, accounts that belong together, transfers and withdrawals."""

import sqlalchemy as sa
from alembic import op

revision = "v0002"
down_revision = "v0001"


def upgrade() -> None:
    op.add_column("api_key", sa.Column("instruments", sa.Text, nullable=False, server_default=""))
    op.add_column("api_key", sa.Column("loss_max", sa.Text))
    op.add_column("api_key", sa.Column("source", sa.Text, nullable=False, server_default="operator"))
    op.create_table(
        "key_result",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("instrument", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("lots", sa.Text, nullable=False),
        sa.Column("paid", sa.Text, nullable=False),
    )
    op.create_table(
        "key_order",
        sa.Column("order_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.create_table(
        "own_account",
        sa.Column("account", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("main", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False, server_default=""),
        sa.Column("label", sa.Text, nullable=False, server_default=""),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("main", "kind", "name"),
    )
    op.create_table(
        "transfer",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account", sa.BigInteger, nullable=False, index=True),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("sender", sa.BigInteger, nullable=False),
        sa.Column("receiver", sa.BigInteger, nullable=False),
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("amount", sa.Text, nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "withdrawal_address",
        sa.Column("account", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("label", sa.Text, nullable=False, server_default=""),
        sa.Column("usable_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "withdrawal",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account", sa.BigInteger, nullable=False, index=True),
        sa.Column("payer", sa.BigInteger, nullable=False),
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("amount", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, index=True),
        sa.Column("why", sa.Text, nullable=False, server_default=""),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("due_ms", sa.BigInteger, nullable=False),
        sa.Column("sent_ms", sa.BigInteger),
        sqlite_autoincrement=True,
    )
