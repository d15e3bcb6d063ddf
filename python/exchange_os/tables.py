"""Frames of accounts and markets, in whole units; the rows come from the engine as integers."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from exchange_os._core import SelfTrade, Side, Tif
from exchange_os.directory import Directory, Market
from exchange_os.frames import decimals, int128, words
from exchange_os.records import Events, as_trades

Rows = Iterable[tuple[int, Any]]


class _Steps:
    """The steps of several assets or instruments, by number, as `decimals` wants them."""

    def __init__(self, numbers: list[int], step_of: Any) -> None:
        distinct, self.rows = np.unique(np.array(numbers, np.int64), return_inverse=True)
        self.steps: list[Decimal] = [step_of(int(number)) for number in distinct]

    def column(self, counts: Any) -> pl.Series:
        return decimals(counts, self.steps, self.rows if self.steps else None)


def balances(directory: Directory, accounts: Rows) -> pl.DataFrame:
    rows = [(account, *row) for account, balances in accounts for row in balances]
    account, number, total, held = _columns(rows, 4)
    amounts = _Steps(number, lambda asset: directory.assets[asset].amount.step)
    frame = pl.DataFrame(
        {
            "account": pl.Series(account, dtype=pl.UInt32),
            "asset": pl.Series([directory.assets[asset].symbol for asset in number], dtype=pl.String),
            "total": amounts.column(total),
            "held": amounts.column(held),
        }
    )
    return frame.with_columns((pl.col("total") - pl.col("held")).alias("free"))


def positions(directory: Directory, accounts: Rows) -> pl.DataFrame:
    rows = [(account, *row) for account, positions in accounts for row in positions]
    account, number, lots, cost, realised, unrealised, buys, sells, maintenance, liquidation = _columns(
        rows, 10
    )
    qty = _Steps(number, lambda market: directory.markets[market].qty.step)
    price = _Steps(number, lambda market: directory.markets[market].price.step)
    money = _Steps(number, lambda market: directory.markets[market].quote.amount.step)
    return pl.DataFrame(
        {
            "account": pl.Series(account, dtype=pl.UInt32),
            "instrument": _symbols(directory, number),
            "qty": qty.column(lots),
            "cost": money.column(cost),
            "realised": money.column(realised),
            "unrealised": money.column(unrealised),
            "buys": qty.column(buys),
            "sells": qty.column(sells),
            "maintenance_margin": money.column(maintenance),
            "liquidation_price": price.column([ticks or 0 for ticks in liquidation]),
        }
    ).with_columns(
        pl.when(pl.Series([ticks is not None for ticks in liquidation], dtype=pl.Boolean))
        .then(pl.col("liquidation_price"))
        .alias("liquidation_price")
    )


def orders(directory: Directory, accounts: Rows) -> pl.DataFrame:
    rows = [row for _, orders in accounts for row in orders]
    (
        order_id,
        account,
        number,
        side,
        price,
        qty,
        remaining,
        tif,
        flags,
        self_trade,
        venue,
        expires,
        client,
        display,
        shown,
    ) = _columns(rows, 15)
    prices = _Steps(number, lambda market: directory.markets[market].price.step)
    lots = _Steps(number, lambda market: directory.markets[market].qty.step)
    return pl.DataFrame(
        {
            "order_id": pl.Series(order_id, dtype=pl.UInt64),
            "account": pl.Series(account, dtype=pl.UInt32),
            "instrument": _symbols(directory, number),
            "side": words(np.array(side, np.int64), Side),
            "price": prices.column(price),
            "qty": lots.column(qty),
            "remaining": lots.column(remaining),
            "tif": words(np.array(tif, np.int64), Tif),
            "flags": pl.Series(flags, dtype=pl.UInt8),
            "self_trade": words(np.array(self_trade, np.int64), SelfTrade),
            "venue": pl.Series(venue, dtype=pl.UInt16),
            "expires_ns": pl.Series(expires, dtype=pl.UInt64),
            "client_id": pl.Series([text.rstrip(b"\0") or None for text in client], dtype=pl.Binary),
            "display": lots.column(display),
            "shown": lots.column(shown),
        }
    )


def trades(directory: Directory, array: Events) -> pl.DataFrame:
    array = as_trades(array)
    number = array["instrument"].tolist()
    prices = _Steps(number, lambda market: directory.markets[market].price.step)
    lots = _Steps(number, lambda market: directory.markets[market].qty.step)
    fees = _Steps(number, lambda market: directory.markets[market].fee_asset.amount.step)
    return pl.DataFrame(
        {
            "trade_id": array["trade_id"].copy(),
            "sequence": array["sequence"].copy(),
            "time_ns": array["time_ns"].copy(),
            "instrument": _symbols(directory, number),
            "side": words(array["side"], Side),
            "price": prices.column(pl.Series(array["price"].copy())),
            "qty": lots.column(pl.Series(array["qty"].copy())),
            "taker": array["account"].copy(),
            "taker_order_id": array["order_id"].copy(),
            "taker_fee": fees.column(int128(array["amount_low"], array["amount_high"])),
            "maker": array["counter_account"].copy(),
            "maker_order_id": array["counter_order_id"].copy(),
            "maker_fee": fees.column(int128(array["counter_amount_low"], array["counter_amount_high"])),
        }
    )


def book(market: Market, bids: list[tuple[int, int, int]], asks: list[tuple[int, int, int]]) -> pl.DataFrame:
    price, lots, count = _columns([*bids, *asks], 3)
    return pl.DataFrame(
        {
            "side": pl.Series(["bid"] * len(bids) + ["ask"] * len(asks), dtype=pl.String),
            "price": decimals(price, [market.price.step]),
            "qty": decimals(lots, [market.qty.step]),
            "orders": pl.Series(count, dtype=pl.UInt32),
        }
    )


def _columns(rows: list[Any], count: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(count)]


def _symbols(directory: Directory, numbers: list[int]) -> pl.Series:
    return pl.Series([directory.markets[number].symbol for number in numbers], dtype=pl.String)
