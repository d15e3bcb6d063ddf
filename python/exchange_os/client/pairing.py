"""Which events belong to which command: numbers of a session, sequences of the log, and what is on its way.

A server tells the events of a frame first and then which commands it took. Events are handed on only once it
is known whose they are, so that whoever hears them knows what was said with their commands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

from exchange_os import _core
from exchange_os.errors import Error, SessionRefused
from exchange_os.rows import (
    ACCOUNT,
    ACCOUNT_AT,
    CLIENT_ID_AT,
    DETAIL,
    EVENT,
    SEQUENCE,
    EventRow,
    Found,
    is_again,
    outcomes,
)

EVENTS, TAKEN, REFUSED, HEARTBEAT = 33, 32, 34, 5
"""Kinds of messages, as the wire has them."""
_TAKEN = Struct("<QQI4x")
_REFUSED = Struct("<QIHxxQQQ")
_CODES = {
    code: name for word, names in _core.wire_words()[2] if word == "SessionCode" for name, code in names
}

Message = tuple[int, int, bytes]
Settle = Callable[[Found, bytes], None]
"""Told the outcome of each command, and the bytes of all events that they caused if those were asked for."""


class Sent:
    """Commands that were sent together and wait for their outcomes."""

    __slots__ = ("events", "first", "found", "left", "notes", "records", "settle")

    def __init__(
        self, first: int, records: Sequence[bytes], notes: Sequence[Any], settle: Settle, *, whole: bool
    ) -> None:
        """`whole`: the bytes of all events are wanted."""
        self.first, self.records, self.notes, self.settle = first, records, notes, settle
        self.found: Found = [None] * len(records)
        self.left = len(records)
        self.events: list[bytes] | None = [] if whole else None


class Told:
    """What some messages told: events in order, notes by the sequence of their command, who has an answer."""

    def __init__(self) -> None:
        self.rows: list[EventRow] = []
        self.notes: dict[int, Any] = {}
        self.settled: list[Sent] = []

    def add(self, later: Told) -> None:
        """What was told after it."""
        self.rows += later.rows
        self.notes |= later.notes
        self.settled += later.settled

    def settle(self) -> None:
        """Tells those who wait."""
        self.settle_all(self.settled)

    @staticmethod
    def settle_all(settled: Sequence[Sent]) -> None:
        for sent in settled:
            sent.settle(sent.found, b"".join(sent.events or ()))


class Pairing:
    """Of one connection. `send` and `take` are called with the connection's lock."""

    def __init__(self) -> None:
        self._waiting: deque[Sent] = deque()
        self._held: list[tuple[EventRow, bytes]] = []
        self._mark = 0

    @property
    def waits(self) -> bool:
        """Whether a command has no answer yet."""
        return bool(self._waiting)

    def sent(self, sent: Sent) -> None:
        self._waiting.append(sent)

    def take(self, messages: Sequence[Message]) -> Told:
        """Takes messages in; what can be told by now."""
        told = Told()
        for kind, mark, data in messages:
            if kind == EVENTS:
                if mark != self._mark:
                    self._let_go(told, len(self._held))
                    self._mark = mark
                self._held += [
                    (row, data[at * EVENT.size : (at + 1) * EVENT.size])
                    for at, row in enumerate(EVENT.iter_unpack(data))
                ]
            elif kind == TAKEN:
                for first_number, first_sequence, count in _TAKEN.iter_unpack(data):
                    self._taken(told, first_number, first_sequence, count)
            elif kind == REFUSED:
                for row in _REFUSED.iter_unpack(data):
                    self._refused(told, row)
            elif kind == HEARTBEAT:
                self._let_go(told, len(self._held))
        if not self._waiting:
            self._let_go(told, len(self._held))
        return told

    def give_up(self, error: Error) -> Told:
        """Nothing more will come: whoever waits gets the error."""
        told = Told()
        self._let_go(told, len(self._held))
        while self._waiting:
            sent = self._waiting.popleft()
            sent.found = [error if row is None else row for row in sent.found]
            told.settled.append(sent)
        return told

    def _let_go(self, told: Told, count: int) -> list[tuple[EventRow, bytes]]:
        gone, self._held = self._held[:count], self._held[count:]
        told.rows += [row for row, _ in gone]
        return gone

    def _covered(self, first: int, count: int) -> list[tuple[Sent, int, int]]:
        """What waits of these numbers: which of it, from where to where."""
        found = []
        for sent in self._waiting:
            begin, end = max(first, sent.first), min(first + count, sent.first + len(sent.records))
            if sent.first >= first + count:
                break
            if begin < end:
                found.append((sent, begin - sent.first, end - sent.first))
        return found

    def _taken(self, told: Told, first_number: int, first_sequence: int, count: int) -> None:
        covered = self._covered(first_number, count)
        if not covered:  # told again after a logon
            return
        end = first_sequence + count
        beyond = (at for at, (row, _) in enumerate(self._held) if row[SEQUENCE] >= end and not is_again(row))
        gone = self._let_go(told, next(beyond, len(self._held)))
        rows = [row for row, _ in gone]
        for sent, begin, behind in covered:
            first = first_sequence + sent.first + begin - first_number
            records = sent.records[begin:behind]
            sent.found[begin:behind] = outcomes(records, first, rows)
            for place, note in enumerate(sent.notes[begin:behind]):
                if note is not None:
                    told.notes[first + place] = note
            if sent.events is not None:
                own = range(first, first + len(records))
                ids = {(int.from_bytes(each[ACCOUNT_AT], "little"), each[CLIENT_ID_AT]) for each in records}
                sent.events += [
                    data
                    for row, data in gone
                    if row[SEQUENCE] in own or (is_again(row) and (row[ACCOUNT], row[DETAIL]) in ids)
                ]
            self._count_off(told, sent, behind - begin)

    def _refused(self, told: Told, row: tuple[int, ...]) -> None:
        first_number, count, code, value, limit, retry_ns = row
        for sent, begin, behind in self._covered(first_number, count):
            sent.found[begin:behind] = [_refusal(code, value, limit, retry_ns)] * (behind - begin)
            self._count_off(told, sent, behind - begin)

    def _count_off(self, told: Told, sent: Sent, count: int) -> None:
        sent.left -= count
        if not sent.left:
            self._waiting.remove(sent)
            told.settled.append(sent)


def _refusal(code: int, value: int, limit: int, retry_ns: int) -> SessionRefused:
    name = _CODES.get(code, "unknown")
    return SessionRefused(f"{name}: value {value}, limit {limit}", name, value, limit, retry_ns)
