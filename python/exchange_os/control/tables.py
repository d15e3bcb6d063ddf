"""The tables as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

METADATA = MetaData()


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


API_KEY = Table(
    "api_key",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("account", BigInteger, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("public_key", LargeBinary),
    Column("expires_ms", BigInteger),
    Column("addresses", Text, nullable=False),
    Column("label", Text, nullable=False),
    _text("instruments"),
    Column("loss_max", Text),
    _text("source", "operator"),
)
"""`loss_max` in units of the settlement asset. `source`: who granted it, the operator or a wallet."""

KEY_RESULT = Table(
    "key_result",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("instrument", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, nullable=False),
    Column("lots", Text, nullable=False),
    Column("paid", Text, nullable=False),
)
"""What the fills of a key with a limit of loss came to on one day: lots bought less sold, and what was paid
for them with fees, both as decimal texts."""

KEY_ORDER = Table(
    "key_order",
    METADATA,
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
)
"""Whose orders rest: keys with a limit of loss alone."""

OWN_ACCOUNT = Table(
    "own_account",
    METADATA,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("main", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    _text("name"),
    _text("label"),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("main", "kind", "name"),
)
"""Accounts of the engine that belong to a main one: `funding`, of a main or a sub-account, or `sub`."""

TRANSFER = Table(
    "transfer",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("account", BigInteger, nullable=False, index=True),
    Column("client_id", Text, nullable=False),
    Column("sender", BigInteger, nullable=False),
    Column("receiver", BigInteger, nullable=False),
    Column("asset", Text, nullable=False),
    Column("amount", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)
"""Asked for through the interface; `fields` is how the request named both ends, as JSON."""

ADDRESS = Table(
    "withdrawal_address",
    METADATA,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("address", Text, primary_key=True),
    _text("label"),
    Column("usable_ms", BigInteger, nullable=False),
)

WITHDRAWAL = Table(
    "withdrawal",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("account", BigInteger, nullable=False, index=True),
    Column("payer", BigInteger, nullable=False),
    Column("asset", Text, nullable=False),
    Column("amount", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),
    _text("why"),
    Column("created_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger),
)
"""`payer` is the funding account. States: waiting, sending, paid, failed, cancelled, unclear."""


WALLET = Table(
    "wallet",
    METADATA,
    Column("address", Text, primary_key=True),
    Column("account", BigInteger, nullable=False),
    Column("nonce", BigInteger, nullable=False),
)
"""`nonce`: the highest that a trading key of the wallet had."""

NONCE = Table(
    "nonce",
    METADATA,
    Column("nonce", Text, primary_key=True),
    Column("expires_ms", BigInteger, nullable=False),
)
"""Given out for a sign-in, and gone with it."""

SESSION = Table(
    "session",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("wallet", Text, nullable=False),
    Column("account", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
)
"""`digest`: SHA-256 of the token, which lies nowhere."""
