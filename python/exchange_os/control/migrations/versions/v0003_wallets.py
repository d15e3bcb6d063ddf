"""Wallets, their nonces and sessions."""

import sqlalchemy as sa
from alembic import op

revision = "v0003"
down_revision = "v0002"


def upgrade() -> None:
    op.create_table(
        "wallet",
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("account", sa.BigInteger, nullable=False),
        sa.Column("nonce", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "nonce",
        sa.Column("nonce", sa.Text, primary_key=True),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "session",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("wallet", sa.Text, nullable=False),
        sa.Column("account", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
    )
