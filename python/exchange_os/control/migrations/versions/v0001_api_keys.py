"""API keys."""

import sqlalchemy as sa
from alembic import op

revision = "v0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("account", sa.BigInteger, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("public_key", sa.LargeBinary),
        sa.Column("expires_ms", sa.BigInteger),
        sa.Column("addresses", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
    )
