"""What the public interface answers, typed: whole units as `Decimal`, times in milliseconds since 1970 UTC.

A size of OKX is a count of contracts where the instrument is a perpetual; here it is a quantity like
everywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from exchange_os.exact import EXACT
from exchange_os.results import Book, BookLevel

Row = Mapping[str, Any]
_ONE = Decimal(1)
PRODUCTS = {"SPOT": "spot", "SWAP": "perpetual", "EVENTS": "outcome"}


class Market(msgspec.Struct, frozen=True):
    """An instrument. `contract` is what one contract of OKX is in whole units; 1 where there are none."""

    instrument: str
    product: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    qty_min: Decimal
    qty_max: Decimal
    leverage_max: int | None
    state: str
    contract: Decimal


class Ticker(msgspec.Struct, frozen=True):
    """Best prices and the last trade; None where there is none."""

    instrument: str
    last: Decimal | None
    bid: Decimal | None
    bid_qty: Decimal | None
    ask: Decimal | None
    ask_qty: Decimal | None
    time_ms: int


class MarketTrade(msgspec.Struct, frozen=True):
    """A trade of anybody; `side` is the taker's."""

    trade_id: int
    instrument: str
    side: str
    price: Decimal
    qty: Decimal
    time_ms: int


class Candle(msgspec.Struct, frozen=True):
    """Trades from `begin_ms` on; `value` in the quote asset. `closed`: nothing is added any more."""

    begin_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    value: Decimal
    closed: bool


class AssetBalance(msgspec.Struct, frozen=True):
    """Of the trading account in one asset."""

    asset: str
    total: Decimal
    equity: Decimal
    available: Decimal


class AccountPosition(msgspec.Struct, frozen=True):
    """`qty` is negative for a short; `mode` is cross or isolated."""

    instrument: str
    mode: str
    qty: Decimal
    entry_price: Decimal | None
    mark_price: Decimal | None
    unrealised: Decimal | None
    liquidation_price: Decimal | None


class Placed(msgspec.Struct, frozen=True):
    """An order that was taken."""

    order_id: str
    client_id: str


class OrderState(msgspec.Struct, frozen=True):
    """An order: `state` is live, partially_filled, filled or canceled. `price` is None of a market order."""

    order_id: str
    client_id: str
    instrument: str
    side: str
    type: str
    price: Decimal | None
    qty: Decimal
    filled: Decimal
    average_price: Decimal | None
    state: str
    fee: Decimal | None
    created_ms: int | None
    updated_ms: int | None

    @property
    def is_open(self) -> bool:
        return self.state in {"live", "partially_filled"}


class AccountFill(msgspec.Struct, frozen=True):
    """A fill of the account. `fee`: positive is paid."""

    trade_id: int
    order_id: str
    client_id: str
    instrument: str
    side: str
    price: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    time_ms: int


class Moved(msgspec.Struct, frozen=True):
    """A transfer or a withdrawal that was taken, by its id."""

    id: str
    asset: str
    amount: Decimal
    client_id: str


class WithdrawalState(msgspec.Struct, frozen=True):
    """`state`: -2 cancelled, -1 failed, 0 waits, 1 is being paid, 2 paid, 5 looked at by a person."""

    id: str
    asset: str
    amount: Decimal
    address: str
    state: int
    note: str
    time_ms: int


def number(row: Row, name: str) -> Decimal | None:
    """None where nothing is known."""
    return Decimal(row[name]) if row.get(name) else None


def exact(row: Row, name: str) -> Decimal:
    return Decimal(row[name])


def market(row: Row) -> Market:
    contract = number(row, "ctVal") or _ONE
    return Market(
        instrument=row["instId"],
        product=PRODUCTS[row["instType"]],
        base=row["baseCcy"],
        quote=row["quoteCcy"] or row["settleCcy"],
        tick_size=exact(row, "tickSz"),
        lot_size=EXACT.multiply(exact(row, "lotSz"), contract),
        qty_min=EXACT.multiply(exact(row, "minSz"), contract),
        qty_max=EXACT.multiply(exact(row, "maxLmtSz"), contract),
        leverage_max=int(row["lever"]) if row["lever"] else None,
        state=row["state"],
        contract=contract,
    )


def _qty(row: Row, name: str, contract: Decimal) -> Decimal | None:
    found = number(row, name)
    return None if found is None else EXACT.multiply(found, contract)


def _exact_qty(row: Row, name: str, contract: Decimal) -> Decimal:
    return EXACT.multiply(exact(row, name), contract)


def ticker(row: Row, contract: Decimal) -> Ticker:
    return Ticker(
        instrument=row["instId"],
        last=number(row, "last"),
        bid=number(row, "bidPx"),
        bid_qty=_qty(row, "bidSz", contract),
        ask=number(row, "askPx"),
        ask_qty=_qty(row, "askSz", contract),
        time_ms=int(row["ts"]),
    )


def book(instrument: str, sequence: int, bids: Sequence[Any], asks: Sequence[Any], contract: Decimal) -> Book:
    """Of rows of texts: price, size, nothing, orders."""

    def levels(given: Sequence[Any]) -> tuple[BookLevel, ...]:
        return tuple(
            BookLevel(Decimal(price), EXACT.multiply(Decimal(size), contract), int(orders))
            for price, size, _, orders in given
        )

    return Book(instrument, sequence, levels(bids), levels(asks))


def market_trade(row: Row, contract: Decimal) -> MarketTrade:
    return MarketTrade(
        trade_id=int(row["tradeId"]),
        instrument=row["instId"],
        side=row["side"],
        price=exact(row, "px"),
        qty=_exact_qty(row, "sz", contract),
        time_ms=int(row["ts"]),
    )


def candle(row: Sequence[str], contract: Decimal) -> Candle:
    begin, open_, high, low, close, volume, _, value, closed = row
    return Candle(
        begin_ms=int(begin),
        open=Decimal(open_),
        high=Decimal(high),
        low=Decimal(low),
        close=Decimal(close),
        volume=EXACT.multiply(Decimal(volume), contract),
        value=Decimal(value),
        closed=closed == "1",
    )


def balance(row: Row) -> AssetBalance:
    words = (exact(row, name) for name in ("cashBal", "eq", "availEq"))
    return AssetBalance(row["ccy"], *words)


def position(row: Row, contract: Decimal) -> AccountPosition:
    return AccountPosition(
        instrument=row["instId"],
        mode=row["mgnMode"],
        qty=_exact_qty(row, "pos", contract),
        entry_price=number(row, "avgPx"),
        mark_price=number(row, "markPx"),
        unrealised=number(row, "upl"),
        liquidation_price=number(row, "liqPx"),
    )


def order(row: Row, contract: Decimal) -> OrderState:
    fee = number(row, "fee")
    return OrderState(
        order_id=row["ordId"],
        client_id=row["clOrdId"],
        instrument=row["instId"],
        side=row["side"],
        type=row["ordType"],
        price=number(row, "px"),
        qty=_exact_qty(row, "sz", contract),
        filled=_exact_qty(row, "accFillSz", contract),
        average_price=number(row, "avgPx"),
        state=row["state"],
        fee=None if fee is None else -fee,
        created_ms=int(row["cTime"]) if row["cTime"] else None,
        updated_ms=int(row["uTime"]) if row["uTime"] else None,
    )


def fill(row: Row, contract: Decimal) -> AccountFill:
    return AccountFill(
        trade_id=int(row["tradeId"]),
        order_id=row["ordId"],
        client_id=row["clOrdId"],
        instrument=row["instId"],
        side=row["side"],
        price=exact(row, "fillPx"),
        qty=_exact_qty(row, "fillSz", contract),
        fee=-exact(row, "fee"),
        fee_asset=row["feeCcy"],
        maker=row["execType"] == "M",
        time_ms=int(row["ts"]),
    )


def withdrawal(row: Row) -> WithdrawalState:
    return WithdrawalState(
        id=row["wdId"],
        asset=row["ccy"],
        amount=exact(row, "amt"),
        address=row["to"],
        state=int(row["state"]),
        note=row["note"],
        time_ms=int(row["ts"]),
    )
