"""Volatility halts from Python: the market file, what a stopped order gets, how the instrument reopens."""

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
fees = { taker_ppm = 0, maker_ppm = 0 }

[instrument.halt]
move_ppm = MOVE
pause_s = 30
post_only_s = 5
"""

SECOND_NS = 1_000_000_000


def test_an_instrument_halts_and_reopens(tmp_path: Path) -> None:
    path = tmp_path / "market.toml"
    path.write_text(MARKET.replace("MOVE", "100_000"))
    exchange = xos.open()
    exchange.deploy(path)
    alice, bob = exchange.open_account("alice"), exchange.open_account("bob")
    for account in (alice, bob):
        exchange.deposit(account, "USD", 100_000)
    exchange.set_mark("BTC-PERP", 100)
    start_ns = 2_000_000_000 * SECOND_NS
    exchange.tick(time_ns=start_ns)
    for price in (100, 110, 111):
        exchange.sell(bob, "BTC-PERP", price, 1)
    exchange.buy(alice, "BTC-PERP", 100, 1)
    exchange.tick(time_ns=start_ns + SECOND_NS)
    receipt = exchange.buy(alice, "BTC-PERP", 120, 3)
    assert receipt.filled == 1
    assert exchange.instrument("BTC-PERP").accepts is xos.InstrumentState.CANCEL_ONLY
    exchange.tick(time_ns=start_ns + 40 * SECOND_NS)
    assert exchange.buy(alice, "BTC-PERP", 90, 1).filled == 0


def test_bounds_of_a_halt_are_errors_of_the_market_file(tmp_path: Path) -> None:
    path = tmp_path / "market.toml"
    path.write_text(MARKET.replace("MOVE", "1_000_000"))
    with pytest.raises(xos.MarketFileError, match=r"999,999"):
        xos.open().deploy(path)
