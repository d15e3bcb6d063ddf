"""Orders and fills that are over: a bounded memory fed by the events of the exchange.

It knows what happened while this process ran, oldest forgotten first. What stands comes from the exchange.
A request for what it cannot know is refused: an empty list would say that nothing happened.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from exchange_os._core import CancelReason, EventFlags, EventKind, Flags, Side
from exchange_os.api.codes import Refused
from exchange_os.exchange import Exchange
from exchange_os.records import Events, events_from_bytes, integers_128
from exchange_os.results import Instrument

KEPT_MAX = 100_000
_HISTORY = (EventKind.TRADE, EventKind.ORDER_ACCEPTED)
_CHANGES = (EventKind.ORDER_AMENDED, EventKind.ORDER_CANCELLED)


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
    price: Decimal
    qty: Decimal
    client_id: str
    order_type: str
    reduce_only: bool
    mode: str
    tag: str
    created_ns: int
    updated_ns: int
    state: str = "live"
    filled: Decimal = Decimal(0)
    value: Decimal | None = Decimal(0)
    """Of its fills; None if some of them are not known, and so the fee."""
    fee: Decimal | None = Decimal(0)
    cancel_source: str = ""
    last: Fill | None = None


class Recorder:
    """Reads every event as it is published."""

    def __init__(self, exchange: Exchange, kept_max: int = KEPT_MAX) -> None:
        self.orders: OrderedDict[int, Past] = OrderedDict()
        self.fills: deque[Fill] = deque(maxlen=kept_max)
        self._kept_max = kept_max
        self._exchange = exchange
        self._instruments: dict[int, Instrument] = {}
        self.placing: dict[str, str] = {}
        """What the request that is being executed says of its order, which no event carries."""
        gone_to, kept = exchange._core.events_kept()
        missed = gone_to or any(int(kind) in _HISTORY for kind in events_from_bytes(kept)["kind"])
        self.known_after_ns = exchange.time_ns if missed else 0
        """Logged time: every order and fill after it is known; 0 means all that ever were."""
        self.subscription = exchange.subscribe(self._read)

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

    def close(self) -> None:
        self.subscription.close()

    def _read(self, events: Events) -> None:
        fees, maker_fees = integers_128(events, "amount"), integers_128(events, "counter_amount")
        for row, fee, maker_fee in zip(events, fees, maker_fees, strict=True):
            kind, number = int(row["kind"]), int(row["order_id"])
            if kind == EventKind.TRADE:
                self._fill(row, number, int(row["account"]), int(fee), int(row["remaining"]), maker=False)
                other, left = int(row["counter_order_id"]), int(row["counter_remaining"])
                self._fill(row, other, int(row["counter_account"]), int(maker_fee), left, maker=True)
            elif kind == EventKind.ORDER_ACCEPTED:
                if not int(row["flags"]) & EventFlags.RETRY:
                    self._accept(row, number)
            elif kind in _CHANGES and (past := self.orders.get(number)) is not None:
                self._change(past, row, kind)

    def _accept(self, row: Any, number: int) -> None:
        instrument, flags = self.instrument(int(row["instrument"])), int(row["flags"])
        plain = "market" if flags & Flags.MARKET else "post_only" if flags & Flags.POST_ONLY else "limit"
        said, time_ns = self.placing, int(row["time_ns"])
        self.orders[number] = Past(
            order_id=number,
            account=int(row["account"]),
            instrument=instrument,
            side=Side(int(row["side"])).name.lower(),
            price=instrument.tick_size * int(row["price"]),
            qty=instrument.lot_size * int(row["qty"]),
            client_id=bytes(row["client_id"]).decode("latin-1"),
            order_type=said.get("ordType", plain),
            reduce_only=bool(flags & Flags.REDUCE_ONLY),
            mode=said.get("tdMode", "cash" if instrument.product == "spot" else "cross"),
            tag=said.get("tag", ""),
            created_ns=time_ns,
            updated_ns=time_ns,
        )
        if len(self.orders) > self._kept_max:
            _, forgotten = self.orders.popitem(last=False)
            self.known_after_ns = max(self.known_after_ns, forgotten.created_ns)

    def _change(self, past: Past, row: Any, kind: int) -> None:
        past.updated_ns = int(row["time_ns"])
        if kind == EventKind.ORDER_AMENDED:
            past.price = past.instrument.tick_size * int(row["price"])
            past.qty = past.instrument.lot_size * int(row["qty"])
        elif not int(row["remaining"]):
            past.state = "canceled"
            past.cancel_source = "1" if int(row["reason"]) == CancelReason.REQUESTED else "0"

    def _fill(self, row: Any, number: int, account: int, fee: int, left: int, *, maker: bool) -> None:
        if not number:  # the question on the other side of a trade through complete sets
            return
        instrument, past = self.instrument(int(row["instrument"])), self.orders.get(number)
        side = Side(int(row["side"]) ^ maker)
        quote = self._exchange._directory.asset(instrument.quote)
        fill = Fill(
            trade_id=int(row["trade_id"]),
            order_id=number,
            account=account,
            instrument=instrument,
            client_id=past.client_id if past else "",
            side=side.name.lower(),
            price=instrument.tick_size * int(row["price"]),
            qty=instrument.lot_size * int(row["qty"]),
            fee=quote.amount.value(fee),
            maker=maker,
            time_ns=int(row["time_ns"]),
        )
        if len(self.fills) == self._kept_max:
            self.known_after_ns = max(self.known_after_ns, self.fills[0].time_ns)
        self.fills.append(fill)
        if past is None:
            return
        past.filled += fill.qty
        past.value = None if past.value is None else past.value + fill.qty * fill.price
        past.fee = None if past.fee is None else past.fee + fill.fee
        past.last = fill
        past.updated_ns = fill.time_ns
        past.state = "partially_filled" if left else "filled"
