"""Packed rows by owner, candles, and what is not over yet."""

from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, SmallInteger, String

revision = "v0001"
down_revision = None


def _key(name: str, kind: type[BigInteger] | type[SmallInteger] = BigInteger) -> "Column[int]":
    return Column(name, kind, primary_key=True, autoincrement=False)


def upgrade() -> None:
    op.create_table(
        "noted",
        Column("name", String(32), primary_key=True),
        Column("value", String(128), nullable=False),
    )
    numbers = ("last", "low", "high", "first_ns", "last_ns")
    op.create_table(
        "chunk",
        *(_key("epoch"), _key("kind", SmallInteger), _key("owner"), _key("first")),
        *(Column(name, BigInteger, nullable=False) for name in numbers),
        Column("packed", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "candle",
        *(_key("source", SmallInteger), _key("bar_s"), _key("instrument"), _key("begin_s")),
        Column("packed", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "standing",
        *(_key("kind", SmallInteger), _key("one"), _key("two")),
        Column("packed", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
