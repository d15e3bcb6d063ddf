"""API keys: who may do what for which account. Secrets lie encrypted in the control database."""

from __future__ import annotations

import base64
import os
import secrets
import sqlite3
import time
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from exchange_os.errors import InvalidArgument

SCOPES = ("read", "trade", "withdraw")
_KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = 1
_SCHEMA = """
create table if not exists api_key (
    name text primary key, account integer not null, scopes text not null, sealed blob not null,
    public_key blob, expires_ms integer, addresses text not null, label text not null
) strict
"""


class Key(msgspec.Struct, frozen=True):
    """One key. `public_key` is set for Ed25519; an HMAC key has a secret. No `addresses`: from anywhere."""

    name: str
    account: int
    scopes: frozenset[str]
    secret: bytes
    passphrase: str
    public_key: bytes | None = None
    expires_ms: int | None = None
    addresses: frozenset[str] = frozenset()
    label: str = ""


class Keys:
    """The keys of one control database, in memory or in a file, with the file of the key that seals them."""

    def __init__(self, path: Path | None = None) -> None:
        """Opens or makes the database at `path`; the sealing key lies beside it, with the suffix `.key`."""
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None)
        version = self._database.execute("pragma user_version").fetchone()[0]
        if version not in {0, _VERSION}:
            raise InvalidArgument(
                f"the control database has version {version}; this program knows {_VERSION}"
            )
        self._database.execute(_SCHEMA)
        self._database.execute(f"pragma user_version = {_VERSION}")
        self._seal = AESGCM(AESGCM.generate_key(256) if path is None else _sealing_key(path))
        self._known: dict[str, Key] = {}

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
    ) -> Key:
        """A new key of an account; its secret can be read from what is returned, and here never again."""
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not scopes:
            raise InvalidArgument(f"the scopes are {sorted(scopes)}, expected some of {', '.join(SCOPES)}")
        if public_key is not None:
            Ed25519PublicKey.from_public_bytes(public_key)
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
        )
        nonce = os.urandom(_NONCE_BYTES)
        plain = msgspec.json.encode([base64.b64encode(key.secret).decode(), key.passphrase])
        sealed = nonce + self._seal.encrypt(nonce, plain, key.name.encode())
        words = ",".join(sorted(key.scopes)), sealed, public_key, expires_ms, ",".join(sorted(addresses))
        self._database.execute(
            "insert into api_key values (?, ?, ?, ?, ?, ?, ?, ?)", (key.name, account, *words, label)
        )
        return key

    def find(self, name: str) -> Key | None:
        """The key of this name, or None."""
        found = self._known.get(name)
        if found is None and (row := self._row(name)) is not None:
            found = self._known[name] = row
        return found

    def revoke(self, name: str) -> bool:
        """Takes a key away; False if there was none."""
        self._known.pop(name, None)
        return self._database.execute("delete from api_key where name = ?", (name,)).rowcount > 0

    def close(self) -> None:
        self._database.close()

    def _row(self, name: str) -> Key | None:
        row = self._database.execute("select * from api_key where name = ?", (name,)).fetchone()
        if row is None:
            return None
        name, account, scopes, sealed, public_key, expires_ms, addresses, label = row
        try:
            plain = self._seal.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
        except InvalidTag:
            raise InvalidArgument("the control database was sealed with another key file") from None
        secret, passphrase = msgspec.json.decode(plain)
        return Key(
            name=name,
            account=account,
            scopes=frozenset(scopes.split(",")),
            secret=base64.b64decode(secret),
            passphrase=passphrase,
            public_key=public_key,
            expires_ms=expires_ms,
            addresses=frozenset(filter(None, addresses.split(","))),
            label=label,
        )


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def _sealing_key(path: Path) -> bytes:
    """The key beside a database; made, readable by its owner alone, with a database that is new."""
    file = path.with_name(path.name + ".key")
    if not file.exists():
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(os.urandom(_KEY_BYTES))
    found = file.read_bytes()
    if len(found) != _KEY_BYTES:
        raise InvalidArgument(f"{file} has {len(found)} bytes, expected {_KEY_BYTES}")
    return found
