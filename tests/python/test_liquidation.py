"""Liquidation from Python: the market file, the fund, accounts in liquidation, standings and receipts."""

from decimal import Decimal
from pathlib import Path

import pytest

import exchange_os as xos

MARKET = """
[[asset]]
symbol = "USD"
decimals = 2

[[instrument]]
symbol = "BTC-PERP"
product = "perpetual"
tick_size = "1"
lot_size = "1"
qty_max = 1000
notional_max = 10_000_000
price_max = 10_000
position_max = 1000
initial_margin_ppm = 100_000
maintenance_margin_ppm = 50_000
fees = { taker_ppm = 10_000, maker_ppm = 0 }
split = { protocol_ppm = 0, insurance_ppm = 1_000_000 }

[instrument.liquidation]
policy = "full"
cooldown_ms = 0
insurance_draw_max = 6
"""


@pytest.fixture
def exchange(tmp_path: Path) -> xos.Exchange:
    path = tmp_path / "market.toml"
    path.write_text(MARKET)
    exchange = xos.open()
    exchange.deploy(path)
    return exchange


def test_a_bankruptcy_leaves_receipts(exchange: xos.Exchange) -> None:
    alice, bob = exchange.open_account("alice"), exchange.open_account("bob")
    exchange.deposit(alice, "USD", 130)
    exchange.deposit(bob, "USD", 100_000)
    exchange.set_mark("BTC-PERP", 100)
    exchange.sell(bob, "BTC-PERP", 100, 10)
    exchange.buy(alice, "BTC-PERP", 100, 10)
    assert exchange.insurance_fund() == 10
    (standing,) = exchange.adl_standings("BTC-PERP", "sell", 4)
    assert (standing.account, standing.position, standing.share, standing.queue_rank) == (bob, -10, 4, 1)
    exchange.set_mark("BTC-PERP", 80)
    (receipt,) = exchange.adl_receipts(bob)
    assert (receipt.qty, receipt.price, receipt.haircut) == (10, 88, 80)
    assert (receipt.realised, receipt.bankrupt_positions, receipt.queue_qty) == (120, 1, 10)
    assert exchange.adl_receipts(alice) == []
    assert exchange.liquidations() == []
    # 6 paid, and 6 came back from what rounding to whole ticks left.
    assert exchange.insurance_fund() == 10
    assert set(exchange.conservation().values()) == {Decimal(0)}


def test_an_account_that_nobody_can_close_waits(exchange: xos.Exchange) -> None:
    alice, bob = exchange.open_account("alice"), exchange.open_account("bob")
    exchange.deposit(alice, "USD", 130)
    exchange.deposit(bob, "USD", 100_000)
    exchange.set_mark("BTC-PERP", 100)
    exchange.sell(bob, "BTC-PERP", 100, 10)
    exchange.buy(alice, "BTC-PERP", 100, 10)
    exchange.set_mark("BTC-PERP", 91)
    (waiting,) = exchange.liquidations()
    assert (waiting.account, waiting.equity, waiting.maintenance_margin) == (alice, 30, Decimal("45.5"))
    exchange.deposit(alice, "USD", 100)
    exchange.tick()
    assert exchange.liquidations() == []


def test_the_linter_names_a_field_out_of_bounds(tmp_path: Path) -> None:
    path = tmp_path / "market.toml"
    path.write_text(MARKET.replace("cooldown_ms = 0", "cooldown_ms = 3_600_001"))
    problems = xos.markets.lint(xos.markets.load(path))
    assert any("cooldown_ms: 3600001 is outside" in str(problem) for problem in problems)


GROWING = MARKET.replace(
    'policy = "full"',
    'policy = "growing"\nfull_below = 0\nbackstop_ppm = 0\nprice = "fillable"\nspread_ppm = 1_500_000\n'
    "growth = { duration_s = 100, initial_ppm = 100_000, small_shortage = 50 }",
).replace("taker_ppm = 10_000", "taker_ppm = 0")


def test_a_shortage_that_is_freed_little_by_little(tmp_path: Path) -> None:
    exchange = xos.open()
    exchange.deploy(xos.markets.loads(GROWING))
    alice, bob = exchange.open_account("alice"), exchange.open_account("bob")
    exchange.deposit(alice, "USD", 1_030)
    exchange.deposit(bob, "USD", 100_000)
    exchange.set_mark("BTC-PERP", 100)
    exchange.sell(bob, "BTC-PERP", 100, 100)
    exchange.buy(alice, "BTC-PERP", 100, 100)
    exchange.buy(bob, "BTC-PERP", 93, 3)
    exchange.set_mark("BTC-PERP", 93)
    # 135 are missing, 13.50 may be freed: 2.9 of the 100 lots, of which each frees 4.65.
    (waiting,) = exchange.liquidations()
    assert (waiting.equity, waiting.maintenance_margin, waiting.freed) == (
        330,
        Decimal("451.05"),
        Decimal("13.95"),
    )
    assert waiting.since_ns is not None
    assert waiting.since_ns < waiting.next_visit_ns


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'policy = "growing"',
            'policy = "ladder"',
            "liquidation.growth: 1 is outside the bounds (with the policy growing",
        ),
        (
            "duration_s = 100",
            "duration_s = 0",
            "liquidation.growth: 0 is outside the bounds (duration_s from 1 to 86,400",
        ),
        ("spread_ppm = 1_500_000", "", "liquidation.spread_ppm: 0 is outside the bounds (1 to 10,000,000"),
    ],
)
def test_the_linter_names_a_policy_that_contradicts_itself(old: str, new: str, said: str) -> None:
    assert GROWING.count(old) == 1
    problems = "\n".join(map(str, xos.markets.lint(xos.markets.loads(GROWING.replace(old, new)))))
    assert said in problems
