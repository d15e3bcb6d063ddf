"""The tables of history, the same in SQLite and PostgreSQL.

Rows are packed, some of one kind and owner together (`chunk`), and lie in the order in which they came: a
commit touches the newest pages alone. `candle` has one row each; `standing` is what is not over yet.
"""

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, SmallInteger, String, Table

METADATA = MetaData()

NOTED = Table(
    "noted",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("value", String(128), nullable=False),
)
CHUNK = Table(
    "chunk",
    METADATA,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("low", BigInteger, nullable=False),
    Column("high", BigInteger, nullable=False),
    Column("first_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Column("packed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
CANDLE = Table(
    "candle",
    METADATA,
    Column("source", SmallInteger, primary_key=True, autoincrement=False),
    Column("bar_s", BigInteger, primary_key=True, autoincrement=False),
    Column("instrument", BigInteger, primary_key=True, autoincrement=False),
    Column("begin_s", BigInteger, primary_key=True, autoincrement=False),
    Column("packed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
STANDING = Table(
    "standing",
    METADATA,
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("one", BigInteger, primary_key=True, autoincrement=False),
    Column("two", BigInteger, primary_key=True, autoincrement=False),
    Column("packed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
