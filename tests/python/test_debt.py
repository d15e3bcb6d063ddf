"""Debt from Python: the limit in the market file, an order refused, collateral that is sold."""

from decimal import Decimal
from pathlib import Path

import pytest

import exchange_os as xos

MARKET = """
[[asset]]
symbol = "USD"
decimals = 2
debt_max = "100.50"

[[asset]]
symbol = "GOLD"
decimals = 0

[[instrument]]
symbol = "GOLD-USD"
product = "spot"
base = "GOLD"
quote = "USD"
tick_size = "1"
lot_size = "1"
qty_max = 1000
notional_max = 10_000_000
price_max = 10_000
fees = { taker_ppm = 0, maker_ppm = 0 }
collateral = [{ up_to = 100, haircut_ppm = 100_000 }]
conversion_slippage_ppm = SLIPPAGE

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
fees = { taker_ppm = 0, maker_ppm = 0 }
"""


def test_a_debt_beyond_its_limit_sells_collateral(tmp_path: Path) -> None:
    path = tmp_path / "market.toml"
    path.write_text(MARKET.replace("SLIPPAGE", "50_000"))
    exchange = xos.open()
    exchange.deploy(path)
    alice, bob = exchange.open_account("alice"), exchange.open_account("bob")
    exchange.deposit(alice, "GOLD", 20)
    exchange.deposit(bob, "USD", 100_000)
    exchange.set_index("GOLD-USD", 100)
    exchange.set_mark("BTC-PERP", 100)
    with pytest.raises(xos.Rejected, match="the limit is") as refused:
        exchange.buy(alice, "BTC-PERP", 111, 10)
    assert refused.value.reject is xos.Reject.DEBT_LIMIT
    exchange.sell(bob, "BTC-PERP", 100, 30)
    exchange.buy(alice, "BTC-PERP", 100, 30)
    exchange.set_mark("BTC-PERP", 90)
    exchange.buy(bob, "BTC-PERP", 90, 30)
    exchange.sell(alice, "BTC-PERP", 90, 30)
    debt = exchange.debt(alice)
    (gold,) = debt.convertible
    assert debt.owed == 300
    assert (gold.asset, gold.instrument, gold.qty) == ("GOLD", "GOLD-USD", 20)
    assert (gold.price, gold.value) == (95, 1800)
    with pytest.raises(xos.Rejected) as refused:
        exchange.withdraw(alice, "GOLD", 1)
    assert refused.value.reject is xos.Reject.INSUFFICIENT_BALANCE
    exchange.buy(bob, "GOLD-USD", 98, 9)
    exchange.tick(time_ns=2_000_000_000_000_000_000)
    assert exchange.debt(alice).owed == Decimal(300) - 3 * 98
    exchange.withdraw(alice, "GOLD", 1)


def test_a_slippage_above_the_haircut_is_an_error_of_the_market_file(tmp_path: Path) -> None:
    path = tmp_path / "market.toml"
    path.write_text(MARKET.replace("SLIPPAGE", "100_001"))
    with pytest.raises(xos.MarketFileError, match="haircut of the first tier"):
        xos.open().deploy(path)


def test_a_debt_bears_interest_by_the_hour(tmp_path: Path) -> None:
    path = tmp_path / "market.toml"
    market = MARKET.replace("SLIPPAGE", "50_000").replace('"100.50"', '"900"\ndebt_interest_ppm = 1_000_000')
    path.write_text(market)
    exchange = xos.open()
    exchange.deploy(path)
    alice, bob = exchange.open_account("alice"), exchange.open_account("bob")
    exchange.deposit(alice, "GOLD", 20)
    exchange.deposit(bob, "USD", 100_000)
    exchange.set_index("GOLD-USD", 100)
    exchange.set_mark("BTC-PERP", 100)
    exchange.sell(bob, "BTC-PERP", 100, 10)
    exchange.buy(alice, "BTC-PERP", 100, 10)
    exchange.set_mark("BTC-PERP", 90)
    exchange.buy(bob, "BTC-PERP", 90, 10)
    exchange.sell(alice, "BTC-PERP", 90, 10)
    assert exchange.balance(alice, "USD").total == -100
    hour_ns = 3_600 * 10**9
    begin_ns = 500_000 * hour_ns
    exchange.tick(time_ns=begin_ns)
    exchange.tick(time_ns=begin_ns + hour_ns - 1)
    assert exchange.balance(alice, "USD").total == -100
    exchange.tick(time_ns=begin_ns + hour_ns)
    # 100 USD at 100 % a year of 8,760 hours: 1.14 cents an hour.
    assert exchange.balance(alice, "USD").total == Decimal("-100.01")
    exchange.tick(time_ns=begin_ns + 7 * hour_ns)
    exchange.tick(time_ns=begin_ns + 7 * hour_ns)
    # Six hours cost 6.85, and 0.14 were left: 6.99.
    assert exchange.balance(alice, "USD").total == Decimal("-100.07")
    exchange.tick(time_ns=begin_ns + 8 * hour_ns)
    assert exchange.balance(alice, "USD").total == Decimal("-100.09")
    assert exchange.house()["insurance"]["USD"] == Decimal("0.09")
