"""A connection on which many commands are under way and which hears of all accounts: for an interface.

Commands go out on one session, a drop copy tells what happens on every account, and views are questions on a
third, which does not wait behind commands. What the first two tell is put together before anybody hears it:
who is answered finds everything told that led to it.
"""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np

from exchange_os import _core
from exchange_os._core import EventKind
from exchange_os.client.core import RemoteCore
from exchange_os.client.pairing import EVENTS, HEARTBEAT, REFUSED, TAKEN, Pairing, Sent, Settle, Told
from exchange_os.client.sockets import DROP_COPY, RESUME, Line, Message
from exchange_os.client.words import pack
from exchange_os.errors import Disconnected, Error, InvalidArgument
from exchange_os.exchange import Exchange
from exchange_os.records import Events, events_from_bytes
from exchange_os.rows import EVENT, SEQUENCE, TRADES
from exchange_os.stream import Subscription

T = TypeVar("T")
Listener = Callable[[Told], None]
"""Told everything, in order, by one thread; it has to call `settle`."""

_WAIT_S = 0.2
_KEEP_ALIVE_S = 20.0
_EVENTS_PER_MESSAGE = 4_096
_LOOK_BACK = 65_536
"""Commands before now whose events are asked for again at a logon, where the server still has them."""
_TRADES = np.array(TRADES, np.uint16)
_LISTINGS = np.array(
    [
        kind
        for kind in EventKind
        if kind.name.endswith("_DEPLOYED")
        or kind in {EventKind.OUTCOME_ADDED, EventKind.CHANGE_EFFECTIVE, EventKind.MARKET_CLOSED}
    ],
    np.uint16,
)
"""Events after which what stands has to be read again."""


class _Kept:
    """The bytes of records of late, up to a number."""

    def __init__(self, most: int, gone_to: int) -> None:
        self._parts: deque[bytes] = deque()
        self._count, self._most, self.gone_to = 0, most, gone_to

    def add(self, data: bytes) -> None:
        self._parts.append(data)
        self._count += len(data) // EVENT.size
        while self._count > self._most and len(self._parts) > 1:
            gone = self._parts.popleft()
            self._count -= len(gone) // EVENT.size
            self.gone_to = max(self.gone_to, int(events_from_bytes(gone)["sequence"].max()))

    def bytes(self) -> bytes:
        return b"".join(self._parts)


class Merging:
    """Puts together what two connections tell: a frame's events, and only then which commands it took."""

    def __init__(self, pairing: Pairing) -> None:
        self._pairing = pairing
        self._events: deque[Message] = deque()
        self._answers: deque[Message] = deque()
        self._whole_to = 0
        """All events of frames up to this mark have come."""

    def take(self, answers: Sequence[Message], copied: Sequence[Message]) -> Told:
        """What can be told by now."""
        for kind, mark, data in copied:
            if kind == EVENTS:
                self._events.append((kind, mark, data))
                # A frame that fills a message may go on in the next one.
                whole = len(data) < _EVENTS_PER_MESSAGE * EVENT.size
                self._whole_to = max(self._whole_to, mark if whole else mark - 1)
            elif kind == HEARTBEAT:
                self._whole_to = max(self._whole_to, mark - 1)
        self._answers += [message for message in answers if message[0] in {TAKEN, REFUSED}]
        told = Told()
        while self._answers and (self._answers[0][0] == REFUSED or self._answers[0][1] <= self._whole_to):
            answer = self._answers.popleft()
            if answer[0] == TAKEN:
                self._pass_on(told, answer[1])
            told.add(self._pairing.take([answer]))
        if not self._pairing.waits and not self._answers:
            self._pass_on(told, 2**64)
        return told

    def _pass_on(self, told: Told, mark: int) -> None:
        due = []
        while self._events and self._events[0][1] <= mark:
            due.append(self._events.popleft())
        if due:
            told.add(self._pairing.take(due))


class PipelinedLine:
    """The connections, with the calls of `_core.Remote` for who waits for an answer in a thread."""

    def __init__(
        self, commands: Line, copy: Line, views: _core.Remote, kept: tuple[int, int], timeout_ms: int
    ) -> None:
        self._commands, self._copy, self._views = commands, copy, views
        self._timeout_s = timeout_ms / 1_000
        self._pairing, self._lock = Pairing(), threading.Lock()
        self._merging = Merging(self._pairing)
        self.listener: Listener = Told.settle
        self.hear: Callable[[Events], None] = lambda _events: None
        self.lost: Error | None = None
        """Why the connection ended, once it has."""
        self.ask, self.position = views.ask, views.position
        self.begun = 0
        self._part: list[bytes] = []
        self._told_to, self._progress = 0, threading.Condition()
        self._events, self._trades = _Kept(kept[0], self.begun), _Kept(kept[1], self.begun)
        self._thread = threading.Thread(target=self._read, name="xos-pipeline", daemon=True)

    def start(self, resumed_at: int | None, durable: int) -> None:
        """Keeps what was asked for from before, up to a sequence, and tells what comes then."""
        self._events.gone_to = durable if resumed_at is None else max(0, resumed_at - 1)
        heard, until = self._events.gone_to, time.monotonic() + self._timeout_s
        while heard < durable and time.monotonic() < until:
            for kind, mark, data in self._copy.messages():
                if kind == EVENTS:
                    self._keep(data)
                    heard = max(heard, *(row[SEQUENCE] for row in EVENT.iter_unpack(data)))
                elif kind == HEARTBEAT:
                    heard = max(heard, mark - 1)
            if heard < durable:
                self._copy.fill(self._timeout_s)
        self._thread.start()

    # --- sending ---

    def send(
        self, records: Sequence[bytes], notes: Sequence[Any], settle: Settle, *, whole: bool = False
    ) -> None:
        """Sends commands and returns at once; `settle` is called with their outcomes, once all have one.

        Notes travel to the listener with the events of their commands. `whole`: all their events are wanted.
        """
        with self._lock:
            if self.lost is not None:
                raise self.lost
            first = self._commands.commands(list(records))
            self._pairing.sent(Sent(first, records, notes, settle, whole=whole))

    def _told(self, call: Callable[[], T], sequence_of: Callable[[T], int]) -> T:
        """The answer to a call of the third session, once what it did has been told."""
        if self.lost is not None:
            raise self.lost
        answer = call()
        due = sequence_of(answer)
        with self._progress:
            if not self._progress.wait_for(lambda: self._told_to >= due or self.lost, self._timeout_s):
                why = f"it took effect, and was not told within {self._timeout_s:g} s"
                raise Disconnected(why, "timed_out")
        return answer

    def submit(self, commands: bytes) -> bytes:
        return self._told(lambda: self._views.submit(commands), _newest)

    def deploy(self, body: bytes) -> bytes:
        return self._told(lambda: self._views.deploy(body), _newest)

    def order(self, record: bytes) -> tuple[Any, ...]:
        return self._told(lambda: self._views.order(record), lambda row: int(row[0]))

    def single(self, record: bytes) -> tuple[Any, ...]:
        return self._told(lambda: self._views.single(record), lambda row: int(row[0]))

    # --- what an exchange needs besides ---

    def events_kept(self) -> tuple[int, bytes]:
        with self._lock:
            return self._events.gone_to, self._events.bytes()

    def trades_kept(self) -> bytes:
        with self._lock:
            return self._trades.bytes()

    def publish(self, _on: bool) -> None:
        """Subscribers are told by the thread that reads; see `PipelinedExchange`."""

    def unpublished(self) -> tuple[int, bytes]:
        return 0, b""

    def close(self) -> None:
        """Hangs up; what was sent and not answered may still take effect."""
        self._commands.close()
        self._copy.close()
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._thread.join()
        self._views.close()

    def closed(self) -> bool:
        return self.lost is not None

    # --- the thread that reads ---

    def _read(self) -> None:
        asked = time.monotonic()
        try:
            while True:
                self._take(self._wait(self._commands, self._copy))
                for line in (self._commands, self._copy):
                    line.say_so_if_due()
                if time.monotonic() - asked > _KEEP_ALIVE_S:
                    asked = time.monotonic()
                    self._views.ask(pack(["sequence", []]))
        except (Error, ValueError, OSError) as error:
            lost = error if isinstance(error, Error) else Disconnected(str(error), "connection_failed")
            with self._lock:
                self.lost = lost
                told = self._pairing.give_up(lost)
            self.listener(told)
            with self._progress:
                self._progress.notify_all()

    @staticmethod
    def _wait(*lines: Line) -> list[list[Message]]:
        ready, _, _ = select.select([line.socket for line in lines], [], [], _WAIT_S)
        for line in lines:
            if line.socket in ready:
                line.fill(_WAIT_S)
        return [line.messages() for line in lines]

    def _take(self, came: list[list[Message]]) -> None:
        answers, copied = came
        for kind, _, data in copied:
            if kind == EVENTS:
                self._hear(data)
        with self._lock:
            told = self._merging.take(answers, copied)
        if told.rows or told.settled:
            self.listener(told)
        if told.rows:
            with self._progress:
                self._told_to = max(self._told_to, *(row[SEQUENCE] for row in told.rows))
                self._progress.notify_all()

    def _hear(self, data: bytes) -> None:
        """Subscribers first, and whole commands at a time: a full message may end amid the events of one."""
        with self._lock:
            self._keep(data)
        self._part.append(data)
        if len(data) < _EVENTS_PER_MESSAGE * EVENT.size:
            events, self._part = b"".join(self._part), []
            self.hear(events_from_bytes(events))

    def _keep(self, data: bytes) -> None:
        self._events.add(data)
        events = events_from_bytes(data)
        trades = events[np.isin(events["kind"], _TRADES)]
        if len(trades):
            self._trades.add(trades.tobytes())


def _newest(events: bytes) -> int:
    return max((row[SEQUENCE] for row in EVENT.iter_unpack(events)), default=0)


class PipelinedExchange(Exchange):
    """An exchange behind such a connection. Its subscribers hear of everything, whoever did it."""

    def __init__(self, line: PipelinedLine) -> None:
        """Use `connect_pipelined`."""
        super().__init__(cast("_core.Exchange", RemoteCore(cast("_core.Remote", line))))
        self.line = line
        self._heard_by: tuple[Subscription, ...] = ()
        line.hear = self._hear

    def _attach(self, subscription: Subscription) -> None:
        self._heard_by = (*self._heard_by, subscription)

    def _hear(self, events: Events) -> None:
        """Before whoever waits for an answer has it: what an answer says has been told to subscribers."""
        if np.isin(events["kind"], _LISTINGS).any():
            self.__dict__.pop("_directory", None)
        for subscription in self._heard_by:
            subscription.offer(events)
            if subscription.closed:
                self._heard_by = tuple(each for each in self._heard_by if not each.closed)


def connect_pipelined(
    address: str,
    *,
    key: str,
    secret: str | bytes,
    session: int = 0,
    events_kept_max: int = 16_384,
    trades_kept_max: int = 65_536,
    timeout_ms: int = 10_000,
) -> PipelinedExchange:
    """As `connect`, for a server's own interface.

    The key has no owner; its sessions `session` and the next two are used. Trades of late are known at once,
    where the server keeps their events.
    """
    proof, timeout_s = secret.encode() if isinstance(secret, str) else secret, timeout_ms / 1_000
    commands = Line(address, key, proof, session, timeout_s, 0, 0)
    if commands.owner.strip(b"\0"):
        commands.close()
        raise InvalidArgument(f"the key {key} is of an owner; an interface needs one that operates for all")
    begin = max(commands.oldest_mark, commands.durable - _LOOK_BACK, 0)
    resumes = begin < commands.durable
    flags = DROP_COPY | (RESUME if resumes else 0)
    copy = Line(address, key, proof, session + 2, timeout_s, flags, begin if resumes else 0)
    views = _core.Remote.connect(address, key, proof, None, session + 1, 0, 1, None, 0, 0, timeout_ms)
    line = PipelinedLine(commands, copy, views, (events_kept_max, trades_kept_max), timeout_ms)
    exchange = PipelinedExchange(line)
    line.start(begin if resumes and copy.resumed else None, copy.durable)
    return exchange
