"""Commands of an interface in a process of its own: each goes to the server at once, and waits for nobody.

The server gathers what comes meanwhile into frames; one thread reads, and hands events and answers on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from exchange_os.api.intake import Hear, Intake, Note, T
from exchange_os.client.pairing import Told
from exchange_os.client.pipelined import PipelinedExchange
from exchange_os.errors import Error
from exchange_os.exchange import Exchange
from exchange_os.rows import EVENT, SEQUENCE, EventRow, Found


def intake_of(exchange: Exchange, hear: Hear) -> Intake:
    """The way in of an exchange in this process, or of one behind a connection."""
    if isinstance(exchange, PipelinedExchange):
        return WireIntake(exchange, hear)
    return Intake(exchange, hear)


class WireIntake(Intake):
    """The way to a server."""

    def __init__(self, exchange: PipelinedExchange, hear: Hear) -> None:
        """As `Intake`."""
        self._line, self._hear = exchange.line, hear
        self._loop: asyncio.AbstractEventLoop | None = None
        self._workers = ThreadPoolExecutor(1, "xos-intake")
        self._early: list[Told] = []
        self._begun_at = 0
        self._line.listener = self._hand_over

    def before(self) -> Sequence[EventRow]:
        """The events that the connection keeps; those that come from now on wait for `start`."""
        rows = list(EVENT.iter_unpack(self._line.events_kept()[1]))
        self._begun_at = max((row[SEQUENCE] for row in rows), default=0)
        return rows

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._hear_early)

    def _hear_early(self) -> None:
        early, self._early = self._early, []
        for told in early:
            fresh = [row for row in told.rows if row[SEQUENCE] > self._begun_at]
            if fresh:
                self._hear(fresh, told.notes)

    def close(self) -> None:
        """Lets who waits have its answer, and hears no more."""
        self._workers.shutdown()
        self._line.listener = Told.settle

    async def send(self, records: Sequence[bytes], notes: Sequence[Note | None]) -> Found:
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()

        def settle(found: Found, _events: bytes) -> None:
            lost = next((each for each in found if isinstance(each, Error)), None)
            if future.done():  # whoever asked has gone
                return
            if lost is not None and all(isinstance(each, Error) for each in found):
                future.set_exception(lost)
            else:
                future.set_result(found)

        self._line.send(records, notes, settle)
        return await future

    async def call(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)

    def _hand_over(self, told: Told) -> None:
        """In the thread that reads: the loop first, then who waits in a thread of its own."""
        waiting = [sent for sent in told.settled if sent.events is None]
        blocked = [sent for sent in told.settled if sent.events is not None]
        if self._loop is None or self._loop.is_closed():
            self._early.append(told)
        else:
            told.settled = waiting
            self._loop.call_soon_threadsafe(self._in_loop, told)
        Told.settle_all(blocked)

    def _in_loop(self, told: Told) -> None:
        try:
            if told.rows:
                self._hear(told.rows, told.notes)
        finally:
            told.settle()
