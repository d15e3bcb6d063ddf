"""API keys: who may do what for which account. Secrets lie sealed in the control database."""

from __future__ import annotations

import base64
import secrets
import time
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import delete, insert, or_, select, update

from exchange_os.api.replays import Replays
from exchange_os.control import Database
from exchange_os.control.tables import API_KEY
from exchange_os.errors import InvalidArgument

SCOPES = ("read", "trade", "withdraw", "operate")
SKEW_MS_MAX = 30_000
"""How far the timestamp of a request may be off."""
_FRESH_S = 2.0
_LABEL_MAX = 100
_LIST_MAX = 50


class Key(msgspec.Struct, frozen=True):
    """One key. `public_key` is set for Ed25519; an HMAC key has a secret.

    No `addresses` (single ones or networks): from anywhere. No `instruments`: all. A key whose fills of this
    UTC day lost `loss_max` units of the settlement asset or more may only reduce and cancel.
    """

    name: str
    account: int
    scopes: frozenset[str]
    secret: bytes
    passphrase: str
    public_key: bytes | None = None
    expires_ms: int | None = None
    addresses: frozenset[str] = frozenset()
    label: str = ""
    instruments: frozenset[str] = frozenset()
    loss_max: Decimal | None = None
    source: str = "operator"

    def admits(self, address: str) -> bool:
        """Whether a request may come from there."""
        if not self.addresses:
            return True
        try:
            given = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(given, "ipv4_mapped", None) or given
        return any(mapped in network or given in network for network in map(_network, self.addresses))


class Keys:
    """The keys of one control database."""

    def __init__(self, database: Database | Path | None = None) -> None:
        """Of a database, or of one that is opened or made at a path; in memory without either."""
        self.database = database if isinstance(database, Database) else Database(database)
        self._known: dict[str, tuple[Key | None, float]] = {}
        self.replays = Replays(SKEW_MS_MAX)

    def create(
        self,
        account: int,
        *,
        scopes: frozenset[str] | set[str] = frozenset({"read", "trade"}),
        passphrase: str | None = None,
        public_key: bytes | None = None,
        expires_ms: int | None = None,
        addresses: frozenset[str] | set[str] = frozenset(),
        label: str = "",
        instruments: frozenset[str] | set[str] = frozenset(),
        loss_max: Decimal | int | str | None = None,
        source: str = "operator",
    ) -> Key:
        """A new key of an account; its secret can be read from what is returned, and here never again."""
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not scopes:
            raise InvalidArgument(f"the scopes are {sorted(scopes)}, expected some of {', '.join(SCOPES)}")
        if public_key is not None:
            _check_public_key(public_key)
        for address in addresses:
            _network(address)
        if max(len(addresses), len(instruments)) > _LIST_MAX or len(label) > _LABEL_MAX:
            raise InvalidArgument(
                f"a key has at most {_LIST_MAX} addresses or instruments, a label {_LABEL_MAX} letters"
            )
        most = None if loss_max is None else Decimal(loss_max)
        if most is not None and not (most.is_finite() and most > 0):
            raise InvalidArgument(f"a limit of loss is {loss_max}, expected a number above 0")
        key = Key(
            name=secrets.token_hex(16),
            account=account,
            scopes=frozenset(scopes),
            secret=b"" if public_key else secrets.token_hex(16).upper().encode(),
            passphrase=passphrase or secrets.token_urlsafe(12),
            public_key=public_key,
            expires_ms=expires_ms,
            addresses=frozenset(addresses),
            label=label,
            instruments=frozenset(instruments),
            loss_max=most,
            source=source,
        )
        with self.database.begin() as run:
            run.execute(insert(API_KEY).values(**self._row(key)))
        self._known.pop(key.name, None)
        return key

    def find(self, name: str) -> Key | None:
        """The key of this name, or None. What another process changed counts two seconds later at most."""
        known = self._known.get(name)
        if known is None or time.monotonic() - known[1] > _FRESH_S:
            with self.database.begin() as run:
                row = run.execute(select(API_KEY).where(API_KEY.c.name == name)).mappings().first()
            if row is None:
                self._known.pop(name, None)
                return None
            known = self._known[name] = self._key(row), time.monotonic()
        return known[0]

    def all(self, account: int | None = None) -> list[Key]:
        """The keys of an account, or of everybody; their secrets are left out."""
        query = select(API_KEY).order_by(API_KEY.c.account, API_KEY.c.name)
        with self.database.begin() as run:
            rows = run.execute(query if account is None else query.where(API_KEY.c.account == account))
            found = [self._key(row) for row in rows.mappings()]
        return [msgspec.structs.replace(key, secret=b"", passphrase="") for key in found]

    def names(self) -> set[str]:
        """Of the keys that stand and are not over."""
        query = select(API_KEY.c.name).where(
            or_(API_KEY.c.expires_ms.is_(None), API_KEY.c.expires_ms > now_ms())
        )
        with self.database.begin() as run:
            return set(run.execute(query).scalars())

    def revoke(self, name: str) -> bool:
        """Takes a key away; False if there was none."""
        self._known.pop(name, None)
        with self.database.begin() as run:
            return bool(run.execute(delete(API_KEY).where(API_KEY.c.name == name)).rowcount)

    def rotate(self) -> int:
        """Seals all secrets anew under a new key, and forgets the one before; how many there were."""
        sealing = self.database.sealing
        sealing.begin_rotation()
        with self.database.begin() as run:
            rows = run.execute(select(API_KEY.c.name, API_KEY.c.sealed)).all()
            for name, sealed in rows:
                fresh = sealing.seal(sealing.open(sealed, name), name)
                run.execute(update(API_KEY).where(API_KEY.c.name == name).values(sealed=fresh))
        sealing.end_rotation()
        return len(rows)

    def close(self) -> None:
        self.database.close()

    def _row(self, key: Key) -> dict[str, Any]:
        plain = msgspec.json.encode([base64.b64encode(key.secret).decode(), key.passphrase])
        return {
            "name": key.name,
            "account": key.account,
            "scopes": ",".join(sorted(key.scopes)),
            "sealed": self.database.sealing.seal(plain, key.name),
            "public_key": key.public_key,
            "expires_ms": key.expires_ms,
            "addresses": ",".join(sorted(key.addresses)),
            "label": key.label,
            "instruments": ",".join(sorted(key.instruments)),
            "loss_max": None if key.loss_max is None else f"{key.loss_max:f}",
            "source": key.source,
        }

    def _key(self, row: Any) -> Key:
        plain = self.database.sealing.open(row["sealed"], row["name"])
        secret, passphrase = msgspec.json.decode(plain)
        return Key(
            name=row["name"],
            account=row["account"],
            scopes=_words(row["scopes"]),
            secret=base64.b64decode(secret),
            passphrase=passphrase,
            public_key=row["public_key"],
            expires_ms=row["expires_ms"],
            addresses=_words(row["addresses"]),
            label=row["label"],
            instruments=_words(row["instruments"]),
            loss_max=None if row["loss_max"] is None else Decimal(row["loss_max"]),
            source=row["source"],
        )


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def _words(given: str) -> frozenset[str]:
    return frozenset(filter(None, given.split(",")))


def _network(address: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(address, strict=False)
    except ValueError:
        raise InvalidArgument(f"{address[:60]!r} is no internet address or network") from None


def _check_public_key(given: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(given)
    except ValueError:
        raise InvalidArgument(f"a public key of Ed25519 has 32 bytes, this one {len(given)}") from None
