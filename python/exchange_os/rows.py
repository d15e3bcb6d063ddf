"""Commands and events as tuples: the layouts of the records for `struct`, for one at a time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from exchange_os._core import CancelReason, EventFlags, EventKind
from exchange_os.errors import Error

EventRow = tuple[Any, ...]
Found = list[EventRow | Error | None]
"""For each command its outcome, or why it was not taken."""

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

TRADES = (int(EventKind.TRADE), int(EventKind.IMPLIED_TRADE), int(EventKind.IMPLIED_LEG))
ACCOUNT_AT, CLIENT_ID_AT = slice(8, 12), slice(64, 96)
"""Where they stand in the bytes of a command."""
NO_ID = bytes(32)
_OF_TIME = (int(CancelReason.EXPIRED), int(CancelReason.CANCEL_ALL_AFTER), int(CancelReason.LINKED))
_CANCELS = (int(EventKind.ORDER_CANCELLED), int(EventKind.TRIGGER_CANCELLED))
_COUNTDOWN = int(EventKind.CANCEL_ALL_AFTER_FIRED)
_RETRY, _TIME_FLAG = int(EventFlags.RETRY), int(EventFlags.OF_TIME)


def is_of_time(row: EventRow) -> bool:
    """Whether it is the outcome of no command; as `EventRecord::is_of_time`."""
    if row[FLAGS] & _TIME_FLAG or row[KIND] == _COUNTDOWN:
        return True
    return row[KIND] in _CANCELS and row[REASON] in _OF_TIME


def is_again(row: EventRow) -> bool:
    """Whether it is a first answer given again, with the sequence that it had then."""
    return bool(row[FLAGS] & _RETRY)


def outcomes(records: Sequence[bytes], first: int, rows: Sequence[EventRow]) -> Found:
    """The outcome of every command of a frame whose first has this sequence.

    A first answer that is given again has the sequence that it had then: it is told by account and client id.
    """
    found: Found = [None] * len(records)
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
                account = int.from_bytes(record[ACCOUNT_AT], "little")
                found[place] = again.get((account, record[CLIENT_ID_AT]))
    return found
