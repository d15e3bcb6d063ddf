"""The file of keys: who may log on to a server, and for what.

[[key]]
name = "operator"
secret = "at least sixteen bytes"     # or: public_key = "64 hex digits" (Ed25519)
scopes = ["operate"]                  # of read, trade, withdraw, publish, operate
owner = "alice"                       # whose accounts; only a key that operates does without
"""

from __future__ import annotations

import os
import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exchange_os.errors import InvalidArgument
from exchange_os.words import short_bytes

SCOPES = ("read", "trade", "withdraw", "publish", "operate")
_WORDS = {"name", "secret", "public_key", "scopes", "owner"}
_OWNER_BYTES = 32

Row = tuple[str, bool, bytes, list[str], bytes | None]


@dataclass(frozen=True)
class KeyFile:
    """Keys as a server takes them."""

    rows: list[Row]


def load_keys(path: Path) -> KeyFile:
    """Reads a file of keys; everything unknown in it is refused. Nobody else may be able to read it."""
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise InvalidArgument(f"{path} can be read by others; chmod 600 it, secrets stand in it")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{path}: {error}") from None
    keys = content.pop("key", [])
    if content or not isinstance(keys, list) or not keys:
        raise InvalidArgument(f"{path} has to hold [[key]] tables and nothing else")
    return KeyFile([_row(path, key) for key in keys])


def _row(path: Path, key: Any) -> Row:
    where = f"{path}: key {key.get('name', '?') if isinstance(key, dict) else '?'}"
    if not isinstance(key, dict) or not key.keys() <= _WORDS:
        raise InvalidArgument(f"{where}: its words are {', '.join(sorted(_WORDS))}")
    name, scopes, owner = key.get("name"), key.get("scopes"), key.get("owner")
    if not isinstance(name, str) or not isinstance(scopes, list) or not set(scopes) <= set(SCOPES):
        raise InvalidArgument(f"{where}: it needs a name, and scopes of {', '.join(SCOPES)}")
    if ("secret" in key) == ("public_key" in key):
        raise InvalidArgument(f"{where}: it needs either a secret or a public_key")
    try:
        proof = key["secret"].encode() if "secret" in key else bytes.fromhex(key["public_key"])
    except (AttributeError, TypeError, ValueError):
        raise InvalidArgument(f"{where}: a secret is text, a public_key hex digits") from None
    padded = None if owner is None else short_bytes(owner, "owner").ljust(_OWNER_BYTES, b"\0")
    return (name, "secret" in key, proof, scopes, padded)


def make_keys(path: Path) -> str:
    """Writes a file with one operator's key and returns its secret; an existing file is left alone."""
    secret = secrets.token_hex(24)
    text = f'[[key]]\nname = "operator"\nsecret = "{secret}"\nscopes = ["operate"]\n'
    with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    return secret
