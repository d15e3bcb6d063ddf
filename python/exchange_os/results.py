"""What an exchange answers: frozen, typed, in whole units as `Decimal`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from exchange_os._core import CancelReason, InstrumentState, PriceStatus, Reject
from exchange_os.errors import Rejected
from exchange_os.exact import EXACT
from exchange_os.records import Events, as_trades, events_from_bytes, integers_128
from exchange_os.rejects import rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange_os.directory import Market

OrderRow: TypeAlias = tuple[int, int, int, bool, int, int | None, int | None, int, int, int, bytes | None]
Status = Literal["resting", "filled", "cancelled", "rejected", "gone"]


class Balance(msgspec.Struct, frozen=True):
    """Of one account in one asset. `free` is what no order holds."""

    account: int
    asset: str
    total: Decimal
    held: Decimal

    @property
    def free(self) -> Decimal:
        return EXACT.subtract(self.total, self.held)


class Position(msgspec.Struct, frozen=True):
    """Of one account on one instrument. `qty` is negative for a short; `buys` and `sells` rest.

    `liquidation_price` is the first mark, against the position, at which the account is below maintenance
    while all other prices stand still; None if no price of the instrument does it.
    """

    account: int
    instrument: str
    qty: Decimal
    cost: Decimal
    realised: Decimal
    unrealised: Decimal
    buys: Decimal
    sells: Decimal
    maintenance_margin: Decimal
    liquidation_price: Decimal | None


class Order(msgspec.Struct, frozen=True):
    """A resting order. `qty` is its total, `remaining` what has not filled, `shown` what others see of that.

    `display` is how much an iceberg shows at a time; None: it is none.
    """

    order_id: int
    account: int
    instrument: str
    side: str
    price: Decimal
    qty: Decimal
    remaining: Decimal
    tif: str
    flags: int
    self_trade: str
    venue: int
    expires_ns: int
    client_id: bytes
    display: Decimal | None
    shown: Decimal

    @property
    def filled(self) -> Decimal:
        return EXACT.subtract(self.qty, self.remaining)


class Trade(msgspec.Struct, frozen=True):
    """A match. `side` is the taker's; fees are in `fee_asset`, a negative maker fee is a rebate.

    Where an order traded with all other outcomes of a question at once, each outcome has a trade of its own,
    with the question on the other side: there the `maker`, or of the resting orders the `taker`, is 0.
    """

    trade_id: int
    sequence: int
    time_ns: int
    instrument: str
    side: str
    price: Decimal
    qty: Decimal
    taker: int
    taker_order_id: int
    taker_fee: Decimal
    maker: int
    maker_order_id: int
    maker_fee: Decimal
    fee_asset: str


class BookLevel(msgspec.Struct, frozen=True):
    """One price of one side. `implied`: what other outcomes of the question offer there, if asked."""

    price: Decimal
    qty: Decimal
    orders: int
    implied: Decimal = Decimal(0)


class Book(msgspec.Struct, frozen=True):
    """Both sides, best price first, as they stood after `sequence`."""

    instrument: str
    sequence: int
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]


def levels_of(
    market: Market, rows: Sequence[tuple[int, int, int] | tuple[int, int, int, int]]
) -> tuple[BookLevel, ...]:
    """Levels of ticks and lots in whole units."""
    price, qty = market.price.value, market.qty.value
    return tuple(BookLevel(price(row[0]), qty(row[1]), row[2], *map(qty, row[3:])) for row in rows)


class RiskSummary(msgspec.Struct, frozen=True):
    """Of one account, in the settlement asset. `headroom` is equity less initial margin and order reserves.

    `questions` holds the worst case of each question in which it stands. `equity_for_maintenance`, which also
    counts what spot orders hold, is what the maintenance margin is held against.
    """

    account: int
    asset: str
    equity: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    order_reserves: Decimal
    headroom: Decimal
    withdrawable: Decimal
    questions: dict[str, Decimal]
    equity_for_maintenance: Decimal

    @property
    def margin_ratio(self) -> Decimal | None:
        """Equity over maintenance margin: liquidation is due below 1. None without a maintenance margin."""
        return self.equity_for_maintenance / self.maintenance_margin if self.maintenance_margin else None


class Preview(msgspec.Struct, frozen=True):
    """What an order would do, without placing it, as the book stands.

    `fee` is that of the lots `taken`, `fee_resting` the worst of the rest, both in the quote asset.
    `loss_max` is what it loses for certain at the worst: fees, and against the mark or the whole stake.
    `liquidation_price` is that of the position after the lots taken, `liquidation_price_filled` after the
    rest has filled at its limit too; None where no mark does it.
    """

    rejection: Rejected | None
    taken: Decimal
    fee: Decimal
    fee_resting: Decimal
    initial_margin_before: Decimal
    initial_margin_after: Decimal
    maintenance_margin_before: Decimal
    maintenance_margin_after: Decimal
    liquidation_price: Decimal | None
    liquidation_price_filled: Decimal | None
    loss_max: Decimal

    @classmethod
    def of(cls, market: Market, settlement: Callable[[int], Decimal], row: list[int]) -> Preview:
        """From the numbers of the engine."""
        reject, value, limit, taken, liquidation, filled, fee, fee_resting, *margins, loss = row
        paid = market.quote.amount.value
        return cls(
            rejected(reject, value, limit) if reject else None,
            market.qty.value(taken),
            paid(fee),
            paid(fee_resting),
            settlement(margins[0]),
            settlement(margins[1]),
            settlement(margins[2]),
            settlement(margins[3]),
            market.price.value(liquidation) if liquidation else None,
            market.price.value(filled) if filled else None,
            paid(loss),
        )


class Instrument(msgspec.Struct, frozen=True):
    """An instrument as it stands. Its prices are None until they are set, or until something traded."""

    number: int
    symbol: str
    product: str
    base: str | None
    quote: str
    question: str | None
    tick_size: Decimal
    lot_size: Decimal
    state: InstrumentState
    """As an operator set it."""
    accepts: InstrumentState
    """What it accepts: the strictest of its state, what its prices allow and its volatility halt."""
    price_status: PriceStatus | None
    """How its prices stand; None without an oracle."""
    mark_price: Decimal | None
    index_price: Decimal | None
    last_price: Decimal | None
    open_interest: Decimal
    """The sum of the long positions; nothing on a spot market."""


class FundingInterval(msgspec.Struct, frozen=True):
    """A past interval: the mean premium, and the rate that longs paid of their value at the index."""

    time_ns: int
    premium: Decimal
    rate: Decimal
    index_price: Decimal


class Funding(msgspec.Struct, frozen=True):
    """Funding of a perpetual. `premium` and `predicted_rate` are None before the interval's first sample."""

    interval_h: int
    premium: Decimal | None
    predicted_rate: Decimal | None
    samples: int
    ends_ns: int | None
    is_settling: bool
    history: list[FundingInterval]


def rate_of(count: int) -> Decimal:
    """A rate from its count of 1e-12."""
    return EXACT.scaleb(Decimal(count), -12)


class Source(msgspec.Struct, frozen=True):
    """A publisher of an instrument and what it told last; None: nothing since the last restart."""

    publisher: str
    weight: int
    price: Decimal | None
    external: Decimal | None
    published_ns: int


class Liquidation(msgspec.Struct, frozen=True):
    """An account in liquidation. `next_visit_ns` is 0 when it is its turn as soon as prices or time move.

    `since_ns` and `freed` (of the shortage, by its orders) are kept while a market has the policy `growing`.
    """

    account: int
    equity: Decimal
    maintenance_margin: Decimal
    next_visit_ns: int
    since_ns: int | None = None
    freed: Decimal | None = None


class AdlStanding(msgspec.Struct, frozen=True):
    """Where a position stands if the other side had to be closed now: `share` of the quantity asked.

    `first` is the part that is asked before anybody else's rest: unhedged, with profit. `queue_rank` is the
    place that a queue by profit times leverage would give it among `candidates`.
    """

    account: int
    position: Decimal
    first: Decimal
    leverage: Decimal
    share: Decimal
    queue_rank: int
    candidates: int


class AdlReceipt(msgspec.Struct, frozen=True):
    """What deleveraging took from an account, and how the lots were divided.

    `price` is the average of the round, to a tick; `haircut` is what it lost against the mark; `queue_qty`
    what a queue by profit times leverage would have taken of the `closed_qty` of all `bankrupt_positions`.
    """

    sequence: int
    time_ns: int
    account: int
    instrument: str
    price: Decimal
    qty: Decimal
    position: Decimal
    realised: Decimal
    haircut: Decimal
    queue_rank: int
    candidates: int
    bankrupt_positions: int
    queue_qty: Decimal
    closed_qty: Decimal


class Question(msgspec.Struct, frozen=True):
    """A question as it stands. `sets` are complete sets outstanding, `paying` the outcome with all of the
    unit, `payouts` what one lot of each outcome pays once it is decided; `settled` once everybody is paid.

    Up to `outcomes_max` outcomes may be added: who holds `any_other` then holds as much of `being_added`,
    which trades once everybody has it."""

    number: int
    symbol: str
    text: str
    outcomes: tuple[str, ...]
    unit: Decimal
    sets: Decimal
    paying: str | None
    payouts: dict[str, Decimal] = {}
    settled: bool = False
    any_other: str | None = None
    outcomes_max: int = 0
    being_added: str | None = None


class Receipt(msgspec.Struct, frozen=True):
    """The outcome of a command that is not an order. `balance` stands after a deposit or withdrawal, or
    with the sender after a transfer."""

    sequence: int
    time_ns: int
    retry: bool
    balance: Decimal | None = None


class Cancelled(msgspec.Struct, frozen=True):
    """An order taken out by its owner; `qty` is what had not filled."""

    order_id: int
    instrument: str
    qty: Decimal


class Outcome(msgspec.Struct, frozen=True):
    """The outcome event of a single command, as the engine gave it."""

    sequence: int
    time_ns: int
    reason: int
    retry: bool
    account: int
    instrument: int
    order_id: int
    qty: int
    amount: int
    counter_amount: int


class OrderResult(msgspec.Struct, frozen=True):
    """The outcome of a place or an amend. Integers come from the engine; whole units are made when asked for.

    `retry` marks the answer to a client id that took effect before. If its order still rests, `status` is
    "resting" and the quantities are those of now. Otherwise `status` is "gone": it was accepted then and has
    filled or been cancelled since; `filled` and `remaining` are None, because the answer does not know which.
    The trades of the first time are not repeated. A refusal is given again as it was.
    """

    market: Market
    row: OrderRow

    @property
    def sequence(self) -> int:
        return self.row[0]

    @property
    def order_id(self) -> int:
        return self.row[1]

    @property
    def reason(self) -> int:
        """Number of the reject, 0 if it was accepted."""
        return self.row[2]

    @property
    def retry(self) -> bool:
        return self.row[3]

    @property
    def qty_lots(self) -> int:
        return self.row[4]

    @property
    def filled_lots(self) -> int | None:
        """None if the order is gone."""
        return self.row[5]

    @property
    def remaining_lots(self) -> int | None:
        """None if the order is gone."""
        return self.row[6]

    def __repr__(self) -> str:
        if self.reason:
            return f"<OrderResult rejected: {self.rejection}>"
        words = f"{self.market.symbol} order {self.order_id} {self.status}"
        if self.remaining_lots is None:
            return f"<OrderResult {words}: accepted before, rests no longer>"
        return f"<OrderResult {words}, filled {self.filled}, remaining {self.remaining}>"

    @property
    def accepted(self) -> bool:
        return self.reason == 0

    @property
    def status(self) -> Status:
        if self.reason:
            return "rejected"
        if self.remaining_lots is None:
            return "gone"
        if self.remaining_lots:
            return "resting"
        return "cancelled" if self.row[7] else "filled"

    @property
    def qty(self) -> Decimal:
        return self.market.qty.value(self.qty_lots)

    @property
    def filled(self) -> Decimal | None:
        """What has traded; None if the order is gone."""
        lots = self.filled_lots
        return None if lots is None else self.market.qty.value(lots)

    @property
    def remaining(self) -> Decimal | None:
        """What rests in the book; None if the order is gone."""
        lots = self.remaining_lots
        return None if lots is None else self.market.qty.value(lots)

    @property
    def cancel_reason(self) -> CancelReason | None:
        """Why a remainder did not rest."""
        return CancelReason(self.row[7]) if self.row[7] else None

    @property
    def reject(self) -> Reject | None:
        return Reject(self.reason) if self.reason else None

    @property
    def rejection(self) -> Rejected | None:
        """The reject with its sentence, as the exception that `place` would raise."""
        return rejected(self.reason, self.row[8], self.row[9]) if self.reason else None

    @property
    def fills(self) -> tuple[Trade, ...]:
        """The trades of this order as it came in, in the order of the matches."""
        trades = self.row[10]
        return trades_from(events_from_bytes(trades), self.market) if trades else ()


def trades_from(events: Events, market: Market) -> tuple[Trade, ...]:
    """Trades of one instrument as objects."""
    events = as_trades(events)
    fee_value = market.fee_asset.amount.value
    taker_fees, maker_fees = integers_128(events, "amount"), integers_128(events, "counter_amount")
    rows = zip(events.tolist(), taker_fees, maker_fees, strict=True)
    names = events.dtype.names
    assert names is not None
    at = {name: index for index, name in enumerate(names)}
    return tuple(
        Trade(
            trade_id=row[at["trade_id"]],
            sequence=row[at["sequence"]],
            time_ns=row[at["time_ns"]],
            instrument=market.symbol,
            side="sell" if row[at["side"]] else "buy",
            price=market.price.value(row[at["price"]]),
            qty=market.qty.value(row[at["qty"]]),
            taker=row[at["account"]],
            taker_order_id=row[at["order_id"]],
            taker_fee=fee_value(taker_fee),
            maker=row[at["counter_account"]],
            maker_order_id=row[at["counter_order_id"]],
            maker_fee=fee_value(maker_fee),
            fee_asset=market.fee_asset.symbol,
        )
        for row, taker_fee, maker_fee in rows
    )


def receipt(outcome: Outcome, balance: Decimal | None = None) -> Receipt:
    """What a command without a result of its own answers."""
    return Receipt(outcome.sequence, outcome.time_ns, outcome.retry, balance)
