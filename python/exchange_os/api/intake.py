"""Commands of many requests, gathered: while one frame waits for its disk, the next fills.

One thread sends them, in the order in which they came; everything else stays in the event loop. The thread
hands the events of its frame over together with the answers, so that whoever is answered finds the recorder
up to date.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

from exchange_os._core import CancelReason, EventFlags, EventKind
from exchange_os.errors import Error
from exchange_os.exchange import Exchange
from exchange_os.records import Events

T = TypeVar("T")
EventRow = tuple[Any, ...]
Note = tuple[str, ...]
"""What a request says of its order that no event carries: ordType, tdMode, tag; perhaps who asked."""
Hear = Callable[[Sequence[EventRow], Mapping[int, Note]], None]
"""Events, and notes by the sequence of their command."""

COMMAND = struct.Struct("<HBBBBHIIQqqQQq32s")
"""kind, side, tif, flags, self_trade, venue, account, instrument, order_id, price, qty, expires_ns, amount,
client_id."""
EVENT = struct.Struct("<HHBBHQIIQqqq32sQqQqQ")
"""kind, reason, side, flags, venue, sequence, account, instrument, order_id, price, qty, remaining, detail,
amount, counter_amount, time_ns."""
KIND, REASON, SIDE, FLAGS, SEQUENCE, ACCOUNT, INSTRUMENT, ORDER, PRICE, QTY = 0, 1, 2, 3, 5, 6, 7, 8, 9, 10
REMAINING, DETAIL, AMOUNT, COUNTER_AMOUNT, TIME = 11, 12, 13, 15, 17
COUNTERPART = struct.Struct("<QIHxxqQ")
"""The detail of a trade: the maker's order, account, venue and lots left, and the number of the trade."""

_ACCOUNT_AT, _CLIENT_ID_AT = slice(8, 12), slice(64, 96)
TRADES = (int(EventKind.TRADE), int(EventKind.IMPLIED_TRADE), int(EventKind.IMPLIED_LEG))
_NO_ID = bytes(32)
_OF_TIME = (int(CancelReason.EXPIRED), int(CancelReason.CANCEL_ALL_AFTER), int(CancelReason.LINKED))
_CANCELS = (int(EventKind.ORDER_CANCELLED), int(EventKind.TRIGGER_CANCELLED))
_COUNTDOWN = int(EventKind.CANCEL_ALL_AFTER_FIRED)
_RETRY, _TIME_FLAG = int(EventFlags.RETRY), int(EventFlags.OF_TIME)


def is_of_time(row: EventRow) -> bool:
    """Whether it is the outcome of no command; as `EventRecord::is_of_time`."""
    if row[FLAGS] & _TIME_FLAG or row[KIND] == _COUNTDOWN:
        return True
    return row[KIND] in _CANCELS and row[REASON] in _OF_TIME


def outcomes(records: Sequence[bytes], first: int, rows: Sequence[EventRow]) -> list[EventRow | None]:
    """The outcome of every command of a frame whose first has this sequence.

    A first answer that is given again has the sequence that it had then: it is told by account and client id.
    """
    found: list[EventRow | None] = [None] * len(records)
    again: dict[tuple[int, bytes], EventRow] = {}
    for row in rows:
        place = row[SEQUENCE] - first
        if row[FLAGS] & _RETRY and not 0 <= place < len(records):
            again[row[ACCOUNT], row[DETAIL]] = row
        elif 0 <= place < len(records) and found[place] is None and not is_of_time(row):
            found[place] = row
    if again:
        for place, record in enumerate(records):
            if found[place] is None:
                account = int.from_bytes(record[_ACCOUNT_AT], "little")
                found[place] = again.get((account, record[_CLIENT_ID_AT]))
    return found


class _Frame:
    """Commands that are sent together, and who waits for them."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.notes: list[Note | None] = []
        self.ids: set[bytes] = set()
        self.waiting: list[tuple[asyncio.Future[list[EventRow | None]], int, int]] = []


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

    async def send(self, records: Sequence[bytes], notes: Sequence[Note | None]) -> list[EventRow | None]:
        """The outcome event of each record, once all are durable, in order, nothing between them."""
        assert self._loop is not None
        ids = [record[_CLIENT_ID_AT] for record in records if record[_CLIENT_ID_AT] != _NO_ID]
        frame = self._frames[-1] if self._frames else None
        full = frame is None or len(frame.records) + len(records) > self._frame_max
        if frame is None or full or not frame.ids.isdisjoint(ids):
            frame = _Frame()
            self._frames.append(frame)
        future: asyncio.Future[list[EventRow | None]] = self._loop.create_future()
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

        def finish(found: list[EventRow | None] | None, error: Exception | None) -> None:
            for future, begin, end in frame.waiting:
                if future.done():  # whoever asked has gone
                    continue
                if found is None:
                    future.set_exception(error or AssertionError("neither outcomes nor an error"))
                else:
                    future.set_result(found[begin:end])
            self._go()

        self._items.put(lambda: self._run(lambda: self._submitted(frame), finish))

    def _submitted(self, frame: _Frame) -> list[EventRow | None]:
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
