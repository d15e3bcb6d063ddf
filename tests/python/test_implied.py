"""Implied liquidity from Python: the market file, previews, the book, trades, a directory opened again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import exchange_os as xos
from exchange_os.errors import MarketFileError

ASSET = """
[[asset]]
symbol = "USD"
decimals = 6
"""


def market(outcomes: int, implied: str = "implied = true") -> str:
    """A question of so many outcomes, T1 and on."""
    rows = ", ".join(f'{{ symbol = "T{n}", name = "team {n}" }}' for n in range(1, outcomes + 1))
    return f"""
{ASSET}
[[question]]
symbol = "CUP"
text = "Which team wins the cup, according to its organiser?"
outcomes = [{rows}]
tick_size = "0.001"
lot_size = "1"
qty_max = 10_000
notional_max = 10_000_000
position_max = 100_000
fees = {{ taker_ppm = 10_000, maker_ppm = -2_000 }}
{implied}
"""


def exchange_of(outcomes: int, directory: Path | None = None) -> xos.Exchange:
    """Two accounts with plenty; the first bids 0.009 for 7 lots of every outcome but the last."""
    exchange = xos.open(directory) if directory else xos.open()
    exchange.deploy(xos.markets.loads(market(outcomes)))
    for owner in ("maker", "taker"):
        exchange.deposit(exchange.open_account(owner), "USD", 100_000)
    for number in range(1, outcomes):
        exchange.buy(1, f"T{number}", "0.009", 7)
    return exchange


def test_one_order_meets_the_other_99_outcomes_of_a_hundred() -> None:
    exchange = exchange_of(100)
    seen = exchange.preview(2, "T100", "buy", "0.2", 9)
    (ask,) = exchange.book_with_implied("T100").asks
    assert (ask.price, ask.qty, ask.orders, ask.implied) == (Decimal("0.109"), 0, 0, 7)
    taken = exchange.buy(2, "T100", "0.2", 9)
    assert (taken.filled, taken.remaining, taken.status) == (7, 2, "resting")
    (fill,) = taken.fills
    assert (fill.price, fill.taker, fill.maker, fill.maker_fee) == (Decimal("0.109"), 2, 0, 0)
    assert (seen.taken, seen.fee) == (7, fill.taker_fee)
    legs = exchange.trades()[:-100:-1]
    assert {(leg.side, leg.taker, leg.maker, leg.price) for leg in legs} == {("sell", 0, 1, Decimal("0.009"))}
    assert -sum(leg.maker_fee for leg in legs) <= fill.taker_fee
    assert exchange.question("CUP").sets == 7
    assert exchange.house()["question CUP"] == {"USD": 7}
    assert exchange.conservation() == {"USD": 0}


def test_the_book_adds_what_is_implied_and_the_frame_has_every_part() -> None:
    exchange = exchange_of(3)
    exchange.sell(1, "T3", "0.985", 5)
    exchange.sell(1, "T3", "0.982", 2)
    book = exchange.book_with_implied("T3")
    assert [(a.price, a.qty, a.implied) for a in book.asks] == [
        (Decimal("0.982"), 2, 7),
        (Decimal("0.985"), 5, 0),
    ]
    assert exchange.book_with_implied("T3", depth=1).asks == book.asks[:1]
    exchange.buy(2, "T3", "0.99", 4, tif="ioc")
    frame = exchange.trades_frame()
    assert frame["taker"].to_list() == [2, 2, 0, 0]
    assert frame["maker"].to_list() == [1, 0, 1, 1]
    assert frame["side"].to_list() == ["buy", "buy", "sell", "sell"]


def test_best_prices_are_found_again_when_a_directory_is_opened(tmp_path: Path) -> None:
    with exchange_of(4, tmp_path / "data") as exchange:
        exchange.snapshot()
        offered = exchange.book_with_implied("T4")
        state = exchange.state_hash
    with xos.open(tmp_path / "data") as exchange:
        assert exchange.state_hash == state
        assert exchange.book_with_implied("T4").asks == offered.asks
        assert exchange.buy(2, "T4", "0.98", 1).filled == 1


def test_a_question_without_it_offers_its_own_book_only() -> None:
    exchange = xos.open()
    exchange.deploy(xos.markets.loads(market(3, implied="")))
    exchange.deposit(exchange.open_account("maker"), "USD", 100)
    for outcome in ("T1", "T2"):
        exchange.buy(1, outcome, "0.4", 5)
    assert exchange.book_with_implied("T3").asks == ()
    assert exchange.buy(1, "T3", "0.5", 1).filled == 0


def test_more_outcomes_than_an_order_may_meet_are_refused() -> None:
    few = "[limits]\nmatches_per_command_max = 2\n"
    exchange = xos.open()
    with pytest.raises(MarketFileError, match="implied: 4 is outside the bounds"):
        exchange.deploy(xos.markets.loads(few + market(4)))
    exchange = xos.open()
    exchange.deploy(xos.markets.loads(few + market(3)))
    assert exchange.question("CUP").sets == 0
