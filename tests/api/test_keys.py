"""Keys in a database: sealed, reopened, revoked."""

from __future__ import annotations

import sqlite3
import time
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from exchange_os.api import Keys
from exchange_os.api.replays import Replays
from exchange_os.control import Database, Sealing
from exchange_os.control.tables import METADATA
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
    with pytest.raises(InvalidArgument, match="31 bytes, expected 32 for each key"):
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


def test_everything_of_a_key_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    keys = Keys(path)
    words = {"instruments": {"ETH-USDC", "BTC-USDC"}, "loss_max": Decimal("12.5"), "source": "wallet"}
    made = keys.create(7, public_key=bytes(range(1, 33)), expires_ms=2**40, **words)
    keys.close()
    keys = Keys(path)
    assert keys.find(made.name) == made
    (listed,) = keys.all(7)
    assert (listed.name, listed.passphrase, listed.loss_max) == (made.name, "", Decimal("12.5"))
    assert keys.all(8) == []
    keys.close()


def test_the_seal_is_changed_and_the_old_one_opens_nothing_more(tmp_path: Path) -> None:
    path, seal = tmp_path / "control.db", tmp_path / "control.db.key"
    keys = Keys(path)
    made = [keys.create(each) for each in (1, 2, 3)]
    before = seal.read_bytes()
    assert keys.rotate() == 3
    assert len(seal.read_bytes()) == 32
    assert seal.read_bytes() != before
    assert seal.stat().st_mode & 0o777 == 0o600
    keys.close()
    keys = Keys(path)
    assert [keys.find(each.name) for each in made] == made
    keys.close()
    seal.write_bytes(before)
    keys = Keys(path)
    with pytest.raises(InvalidArgument, match="sealed with another"):
        keys.find(made[0].name)
    keys.close()


def test_a_break_while_the_seal_is_changed_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    keys = Keys(path)
    made = keys.create(1)
    keys.database.sealing.begin_rotation()
    later = keys.create(1)
    keys.close()
    assert len((tmp_path / "control.db.key").read_bytes()) == 64
    keys = Keys(path)
    assert [keys.find(each.name) for each in (made, later)] == [made, later]
    keys.close()


def test_sealing_without_a_file_is_forgotten() -> None:
    first, second = Sealing(), Sealing()
    sealed = first.seal(b"secret", "owner")
    assert first.open(sealed, "owner") == b"secret"
    for sealing, owner in ((first, "another"), (second, "owner")):
        with pytest.raises(InvalidArgument, match="sealed with another"):
            sealing.open(sealed, owner)


def test_a_database_from_before_migrations_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    keys = Keys(path)
    made = keys.create(7, label="old")
    row = [made.name, 7, "read,trade", sealed_of(path, made.name), None, None, "", "old"]
    keys.close()
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute(
            "create table api_key (name text primary key, account integer not null, scopes text not null, "
            "sealed blob not null, public_key blob, expires_ms integer, addresses text not null, "
            "label text not null) strict"
        )
        database.execute("insert into api_key values (?, ?, ?, ?, ?, ?, ?, ?)", row)
        database.execute("pragma user_version = 1")
    database.close()
    keys = Keys(path)
    assert keys.find(made.name) == made
    keys.close()


def sealed_of(path: Path, name: str) -> bytes:
    with sqlite3.connect(path) as database:
        found: bytes = database.execute("select sealed from api_key where name = ?", (name,)).fetchone()[0]
    database.close()
    return found


def test_the_migrations_make_what_the_tables_say() -> None:
    database = Database()
    with database.begin() as run:
        assert compare_metadata(MigrationContext.configure(run), METADATA) == []
    database.close()


def test_a_database_that_is_newer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    Keys(path).close()
    with sqlite3.connect(path) as database:
        database.execute("update alembic_version set version_num = 'v9999'")
    database.close()
    with pytest.raises(InvalidArgument, match=r"another version.*v9999"):
        Keys(path)


def test_a_database_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="cannot be opened: unable to open"):
        Keys(tmp_path / "missing" / "control.db")
    with pytest.raises(InvalidArgument, match="needs a file for the key"):
        Database("postgresql+psycopg://nowhere/x")
    with pytest.raises(InvalidArgument, match="cannot be opened"):
        Database("nosuch://nowhere/x", key_file=tmp_path / "key")


def test_what_another_process_revoked_counts_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = Keys(tmp_path / "control.db"), Keys(tmp_path / "control.db")
    made = here.create(1)
    assert there.find(made.name) == made
    assert here.revoke(made.name)
    assert there.find(made.name) == made
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 2.1)
    assert there.find(made.name) is None
    here.close()
    there.close()


def test_what_was_signed_counts_once_within_its_time() -> None:
    replays = Replays(30_000)
    assert replays.is_new("key", b"text", 0)
    assert not replays.is_new("key", b"text", 60_000)
    assert not replays.is_new("key", b"text", 119_999)
    assert replays.is_new("other", b"text", 0)
    assert replays.is_new("key", b"text2", 119_999)
    assert replays.is_new("key", b"text", 120_000)  # its timestamp no longer counts anyway
