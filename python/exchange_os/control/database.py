"""Opening a control database: SQLite by a path, in memory without one, or any database by its URL."""

from __future__ import annotations

import logging
import threading
from contextlib import AbstractContextManager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import StaticPool

from exchange_os.control.sealing import Sealing
from exchange_os.errors import InvalidArgument

_MIGRATIONS = Path(__file__).with_name("migrations")
_FIRST = "v0001"
_FIRST_VERSION = 1
"""What `pragma user_version` said before migrations were kept."""
_LOCK = 4_361_712
"""Of PostgreSQL, while migrations run."""
_MIGRATING = threading.Lock()
"""Alembic keeps what it works on in globals."""


class Database:
    """One database, migrated to the newest version, and the seal of its secrets."""

    def __init__(self, place: Path | str | None = None, *, key_file: Path | None = None) -> None:
        """`place`: a path, a URL such as `postgresql://host/name`, or None for memory.

        The sealing key lies beside a path, with the suffix `.key`; of a database with a URL it has to be
        named. `InvalidArgument` if the database cannot be opened, or is newer than this program.
        """
        url = isinstance(place, str) and "://" in place
        if url and key_file is None:
            raise InvalidArgument("a database with a URL needs a file for the key that seals its secrets")
        if place is not None and not url:
            key_file = key_file or Path(place).with_name(Path(place).name + ".key")
        try:
            self.engine = _engine(place, is_url=url)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise InvalidArgument(f"the control database cannot be opened: {_brief(error)}") from None
        try:
            with _MIGRATING, self.engine.begin() as connection:
                _migrate(connection)
            self.sealing = Sealing(key_file)
        except OperationalError as error:
            self.engine.dispose()
            raise InvalidArgument(f"the control database cannot be opened: {_brief(error)}") from None
        except BaseException:
            self.engine.dispose()
            raise

    def begin(self) -> AbstractContextManager[Connection]:
        """A transaction, as a context manager that gives its connection."""
        return self.engine.begin()

    def close(self) -> None:
        self.engine.dispose()


def _engine(place: Path | str | None, *, is_url: bool) -> Engine:
    if is_url:
        url = str(place).replace("postgresql://", "postgresql+psycopg://", 1)
        return create_engine(url, pool_pre_ping=True)
    if place is None:
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = create_engine(f"sqlite:///{place}")

    @event.listens_for(engine, "connect")
    def safe(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("pragma journal_mode = wal")
        cursor.execute("pragma synchronous = full")
        cursor.close()

    return engine


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if connection.dialect.name == "postgresql":  # another process may be opening it too
        connection.execute(text(f"select pg_advisory_xact_lock({_LOCK})"))
    names = inspect(connection).get_table_names()
    if connection.dialect.name == "sqlite" and "alembic_version" not in names:
        version = connection.execute(text("pragma user_version")).scalar() or 0
        if version not in {0, _FIRST_VERSION}:
            raise InvalidArgument(
                f"the control database has version {version}; this program knows {_FIRST_VERSION}"
            )
        if "api_key" in names:
            command.stamp(config, _FIRST)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise InvalidArgument(f"the control database is of another version: {error}") from None


def _brief(error: Exception) -> str:
    """The first line, which has no parameters of the connection in it."""
    origin = getattr(error, "orig", None) or error
    return (str(origin).splitlines() or [type(error).__name__])[0]
