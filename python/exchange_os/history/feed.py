"""History follows the log: what is missing at first, then what is written to it, until somebody closes it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from exchange_os import _core
from exchange_os.bounds import directory_text
from exchange_os.errors import Error, InvalidArgument
from exchange_os.history.store import Store, brief

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange_os._core import _HistoryBatch

_COMMANDS_AT_ONCE = 32_768
"""Of a batch while somebody may wait for it."""
_COMMANDS_IN_BULK = 262_144
"""Of a batch when nobody does: larger ones are written faster."""
_WAITED_S = 0.5
_IDLE_S = 0.05
_BEHIND_MAX = 65_536
"""Commands for which nobody waits: it is said at once that history is behind."""
_END = 2**64 - 1
_log = logging.getLogger("exchange_os.history")


class Followed(Protocol):
    """What history asks of an exchange: how far it has answered."""

    @property
    def sequence(self) -> int: ...


class HistoryUnavailable(Exception):
    """History does not know everything up to now, and says so instead of too little."""


class History:
    """A store that follows the log in a directory.

    Nothing of it touches the exchange: the log waits where it is while history is behind, cannot write, or is
    gone. It goes on by itself when it can. Meanwhile whoever asks gets `HistoryUnavailable`.
    """

    def __init__(self, store: Store, directory: str | PathLike[str]) -> None:
        self.store = store
        self.directory = Path(directory)
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._reader: _core.HistoryReader | None = None
        self._pending: tuple[_HistoryBatch, str] | None = None
        self._failure: str | None = None
        self._exchange: Followed | None = None
        self._thread: threading.Thread | None = None
        noted = store.noted()
        self.sequence = int(noted.get("sequence", 0))
        """Of the last command whose rows are written."""

    def catch_up(self, progress: Callable[[int, int], object] | None = None) -> int:
        """Writes all that stands in the log; gives the sequence reached. `progress` hears that, and the last.

        `InvalidArgument` if this is the history of another log, or of one that was longer.
        """
        last = _core.Inspector(directory_text(self.directory), 1, 1).end() if progress else 0
        with self._lock:
            while self._write_some(_END, _COMMANDS_IN_BULK):
                if progress is not None:
                    progress(self.sequence, max(last, self.sequence))
            return self.sequence

    def follow(self, exchange: Followed) -> None:
        """Follows what the exchange answers from now on, in a thread of its own."""
        self._exchange = exchange
        self._thread = threading.Thread(target=self._work, name="xos-history", daemon=True)
        self._thread.start()

    @contextmanager
    def reading(self) -> Iterator[Store]:
        """The store, with everything that the exchange answered before; nobody writes meanwhile.

        `HistoryUnavailable` if that is not there within half a second.
        """
        wanted = self.sequence if self._exchange is None else self._exchange.sequence
        if self._thread is not None and wanted - self.sequence > _BEHIND_MAX:
            raise HistoryUnavailable(f"history is unavailable: {self._failure or self._behind(wanted)}")
        if not self._lock.acquire(timeout=_WAITED_S):
            raise HistoryUnavailable("history is unavailable: it is busy writing")
        try:
            deadline = time.monotonic() + _WAITED_S
            while self.sequence < wanted:
                self._try(wanted)
                if self._failure is not None:
                    raise HistoryUnavailable(f"history is unavailable: {self._failure}")
                if self.sequence < wanted and time.monotonic() > deadline:
                    raise HistoryUnavailable(f"history is unavailable: {self._behind(wanted)}")
            if self._failure is not None:
                raise HistoryUnavailable(f"history is unavailable: {self._failure}")
            try:
                yield self.store
            except Error:
                raise
            except Exception as error:
                if not _is_of_database(error):
                    raise
                self._fail(brief(error))
                raise HistoryUnavailable(f"history is unavailable: {self._failure}") from error
        finally:
            self._lock.release()

    def close(self) -> None:
        """Stops following; what is not written yet is read from the log another time."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.store.close()

    # --- inside ---

    def _behind(self, wanted: int) -> str:
        return f"it is {wanted - self.sequence} commands behind"

    def _work(self) -> None:
        while not self._stop.wait(_IDLE_S):
            with self._lock:
                wanted = _END if self._exchange is None else self._sequence_answered()
                while self.sequence < wanted and not self._stop.is_set():
                    before = self.sequence
                    self._try(wanted)
                    if self.sequence == before:
                        break

    def _sequence_answered(self) -> int:
        try:
            return 0 if self._exchange is None else self._exchange.sequence
        except Error:  # closed, or halted: there is nothing more to come
            return 0

    def _try(self, wanted: int) -> None:
        """Writes some rows; whatever goes wrong is said to whoever asks, and tried again the next time."""
        try:
            self._write_some(wanted, _COMMANDS_AT_ONCE)
        except Exception as error:  # noqa: BLE001 - the exchange goes on without its history
            self._fail(brief(error))
        else:
            self._failure = None

    def _write_some(self, to_sequence: int, commands_most: int) -> bool:
        """Whether there was anything to write."""
        if self._pending is None:
            reader = self._opened()
            batch = reader.advance(to_sequence, commands_most)
            if batch is None:
                return False
            self._pending = batch, reader.chain_hash().hex()
        batch, chain = self._pending
        self.store.add(batch, chain)
        self.sequence, self._pending = batch[0], None
        return True

    def _opened(self) -> _core.HistoryReader:
        """The reader of the log, from where the store stands."""
        if self._reader is not None:
            return self._reader
        noted, path = self.store.noted(), directory_text(self.directory)
        try:
            reader = _core.HistoryReader(path, self.sequence, self.store.number, self.store.standing())
        except Error as error:
            if not self.sequence:
                raise
            raise InvalidArgument(
                f"the log does not go on from sequence {self.sequence} of the history: {error}; rebuild it"
            ) from error
        if self.sequence and reader.chain_hash().hex() != noted["chain"]:
            raise InvalidArgument("this is the history of another log: rebuild it")
        self._reader = reader
        return reader

    def _fail(self, why: str) -> None:
        if self._failure is None:
            _log.error("history is unavailable: %s", why)
        self._failure = why


def _is_of_database(error: Exception) -> bool:
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, SQLAlchemyError)


def rebuild(
    directory: str | PathLike[str],
    place: Path | str,
    progress: Callable[[int, int], object] | None = None,
) -> int:
    """Forgets a history and makes it anew from the log in a directory; gives the sequence reached."""
    if not (isinstance(place, str) and "://" in place):
        for suffix in ("", "-wal", "-shm"):
            Path(f"{place}{suffix}").unlink(missing_ok=True)
    store = Store(place)
    store.clear()
    history = History(store, directory)
    try:
        return history.catch_up(progress)
    finally:
        history.close()
