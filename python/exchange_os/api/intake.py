"""Commands of many requests, gathered: while one frame waits for its disk, the next fills.

One thread sends them, in the order in which they came; everything else stays in the event loop. The thread
hands the events of its frame over together with the answers, so that whoever is answered finds the recorder
up to date.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

from exchange_os.errors import Error
from exchange_os.exchange import Exchange
from exchange_os.records import Events
from exchange_os.rows import (
    ACCOUNT,
    AMOUNT,
    CLIENT_ID_AT,
    COMMAND,
    COUNTER_AMOUNT,
    COUNTERPART,
    DETAIL,
    EVENT,
    FLAGS,
    INSTRUMENT,
    KIND,
    NO_ID,
    ORDER,
    PRICE,
    QTY,
    REASON,
    REMAINING,
    SEQUENCE,
    SIDE,
    TIME,
    TRADES,
    EventRow,
    Found,
    is_of_time,
    outcomes,
)

T = TypeVar("T")
Note = tuple[str, ...]
"""What a request says of its order that no event carries: ordType, tdMode, tag; perhaps who asked."""
Hear = Callable[[Sequence[EventRow], Mapping[int, Note]], None]
"""Events, and notes by the sequence of their command."""

__all__ = [
    "ACCOUNT",
    "AMOUNT",
    "COMMAND",
    "COUNTERPART",
    "COUNTER_AMOUNT",
    "DETAIL",
    "EVENT",
    "FLAGS",
    "INSTRUMENT",
    "KIND",
    "ORDER",
    "PRICE",
    "QTY",
    "REASON",
    "REMAINING",
    "SEQUENCE",
    "SIDE",
    "TIME",
    "TRADES",
    "EventRow",
    "Found",
    "Hear",
    "Intake",
    "Note",
    "is_of_time",
    "outcomes",
]


class _Frame:
    """Commands that are sent together, and who waits for them."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.notes: list[Note | None] = []
        self.ids: set[bytes] = set()
        self.waiting: list[tuple[asyncio.Future[Found], int, int]] = []


class Intake:
    """The only way by which requests change the exchange."""

    def __init__(self, exchange: Exchange, hear: Hear) -> None:
        """`hear` gets every event, of whoever: in the event loop once `start` was called."""
        self._exchange, self._hear = exchange, hear
        self._frame_max = exchange.limits["frame_commands_max"]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._items: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._frames: list[_Frame] = []
        self._busy = False
        self._heard: list[EventRow] | None = None
        self._notes: dict[int, Note] = {}
        self._thread = threading.Thread(target=self._work, name="xos-intake", daemon=True)
        self.subscription = exchange.subscribe(self._published)

    def before(self) -> Sequence[EventRow] | None:
        """What happened before, as far as it is to be heard; None: nothing is."""
        return None

    def start(self) -> None:
        """From now on events are heard in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self) -> None:
        """Lets what was sent become durable, and hears no more."""
        self.subscription.close()
        if self._loop is not None:
            self._items.put(None)
            self._thread.join()

    async def send(self, records: Sequence[bytes], notes: Sequence[Note | None]) -> Found:
        """The outcome event of each record, once all are durable, in order, nothing between them."""
        assert self._loop is not None
        ids = [record[CLIENT_ID_AT] for record in records if record[CLIENT_ID_AT] != NO_ID]
        frame = self._frames[-1] if self._frames else None
        full = frame is None or len(frame.records) + len(records) > self._frame_max
        if frame is None or full or not frame.ids.isdisjoint(ids):
            frame = _Frame()
            self._frames.append(frame)
        future: asyncio.Future[Found] = self._loop.create_future()
        begin = len(frame.records)
        frame.records.extend(records)
        frame.notes.extend(notes)
        frame.ids.update(ids)
        frame.waiting.append((future, begin, len(frame.records)))
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._go)
        return await future

    async def call(self, work: Callable[[], T]) -> T:
        """What a method of the exchange gives that is not a record; it runs between two frames."""
        assert self._loop is not None
        future: asyncio.Future[T] = self._loop.create_future()

        def finish(done: T | None, error: Exception | None) -> None:
            if not future.done():
                future.set_result(done) if error is None else future.set_exception(error)  # type: ignore[arg-type]

        self._items.put(lambda: self._run(work, finish))
        return await future

    def _go(self) -> None:
        if not self._frames:
            self._busy = False
            return
        frame = self._frames.pop(0)

        def finish(found: Found | None, error: Exception | None) -> None:
            for future, begin, end in frame.waiting:
                if future.done():  # whoever asked has gone
                    continue
                if found is None:
                    future.set_exception(error or AssertionError("neither outcomes nor an error"))
                else:
                    future.set_result(found[begin:end])
            self._go()

        self._items.put(lambda: self._run(lambda: self._submitted(frame), finish))

    def _submitted(self, frame: _Frame) -> Found:
        core = self._exchange._core
        first = core.sequence() + 1
        self._notes = {first + place: note for place, note in enumerate(frame.notes) if note is not None}
        events = core.submit(b"".join(frame.records), None)
        self._exchange._publish()
        return outcomes(frame.records, first, list(EVENT.iter_unpack(events)))

    # --- in the thread ---

    def _work(self) -> None:
        while (item := self._items.get()) is not None:
            item()

    def _run(self, work: Callable[[], T], finish: Callable[[T | None, Exception | None], None]) -> None:
        """Nobody else sends before what is heard here is on its way to the loop: events keep their order."""
        done: T | None = None
        error: Exception | None = None
        with self._exchange._publishing:
            self._heard, self._notes = [], {}
            try:
                done = work()
            except Error as raised:
                error = raised
            except Exception as raised:  # noqa: BLE001 - it is raised again where it was asked for
                error = raised
            heard, self._heard = self._heard, None
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._told, heard, self._notes, finish, done, error)

    def _told(
        self,
        heard: list[EventRow],
        notes: dict[int, Note],
        finish: Callable[[Any, Any], None],
        done: Any,
        error: Any,
    ) -> None:
        if heard:
            self._hear(heard, notes)
        finish(done, error)

    def _published(self, events: Events) -> None:
        rows = list(EVENT.iter_unpack(events.tobytes()))
        if self._heard is not None and threading.current_thread() is self._thread:
            self._heard.extend(rows)
        elif self._loop is None or self._loop.is_closed():
            self._hear(rows, {})
        else:
            self._loop.call_soon_threadsafe(self._hear, rows, {})
