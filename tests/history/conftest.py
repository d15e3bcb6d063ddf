"""A PostgreSQL server of the tests' own, where its programs are installed."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _program(name: str) -> str | None:
    return shutil.which(name) or next((str(p / name) for p in _PLACES if (p / name).exists()), None)


def _user() -> str | None:
    """Who runs the server: it refuses to be root."""
    if os.geteuid():
        return getpass.getuser()
    known = [each.pw_name for each in pwd.getpwall()]
    return next((name for name in ("postgres", "nobody") if name in known), None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server on a Unix socket in a folder of its own, without a database name at its end."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    initdb, pg_ctl, user = _program("initdb"), _program("pg_ctl"), _user()
    if initdb is None or pg_ctl is None:
        pytest.skip("PostgreSQL is not installed (Debian, Ubuntu: apt install postgresql)")
    if user is None:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")
    folder = Path(tempfile.mkdtemp(prefix="xos-postgres-"))
    owner = pwd.getpwnam(user)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    data, as_user = folder / "data", ({"user": user} if not os.geteuid() else {})

    def run(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True, cwd=folder, **as_user)

    run(initdb, "-D", str(data), "-U", "xos", "-A", "trust", "--no-sync", "-E", "UTF8")
    # No TCP at all; nothing here has to survive a power cut.
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c synchronous_commit=off"
    run(pg_ctl, "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql+psycopg://xos@/{{name}}?host={folder}"
    finally:
        run(pg_ctl, "-D", str(data), "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """The URL of an empty database."""
    from sqlalchemy import create_engine, text

    name = f"h{uuid4().hex[:12]}"
    admin = create_engine(postgres.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"create database {name}"))
    yield postgres.format(name=name)
    with admin.connect() as connection:
        connection.execute(text(f"drop database {name} with (force)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a history lies: a file, and a database of PostgreSQL."""
    if request.param == "sqlite":
        return tmp_path / "data.history.db"
    return str(request.getfixturevalue("postgres_url"))
