"""The database of history: SQLite by a path, in memory without one, or PostgreSQL by its URL."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, delete, event, func, inspect, select, update
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import StaticPool

from exchange_os.errors import InvalidArgument
from exchange_os.history.rows import Kind, Row, Source, rows_of
from exchange_os.history.tables import CANDLE, CHUNK, METADATA, NOTED, STANDING

if TYPE_CHECKING:
    from exchange_os._core import _HistoryBatch

EPOCH_BITS = 19
_MIGRATIONS = Path(__file__).with_name("migrations")
_NUMBER_MAX = 2**63 - 1
_EPOCHS_AT_ONCE = 64
_COLUMNS = [column.name for column in CHUNK.columns]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows: numbers and ids between two that are left out, times between two that are not."""

    after: int = _NUMBER_MAX
    """Rows with a number below it."""
    before: int = 0
    """Rows with a number above it."""
    begin_ns: int = 0
    end_ns: int = _NUMBER_MAX
    id_after: int = _NUMBER_MAX
    """Chunks that may have an id below it; whoever asks looks at the rows."""
    id_before: int = -1
    """Chunks that may have an id above it."""


class Store:
    """One database, for one thread at a time."""

    def __init__(self, place: Path | str | None = None) -> None:
        """`place`: a path, a URL such as `postgresql+psycopg://host/name`, or None for memory.

        `InvalidArgument` if the database cannot be opened, or is of another version.
        """
        self.place = place
        try:
            self._engine = _engine(place)
            self._connection = self._engine.connect()
            with self._connection.begin():
                _migrate(self._connection)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, OperationalError) as error:
            raise InvalidArgument(f"the history cannot be opened: {brief(error)}") from None
        self.number = int(self.noted().get("number", 0))
        """Of the newest row."""
        self._mark = "?" if self._engine.dialect.name == "sqlite" else "%s"

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def clear(self) -> None:
        """Forgets everything."""
        with self._connection.begin():
            for table in METADATA.sorted_tables:
                self._connection.execute(delete(table))
        self.number = 0

    # --- writing ---

    def add(self, batch: _HistoryBatch, chain_hash: str) -> None:
        """The rows of a batch and the position behind them, all or none."""
        sequence, time_ns, number, chunks, candles, standing, gone = batch
        run = self._connection
        with run.begin():
            self._add_chunks(chunks)
            self._put("candle", ("source", "bar_s", "instrument", "begin_s"), candles)
            self._put("standing", ("kind", "one", "two"), standing)
            if gone:
                marks = " and ".join(f"{name} = {self._mark}" for name in ("kind", "one", "two"))
                run.exec_driver_sql(f"delete from standing where {marks}", gone)  # noqa: S608 - names from above
            reached = {"sequence": sequence, "time_ns": time_ns, "number": number, "chain": chain_hash}
            for name, value in reached.items():
                self._note(name, str(value))
        self.number = number

    def _add_chunks(self, chunks: list[tuple[Any, ...]]) -> None:
        if not chunks:
            return
        if self._mark == "?":
            marks = ",".join("?" * len(_COLUMNS))
            self._connection.exec_driver_sql(f"insert into chunk values ({marks})", chunks)  # noqa: S608
            return
        cursor = self._connection.connection.cursor()
        with cursor.copy(f"copy chunk ({','.join(_COLUMNS)}) from stdin (format binary)") as copy:
            copy.set_types(["int8", "int2", *["int8"] * 7, "bytea"])
            for row in chunks:
                copy.write_row(row)

    def _put(self, table: str, keys: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        """New rows, and new content of those that are there."""
        if rows:
            marks, names = ",".join([self._mark] * (len(keys) + 1)), ",".join(keys)
            query = f"insert into {table} ({names},packed) values ({marks}) "  # noqa: S608 - names from above
            query += f"on conflict ({names}) do update set packed = excluded.packed"
            self._connection.exec_driver_sql(query, rows)

    def _note(self, name: str, value: str) -> None:
        changed = self._connection.execute(update(NOTED).where(NOTED.c.name == name).values(value=value))
        if not changed.rowcount:
            self._connection.execute(NOTED.insert().values(name=name, value=value))

    # --- reading ---

    def noted(self) -> dict[str, str]:
        """Where it stands: sequence, time_ns, number of rows, hash of the log's chain; nothing at first."""
        with self._connection.begin():
            rows = self._connection.execute(select(NOTED.c.name, NOTED.c.value))
            return {str(name): str(value) for name, value in rows}

    def standing(self) -> list[tuple[int, int, int, bytes]]:
        """What was not over at the last commit."""
        with self._connection.begin():
            return [
                (kind, one, two, bytes(packed)) for kind, one, two, packed in self._rows(select(STANDING))
            ]

    def rows(self, kind: Kind, owner: int, asked: Asked) -> Iterator[Row]:
        """Rows newest first."""
        newest = min(asked.after - 1, self.number) >> EPOCH_BITS
        oldest, step = (asked.before + 1) >> EPOCH_BITS, 1
        while newest >= oldest:
            begin = max(oldest, newest - step + 1)
            for packed in self._chunks(kind, owner, asked, list(range(begin, newest + 1))):
                for row in reversed(rows_of(kind, packed)):
                    wanted = asked.before < row.number < asked.after
                    if wanted and asked.begin_ns <= row.time_ns <= asked.end_ns:
                        yield row
            newest, step = begin - 1, min(step * 2, _EPOCHS_AT_ONCE)

    def _chunks(self, kind: Kind, owner: int, asked: Asked, epochs: list[int]) -> Iterator[bytes]:
        table = CHUNK.c
        query = select(table.packed, table.first).where(
            table.epoch.in_(epochs), table.kind == int(kind), table.owner == owner
        )
        query = query.where(table.first < asked.after, table.last > asked.before)
        query = query.where(table.first_ns <= asked.end_ns, table.last_ns >= asked.begin_ns)
        query = query.where(table.low < asked.id_after, table.high > asked.id_before)
        below, limit = _NUMBER_MAX, 4
        while True:  # some at a time: a page needs the newest ones alone
            part = (
                query.where(table.first < below).order_by(table.epoch.desc(), table.first.desc()).limit(limit)
            )
            with self._connection.begin():
                found = self._rows(part)
            for packed, _ in found:
                yield bytes(packed)
            if len(found) < limit:
                return
            below, limit = found[-1][1], min(limit * 2, 64)

    def candles(
        self, source: Source, bar_s: int, instrument: int, begin_s: int, end_s: int, limit: int
    ) -> list[Row]:
        """Candles that begin from one second to before another, newest first."""
        table = CANDLE.c
        query = select(table.packed).where(
            table.source == int(source), table.bar_s == bar_s, table.instrument == instrument
        )
        query = query.where(table.begin_s >= begin_s, table.begin_s < end_s)
        with self._connection.begin():
            found = self._rows(query.order_by(table.begin_s.desc()).limit(limit))
        return [rows_of(Kind.CANDLE, bytes(packed))[0] for (packed,) in found]

    def counts(self) -> dict[str, int]:
        """Rows of each table."""
        with self._connection.begin():
            return {
                table.name: self._connection.execute(select(func.count()).select_from(table)).scalar() or 0
                for table in METADATA.sorted_tables
            }

    def _rows(self, query: Any) -> list[Any]:
        return list(self._connection.execute(query).fetchall())


def _engine(place: Path | str | None) -> Engine:
    if isinstance(place, str) and "://" in place:
        return create_engine(place)
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}}
    if place is None:
        engine = create_engine("sqlite://", poolclass=StaticPool, **options)
    else:
        engine = create_engine(f"sqlite:///{place}", **options)

    @event.listens_for(engine, "connect")
    def quick(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("pragma page_size = 16384")  # a chunk fits into a page, beside others
        cursor.execute("pragma journal_mode = wal")
        cursor.execute("pragma synchronous = normal")  # what a power cut takes comes from the log again
        cursor.close()

    return engine


def _migrate(connection: Connection) -> None:
    if "posting" in inspect(connection).get_table_names():
        raise InvalidArgument("the history was written by an older version: rebuild it")
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise InvalidArgument(f"the history is of another version: {error}; rebuild it") from None


def brief(error: BaseException) -> str:
    """The first line, which has no parameters of the connection in it."""
    origin = getattr(error, "orig", None) or error
    return (str(origin).splitlines() or [type(error).__name__])[0]
