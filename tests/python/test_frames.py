"""polars frames: exact, typed, and equal to the objects."""

from decimal import Decimal

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import exchange_os as xos
from exchange_os import frames


@pytest.fixture
def traded(exchange: xos.Exchange) -> xos.Exchange:
    exchange.buy(1, "BTC-USDC", "50000.1", "0.5", client_id="c")
    exchange.sell(2, "BTC-USDC", 50_000, "0.2", venue="front")
    exchange.buy(1, "BTC-PERP", "50000.5", "0.125")
    exchange.sell(2, "BTC-PERP", 50_000, "0.125")
    exchange.split(1, "RACE", 7)
    return exchange


def test_balances(traded: xos.Exchange) -> None:
    frame = traded.balances_frame()
    assert frame.columns == ["account", "asset", "total", "held", "free"]
    assert all(isinstance(kind, pl.Decimal) for kind in frame.dtypes[2:])
    objects = [balance for account in (1, 2) for balance in traded.balances(account)]
    assert [(b.account, b.asset, b.total, b.held, b.free) for b in objects] == frame.rows()
    assert len(traded.balances_frame(2)) == 2


def test_positions(traded: xos.Exchange) -> None:
    frame = traded.positions_frame(1)
    assert frame.to_dicts() == [msgspec.structs.asdict(position) for position in traded.positions(1)]


def test_orders(traded: xos.Exchange) -> None:
    (row,) = traded.orders_frame().to_dicts()
    (order,) = traded.orders(1)
    assert (row["price"], row["qty"], row["remaining"]) == (order.price, order.qty, order.remaining)
    assert (row["side"], row["tif"], row["client_id"]) == ("buy", "gtc", b"c")


def test_trades(traded: xos.Exchange) -> None:
    rows = traded.trades_frame().to_dicts()
    for row, trade in zip(rows, traded.trades(), strict=True):
        for name, value in row.items():
            assert getattr(trade, name) == value, name
    assert len(traded.trades_frame("BTC-PERP")) == 1


def test_book(traded: xos.Exchange) -> None:
    assert traded.book_frame("BTC-USDC").rows() == [("bid", Decimal("50000.1"), Decimal("0.3"), 1)]


def test_events(traded: xos.Exchange) -> None:
    frame = traded.events_frame()
    trades = frame.filter(pl.col("kind") == "trade")
    assert trades["counter_account"].to_list() == [1, 1]
    assert trades["client_id"].to_list() == [None, None]
    assert frame.filter(pl.col("kind") != "trade")["trade_id"].null_count() == len(frame) - 2
    deposits = frame.filter(pl.col("kind") == "deposited")
    assert deposits["amount"].to_list() == [10**12, 10**9] * 2
    traded.try_place(1, "BTC-USDC", "buy", 0, 1)
    assert traded.events_frame()["reason"].to_list()[-1] == "price_not_positive"


def test_empty_frames_have_their_columns() -> None:
    with xos.open() as empty:
        for frame in (
            empty.balances_frame(),
            empty.positions_frame(),
            empty.orders_frame(),
            empty.trades_frame(),
            empty.events_frame(),
        ):
            assert len(frame) == 0
            assert frame.width > 4


@given(
    counts=st.lists(st.integers(-(2**80), 2**80), max_size=20),
    steps=st.lists(st.sampled_from(["1", "0.5", "0.1", "0.000001", "25"]), min_size=1, max_size=3),
)
def test_a_decimal_column_is_exact(counts: list[int], steps: list[str]) -> None:
    rows = np.arange(len(counts)) % len(steps)
    column = frames.decimals(counts, [Decimal(step) for step in steps], rows)
    expected = [count * int(Decimal(steps[row]) * 10**6) for count, row in zip(counts, rows, strict=True)]
    assert [int(value.scaleb(6, xos.exact.EXACT)) for value in column] == expected


def test_more_digits_than_a_column_has_are_refused() -> None:
    with pytest.raises(xos.OutOfRange, match="38 digits"):
        frames.decimals([2**96], [Decimal(1), Decimal("1e-18")], np.zeros(1, np.int64))
