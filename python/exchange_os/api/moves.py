"""Deposits, withdrawals and transfers as events told them: a bounded memory, for the wallet's endpoints.

What the exchange still keeps of events from before this process is read too. A request that reaches further
back is refused: an empty list would say that nothing came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import numpy as np

from exchange_os._core import EventFlags, EventKind
from exchange_os.api.codes import Refused
from exchange_os.api.intake import (
    ACCOUNT,
    AMOUNT,
    COUNTER_AMOUNT,
    EVENT,
    FLAGS,
    INSTRUMENT,
    KIND,
    ORDER,
    SEQUENCE,
    TIME,
    EventRow,
    Note,
)
from exchange_os.exchange import Exchange
from exchange_os.records import events_from_bytes

KEPT_MAX = 100_000
_DEPOSITED, _WITHDRAWN = int(EventKind.DEPOSITED), int(EventKind.WITHDRAWN)
_TRANSFERRED = int(EventKind.TRANSFERRED)
_KINDS = {_DEPOSITED: "deposit", _WITHDRAWN: "withdrawal", _TRANSFERRED: "transfer"}
_RETRY = int(EventFlags.RETRY)


class Move(msgspec.Struct, frozen=True):
    """Money that came, went or changed accounts, in atoms. `balance` is that of `account` afterwards."""

    sequence: int
    kind: str
    account: int
    receiver: int
    asset: int
    amount: int
    balance: int
    time_ns: int


class Moves:
    """Is told every event."""

    def __init__(self, exchange: Exchange, kept_max: int = KEPT_MAX) -> None:
        self._kept: deque[Move] = deque(maxlen=kept_max)
        self.known_after_ns = 0
        """Logged time: every move after it is known; 0 means all that ever were."""
        gone_to, kept = exchange._core.events_kept()
        events = events_from_bytes(kept)
        if gone_to:
            self.known_after_ns = int(events["time_ns"][0]) if len(events) else exchange.time_ns
        moves = events[np.isin(events["kind"], list(_KINDS))]
        self._read_to = 0
        self.hear(list(EVENT.iter_unpack(moves.tobytes())), {})
        # A server's events that were read here are heard too.
        self._read_to = int(events["sequence"][-1]) if len(events) else 0

    def hear(self, rows: Sequence[EventRow], _notes: Mapping[int, Note]) -> None:
        for row in rows:
            kind = _KINDS.get(row[KIND])
            if kind is None or row[FLAGS] & _RETRY or row[SEQUENCE] <= self._read_to:
                continue
            if len(self._kept) == self._kept.maxlen:
                self.known_after_ns = max(self.known_after_ns, self._kept[0].time_ns)
            self._kept.append(
                Move(
                    sequence=row[SEQUENCE],
                    kind=kind,
                    account=row[ACCOUNT],
                    receiver=row[ORDER] if row[KIND] == _TRANSFERRED else 0,
                    asset=row[INSTRUMENT],
                    amount=row[AMOUNT] + (row[AMOUNT + 1] << 64),
                    balance=row[COUNTER_AMOUNT] + (row[COUNTER_AMOUNT + 1] << 64),
                    time_ns=row[TIME],
                )
            )

    def of(self, accounts: set[int]) -> list[Move]:
        """Those of some accounts, newest first."""
        return [
            each for each in reversed(self._kept) if each.account in accounts or each.receiver in accounts
        ]

    def refuse_unknown(self) -> None:
        """`Refused` (50001) if there may be moves that this process did not see or forgot."""
        if self.known_after_ns:
            moment = datetime.fromtimestamp(self.known_after_ns // 10**9, UTC).isoformat()
            begin = self.known_after_ns // 1_000_000
            raise Refused(
                "50001",
                f"Service temporarily unavailable: deposits and transfers are known since {moment}, and this "
                f"request reaches further back; ask with before={begin} or later.",
                503,
            )
