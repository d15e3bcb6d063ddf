"""Feeding history: from the log what it has missed, then every event as it is published."""

from __future__ import annotations

import logging
import threading
from os import PathLike
from pathlib import Path

import numpy as np

from exchange_os import log
from exchange_os.errors import EventsGone, InvalidArgument
from exchange_os.exchange import Exchange
from exchange_os.history.store import Asked, FillRow, Store
from exchange_os.records import Events

_BATCH = 65_536
_WAITING_MAX = 4_000_000
_IDLE_S = 0.05
_log = logging.getLogger("exchange_os.history")


class HistoryUnavailable(Exception):
    """History does not know everything up to now, and says so instead of too little."""


class History:
    """A store that follows an exchange.

    Events wait in memory until they are written, by a thread of its own or by whoever asks first. If writing
    fails or too many wait, history is unavailable until it is opened again; the exchange does not notice.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[Events] = []
        self._count = 0
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._stop = threading.Event()
        self._failure: str | None = None
        self._thread: threading.Thread | None = None
        self.sequence = int(store.noted("sequence") or 0)
        """Of the last event that is written."""

    def catch_up(self, directory: str | PathLike[str], *, to_sequence: int | None = None) -> int:
        """Reads from the log of a directory what came since; gives the sequence reached.

        Where a server has it open, up to a sequence that is durable.

        `InvalidArgument` if this is the history of another log, or of one that was longer.
        """
        first = next(iter(log.inspect(directory, to_sequence=1)), None)
        if first is None:
            return self.sequence
        origin = self._store.noted("origin")
        if origin not in {None, first.chain_hash}:
            raise InvalidArgument("this is the history of another exchange: rebuild it")
        self._store.note("origin", first.chain_hash)
        report = log.replay(
            directory,
            from_sequence=self.sequence + 1,
            to_sequence=to_sequence,
            use_snapshots=True,
            on_events=self._hear_logged,
        )
        self.flush()
        if report.sequence < self.sequence:
            raise InvalidArgument(
                f"the history goes to sequence {self.sequence}, the log to {report.sequence}: rebuild it"
            )
        return self.sequence

    def follow(self, exchange: Exchange) -> None:
        """Hears every event of an exchange from now on, and those since `sequence` that it still keeps."""
        self._subscription = exchange.subscribe(self.hear)
        try:
            kept = list(exchange.events(self.sequence + 1))
            if kept:  # at once: a part may end amid the events of a command
                with self._writing:
                    self._write(kept)
        except EventsGone as error:
            self._fail(str(error))
        self._thread = threading.Thread(target=self._work, name="xos-history", daemon=True)
        self._thread.start()

    def hear(self, events: Events) -> None:
        """Takes events to be written soon; never raises and never waits for the disk."""
        with self._lock:
            if self._count + len(events) > _WAITING_MAX:
                self._fail(f"more than {_WAITING_MAX} events wait to be written")
            if self._failure is None:
                self._waiting.append(events)
                self._count += len(events)

    def fills(self, accounts: list[int], asked: Asked, limit: int) -> list[FillRow]:
        """Fills of some accounts, newest first, with everything that was published before this call.

        `HistoryUnavailable` if it is not complete.
        """
        self.flush()
        with self._writing:
            self._check()
            found = [fill for account in accounts for fill in self._store.fills(account, asked, limit)]
        return sorted(found, key=lambda fill: (fill.trade_id, fill.maker), reverse=True)[:limit]

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._subscription.close()
            self._thread.join()
        self.flush()
        self._store.close()

    def _hear_logged(self, events: Events) -> None:
        self.hear(events)
        if self._count >= _BATCH:
            self.flush()
            self._check()

    def _work(self) -> None:
        while not self._stop.wait(_IDLE_S):
            self.flush()

    def flush(self) -> None:
        """Writes what waits."""
        with self._writing:
            with self._lock:
                waiting, self._waiting, self._count = self._waiting, [], 0
            if waiting:
                self._write(waiting)

    def _write(self, waiting: list[Events]) -> None:
        if self._failure is not None:
            return
        events = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
        events = events[events["sequence"] > self.sequence]
        if not len(events):
            return
        reached = int(events["sequence"].max())
        try:
            self._store.add(events, reached)
        except Exception as error:  # noqa: BLE001 - the exchange goes on without its history
            self._fail(str(error))
        else:
            self.sequence = reached

    def _fail(self, why: str) -> None:
        if self._failure is None:
            _log.error("history is unavailable: %s", why)
            self._failure = why

    def _check(self) -> None:
        if self._failure is not None:
            raise HistoryUnavailable(f"history is unavailable: {self._failure}")


def rebuild(directory: str | PathLike[str], path: Path) -> int:
    """Forgets a history and makes it anew from the log of a directory that nobody has open."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    history = History(Store(path))
    try:
        reached = history.catch_up(directory)
        history._check()
        return reached
    finally:
        history.close()
