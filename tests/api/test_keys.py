"""Keys in a database: sealed, reopened, revoked."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from exchange_os.api import Keys
from exchange_os.errors import InvalidArgument


def test_secrets_lie_sealed_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    keys = Keys(path)
    made = keys.create(7, scopes={"read"}, expires_ms=5, addresses={"::1", "127.0.0.1"}, label="bot")
    keys.close()
    stored = path.read_bytes()
    assert made.secret not in stored
    assert made.passphrase.encode() not in stored
    assert (tmp_path / "control.db.key").stat().st_mode & 0o777 == 0o600
    keys = Keys(path)
    assert keys.find(made.name) == made
    keys.close()


def test_another_sealing_key_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    keys = Keys(path)
    made = keys.create(7)
    keys.close()
    seal = tmp_path / "control.db.key"
    seal.write_bytes(bytes(32))
    keys = Keys(path)
    with pytest.raises(InvalidArgument, match="sealed with another key file"):
        keys.find(made.name)
    keys.close()
    seal.write_bytes(bytes(31))
    with pytest.raises(InvalidArgument, match="31 bytes, expected 32"):
        Keys(path)


def test_a_sealed_secret_cannot_be_moved_to_another_key(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    keys = Keys(path)
    first, second = keys.create(1), keys.create(2)
    with sqlite3.connect(path) as database:
        sealed = database.execute("select sealed from api_key where name = ?", (first.name,)).fetchone()[0]
        database.execute("update api_key set sealed = ? where name = ?", (sealed, second.name))
    database.close()
    with pytest.raises(InvalidArgument, match="sealed"):
        keys.find(second.name)
    keys.close()


def test_revoked_and_unknown() -> None:
    keys = Keys()
    made = keys.create(1)
    assert keys.find(made.name) is not None
    assert keys.revoke(made.name)
    assert keys.find(made.name) is None
    assert not keys.revoke(made.name)
    for scopes in (set(), {"read", "everything"}):
        with pytest.raises(InvalidArgument, match="scopes"):
            keys.create(1, scopes=scopes)
    keys.close()


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    with sqlite3.connect(path) as database:
        database.execute("pragma user_version = 2")
    database.close()
    with pytest.raises(InvalidArgument, match="version 2"):
        Keys(path)
