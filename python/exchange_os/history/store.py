"""The tables of history in SQLite, and how they are read.

`trade` grows at its end. Which trades an account took part in stands packed in `posting`, whose newest pages
are the only ones that a commit touches: a plain index by account would be written all over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from exchange_os.errors import InvalidArgument
from exchange_os.history.columns import EPOCH_BITS, client_ids, postings, trade_rows, unpacked
from exchange_os.records import Events

_VERSION = 1
_SCHEMA = """
create table if not exists position (name text primary key, value text not null) without rowid;
create table if not exists trade (
    trade_id integer primary key, sequence integer, instrument integer, side integer, price integer,
    qty integer, time_ns integer, taker integer, taker_order integer, taker_fee blob,
    maker integer, maker_order integer, maker_fee blob
);
create table if not exists posting (
    epoch integer, account integer, first integer, places blob, primary key (epoch, account, first)
) without rowid;
create table if not exists client (order_id integer primary key, client_id blob);
"""
_AT_ONCE = 500
_PLACES_MAX = 2**62


class FillRow(msgspec.Struct, frozen=True):
    """One side of a trade, in ticks, lots and atoms. `fee`: positive is paid."""

    trade_id: int
    order_id: int
    account: int
    instrument: int
    client_id: bytes
    side: int
    price: int
    qty: int
    fee: int
    maker: bool
    time_ns: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which fills: those of trades after `before_id` and before `after_id`, from `begin_ns` to `end_ns`."""

    after_id: int | None = None
    before_id: int = 0
    begin_ns: int = 0
    end_ns: int | None = None
    instruments: frozenset[int] | None = None
    order_id: int | None = None

    def wants(self, fill: FillRow) -> bool:
        return (
            fill.time_ns >= self.begin_ns
            and (self.end_ns is None or fill.time_ns <= self.end_ns)
            and (self.instruments is None or fill.instrument in self.instruments)
            and (self.order_id is None or fill.order_id == self.order_id)
        )


class Store:
    """One database, for one thread at a time."""

    def __init__(self, path: Path | None = None) -> None:
        """Opens or makes the database at `path`; in memory without one."""
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        version = self._database.execute("pragma user_version").fetchone()[0]
        if version not in {0, _VERSION}:
            self._database.close()
            raise InvalidArgument(f"the history has version {version}, known is {_VERSION}: rebuild it")
        self._database.execute("pragma journal_mode = wal")
        self._database.execute(
            "pragma synchronous = normal"
        )  # what a power cut takes comes from the log again
        self._database.executescript(_SCHEMA)
        self._database.execute(f"pragma user_version = {_VERSION}")

    def close(self) -> None:
        self._database.close()

    def clear(self) -> None:
        """Forgets everything."""
        for table in ("position", "trade", "posting", "client"):
            self._database.execute(f"delete from {table}")  # noqa: S608 - names from the line above

    def noted(self, name: str) -> str | None:
        row = self._database.execute("select value from position where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note(self, name: str, value: str) -> None:
        self._database.execute("insert or replace into position values (?, ?)", (name, value))

    def add(self, events: Events, sequence: int) -> None:
        """Events and the position behind them, both or neither."""
        run = self._database
        run.execute("begin")
        try:
            run.executemany(f"insert into trade values ({','.join('?' * 13)})", trade_rows(events))  # noqa: S608
            run.executemany("insert into posting values (?, ?, ?, ?)", postings(events))
            run.executemany("insert into client values (?, ?)", client_ids(events))
            self.note("sequence", str(sequence))
            run.execute("commit")
        except BaseException:
            run.execute("rollback")
            raise

    def fills(self, account: int, asked: Asked, limit: int) -> list[FillRow]:
        """Fills of an account, newest first."""
        found: list[FillRow] = []
        for places in self._places(account, asked):
            for fill in self._rows(places):
                if fill.time_ns < asked.begin_ns or len(found) == limit:
                    return found
                if asked.wants(fill):
                    found.append(fill)
        return found

    def _places(self, account: int, asked: Asked) -> Iterator[list[int]]:
        """Places of the fills of an account in the range of ids, newest first, some at a time."""
        newest = self._database.execute("select max(epoch) from posting").fetchone()[0]
        below = _PLACES_MAX if asked.after_id is None else 2 * asked.after_id
        above = 2 * asked.before_id + 1
        last = -1 if newest is None else min(int(newest), (below - 1) >> (EPOCH_BITS + 1))
        for epoch in range(last, (above >> (EPOCH_BITS + 1)) - 1, -1):
            rows = self._database.execute(
                "select first, places from posting where epoch = ? and account = ? order by first desc",
                (epoch, account),
            )
            waiting: list[int] = []
            for first, blob in rows:
                places = unpacked(first, blob)
                chosen = places[(places > above) & (places < below)]
                waiting += np.flip(chosen).tolist()
                while len(waiting) >= _AT_ONCE:
                    yield waiting[:_AT_ONCE]
                    waiting = waiting[_AT_ONCE:]
            if waiting:
                yield waiting

    def _rows(self, places: list[int]) -> Iterator[FillRow]:
        """The fills at some places, in the order of the places."""
        ids = sorted({place >> 1 for place in places})
        marks = ",".join("?" * len(ids))
        query = f"select * from trade where trade_id in ({marks})"  # noqa: S608
        trades = {row[0]: row for row in self._database.execute(query, ids)}
        orders = sorted({trades[place >> 1][11 if place & 1 else 8] for place in places})
        marks = ",".join("?" * len(orders))
        query = f"select order_id, client_id from client where order_id in ({marks})"  # noqa: S608
        names = dict(self._database.execute(query, orders).fetchall())
        for place in places:
            number, _, instrument, side, price, qty, time_ns, *sides = trades[place >> 1]
            account, order_id, fee = sides[3:] if place & 1 else sides[:3]
            yield FillRow(
                trade_id=number,
                order_id=order_id,
                account=account,
                instrument=instrument,
                client_id=names.get(order_id, b""),
                side=side ^ (place & 1),
                price=price,
                qty=qty,
                fee=int(fee),
                maker=bool(place & 1),
                time_ns=time_ns,
            )
