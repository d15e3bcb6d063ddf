"""Orders and fills that are over: a bounded memory fed by the events of the exchange.

It knows what happened while this process ran, oldest forgotten first. What stands comes from the exchange.
A request for what it cannot know is refused: an empty list would say that nothing happened.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from exchange_os._core import CancelReason, EventFlags, EventKind, Flags
from exchange_os.api.codes import Refused
from exchange_os.api.intake import (
    ACCOUNT,
    AMOUNT,
    COUNTER_AMOUNT,
    COUNTERPART,
    DETAIL,
    FLAGS,
    INSTRUMENT,
    KIND,
    ORDER,
    PRICE,
    QTY,
    REASON,
    REMAINING,
    SEQUENCE,
    SIDE,
    TIME,
    EventRow,
    Note,
)
from exchange_os.exchange import Exchange
from exchange_os.records import events_from_bytes
from exchange_os.results import Instrument

KEPT_MAX = 100_000
_TRADE, _ACCEPTED = int(EventKind.TRADE), int(EventKind.ORDER_ACCEPTED)
_AMENDED, _CANCELLED = int(EventKind.ORDER_AMENDED), int(EventKind.ORDER_CANCELLED)
_HISTORY = (_TRADE, _ACCEPTED)
_CHANGES = (_AMENDED, _CANCELLED)
_RETRY = int(EventFlags.RETRY)
_MARKET, _POST_ONLY, _REDUCE_ONLY = int(Flags.MARKET), int(Flags.POST_ONLY), int(Flags.REDUCE_ONLY)


class Fill(msgspec.Struct, frozen=True):
    """One side of a trade. `fee` as the engine counts it: positive is paid."""

    trade_id: int
    order_id: int
    account: int
    instrument: Instrument
    client_id: str
    side: str
    price: Decimal
    qty: Decimal
    fee: Decimal
    maker: bool
    time_ns: int


class Past(msgspec.Struct):
    """An order from its acceptance to its end, as events told it. Times of 0 are not known."""

    order_id: int
    account: int
    instrument: Instrument
    side: str
    price_ticks: int
    qty_lots: int
    client_id: str
    order_type: str
    reduce_only: bool
    mode: str
    tag: str
    created_ns: int
    updated_ns: int
    state: str = "live"
    filled_lots: int = 0
    value_steps: int | None = 0
    """Of its fills, ticks times lots; None if some of them are not known, and so the fee."""
    fee_atoms: int | None = 0
    cancel_source: str = ""
    last: Fill | None = None
    atom: Decimal = Decimal(1)
    """Of the asset in which fees are paid."""

    @property
    def price(self) -> Decimal:
        return self.instrument.tick_size * self.price_ticks

    @property
    def qty(self) -> Decimal:
        return self.instrument.lot_size * self.qty_lots

    @property
    def filled(self) -> Decimal:
        return self.instrument.lot_size * self.filled_lots

    @property
    def value(self) -> Decimal | None:
        each = self.instrument
        return None if self.value_steps is None else each.tick_size * each.lot_size * self.value_steps

    @property
    def fee(self) -> Decimal | None:
        return None if self.fee_atoms is None else self.atom * self.fee_atoms


class Recorder:
    """Is told every event."""

    def __init__(self, exchange: Exchange, kept_max: int = KEPT_MAX) -> None:
        self.orders: OrderedDict[int, Past] = OrderedDict()
        self.fills: deque[Fill] = deque(maxlen=kept_max)
        self._kept_max = kept_max
        self._exchange = exchange
        self._instruments: dict[int, Instrument] = {}
        self._atoms: dict[str, Decimal] = {}
        self.hearers: list[Callable[[Past, EventRow, Fill | None], None]] = []
        """Told of every order that changed, with the event that changed it, and the fill if it was one."""
        self.known_after_ns = 0
        """Logged time: every order and fill after it is known; 0 means all that ever were."""

    def begin(self, heard: Sequence[EventRow] | None) -> None:
        """From now on every event is heard; of what happened before these are, or nothing."""
        gone_to, kept = self._exchange._core.events_kept()
        if heard is None:
            if gone_to or any(int(kind) in _HISTORY for kind in events_from_bytes(kept)["kind"]):
                self.known_after_ns = self._exchange.time_ns
        elif gone_to:
            since = heard[0][TIME] if heard else self._exchange.time_ns
            self.known_after_ns = max(self.known_after_ns, since)

    def instrument(self, number: int) -> Instrument:
        """The terms of an instrument; its prices are those of the first look."""
        found = self._instruments.get(number)
        if found is None:
            found = self._instruments[number] = self._exchange.instrument(number)
        return found

    def refuse_unknown(self) -> None:
        """`Refused` (50001) if there may be orders or fills that this process did not see or forgot."""
        if self.known_after_ns:
            moment = datetime.fromtimestamp(self.known_after_ns // 10**9, UTC).isoformat()
            begin = self.known_after_ns // 1_000_000 + 1
            raise Refused(
                "50001",
                "Service temporarily unavailable: the history of orders and fills is known since "
                f"{moment}, and this request reaches further back; ask with begin={begin} or later.",
                503,
            )

    def hear(self, rows: Sequence[EventRow], notes: Mapping[int, Note]) -> None:
        """Events, and what requests said of their orders."""
        for row in rows:
            kind = row[KIND]
            if kind == _TRADE:
                other, counter_account, _, left, trade_id = COUNTERPART.unpack(row[DETAIL])
                taker_fee = row[AMOUNT] + (row[AMOUNT + 1] << 64)
                maker_fee = row[COUNTER_AMOUNT] + (row[COUNTER_AMOUNT + 1] << 64)
                taker = row[ORDER], row[ACCOUNT], taker_fee, row[REMAINING]
                self._fill(row, trade_id, *taker, maker=False)
                self._fill(row, trade_id, other, counter_account, maker_fee, left, maker=True)
            elif kind == _ACCEPTED:
                if not row[FLAGS] & _RETRY:
                    self._accept(row, notes.get(row[SEQUENCE]))
            elif kind in _CHANGES and (past := self.orders.get(row[ORDER])) is not None:
                self._change(past, row, kind)

    def atom(self, symbol: str) -> Decimal:
        """The smallest amount of an asset."""
        found = self._atoms.get(symbol)
        if found is None:
            found = self._atoms[symbol] = self._exchange._directory.asset(symbol).amount.step
        return found

    def _tell(self, past: Past, row: EventRow, fill: Fill | None) -> None:
        for hearer in self.hearers:
            hearer(past, row, fill)

    def _accept(self, row: EventRow, said: Note | None) -> None:
        instrument, flags, time_ns = self.instrument(row[INSTRUMENT]), row[FLAGS], row[TIME]
        if said is None:
            plain = "market" if flags & _MARKET else "post_only" if flags & _POST_ONLY else "limit"
            said = plain, "cash" if instrument.product == "spot" else "cross", ""
        past = Past(
            order_id=row[ORDER],
            account=row[ACCOUNT],
            instrument=instrument,
            side="sell" if row[SIDE] else "buy",
            price_ticks=row[PRICE],
            qty_lots=row[QTY],
            client_id=row[DETAIL].rstrip(b"\0").decode("latin-1"),
            order_type=said[0],
            reduce_only=bool(flags & _REDUCE_ONLY),
            mode=said[1],
            tag=said[2],
            created_ns=time_ns,
            updated_ns=time_ns,
            atom=self.atom(instrument.quote),
        )
        self.orders[row[ORDER]] = past
        if len(self.orders) > self._kept_max:
            _, forgotten = self.orders.popitem(last=False)
            self.known_after_ns = max(self.known_after_ns, forgotten.created_ns)
        self._tell(past, row, None)

    def _change(self, past: Past, row: EventRow, kind: int) -> None:
        past.updated_ns = row[TIME]
        if kind == _AMENDED:
            past.price_ticks, past.qty_lots = row[PRICE], row[QTY]
        elif not row[REMAINING]:
            past.state = "canceled"
            past.cancel_source = "1" if row[REASON] == CancelReason.REQUESTED else "0"
        self._tell(past, row, None)

    def _fill(
        self, row: EventRow, trade_id: int, number: int, account: int, fee: int, left: int, *, maker: bool
    ) -> None:
        if not number:  # the question on the other side of a trade through complete sets
            return
        instrument, past = self.instrument(row[INSTRUMENT]), self.orders.get(number)
        fill = Fill(
            trade_id=trade_id,
            order_id=number,
            account=account,
            instrument=instrument,
            client_id=past.client_id if past else "",
            side="sell" if row[SIDE] ^ maker else "buy",
            price=instrument.tick_size * row[PRICE],
            qty=instrument.lot_size * row[QTY],
            fee=self.atom(instrument.quote) * fee,
            maker=maker,
            time_ns=row[TIME],
        )
        if len(self.fills) == self._kept_max:
            self.known_after_ns = max(self.known_after_ns, self.fills[0].time_ns)
        self.fills.append(fill)
        if past is None:
            return
        past.filled_lots += row[QTY]
        past.value_steps = None if past.value_steps is None else past.value_steps + row[QTY] * row[PRICE]
        past.fee_atoms = None if past.fee_atoms is None else past.fee_atoms + fee
        past.last = fill
        past.updated_ns = fill.time_ns
        past.state = "partially_filled" if left else "filled"
        self._tell(past, row, fill)
