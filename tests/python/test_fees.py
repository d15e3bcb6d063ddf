"""Listings and shares of fees through Python: from a market file to the account that is paid."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import exchange_os as xos

FILE = """
[[asset]]
symbol = "USD"
decimals = 6

[[venue]]
symbol = "SHOP"
fees = { maker_ppm = 0, taker_ppm = 1000 }
fees_to = 1

[[venue]]
symbol = "CLUB"
lists = ["UP"]

[[instrument]]
symbol = "BTC-PERP"
product = "perpetual"
tick_size = "0.1"
lot_size = "0.001"
price_max = "1000000"
qty_max = "100"
notional_max = "10000000"
position_max = "1000"
initial_margin_ppm = 100_000
maintenance_margin_ppm = 50_000
fees = { maker_ppm = 0, taker_ppm = 400 }
split = { deployer_ppm = 400_000, venue_ppm = 600_000 }
fees_to = 2

[[question]]
symbol = "BTC-UP"
text = "Is it up?"
tick_size = "0.01"
lot_size = "1"
qty_max = "1000"
notional_max = "100000"
position_max = "1000"
outcomes = [{ symbol = "UP", name = "Yes" }, { symbol = "DOWN", name = "No" }]

[[instrument]]
symbol = "CLUB-PERP"
product = "perpetual"
venue = "CLUB"
tick_size = "0.1"
lot_size = "0.001"
price_max = "1000000"
qty_max = "100"
notional_max = "10000000"
position_max = "1000"
initial_margin_ppm = 100_000
maintenance_margin_ppm = 50_000
"""


def write(tmp_path: Path, old: str = "", new: str = "") -> Path:
    assert old in FILE
    path = tmp_path / "market.toml"
    path.write_text(FILE.replace(old, new) if old else FILE)
    return path


@pytest.fixture
def exchange(tmp_path: Path) -> xos.Exchange:
    exchange = xos.open()
    exchange.deploy(write(tmp_path))
    for name in ("ann", "bob", "cat"):
        exchange.deposit(exchange.open_account(name), "USD", 10_000)
    for perpetual in ("BTC-PERP", "CLUB-PERP"):
        exchange.set_mark(perpetual, 100)
    return exchange


def test_shares_of_fees_are_paid_to_the_accounts_that_the_file_names(exchange: xos.Exchange) -> None:
    exchange.sell(3, "BTC-PERP", 100, 1)
    exchange.buy(2, "BTC-PERP", 100, 1, venue="SHOP")
    exchange.collect_fees(venue="SHOP")
    exchange.collect_fees(instrument="BTC-PERP", asset="USD")
    assert exchange.balance(1, "USD").total == Decimal("10000.06")
    assert exchange.balance(2, "USD").total == Decimal("9999.94")
    with pytest.raises(xos.Rejected, match="nothing of asset 1 to collect") as refused:
        exchange.collect_fees(venue="SHOP")
    assert refused.value.reject == xos.Reject.NOTHING_TO_COLLECT
    with pytest.raises(xos.InvalidArgument, match="one of them"):
        exchange.collect_fees(venue="SHOP", instrument="BTC-PERP")


def test_a_list_and_an_own_instrument_say_where_orders_trade(exchange: xos.Exchange) -> None:
    exchange.buy(1, "UP", "0.4", 1, venue="CLUB")
    exchange.buy(1, "CLUB-PERP", 100, 1, venue="CLUB")
    with pytest.raises(xos.Rejected) as refused:
        exchange.buy(1, "DOWN", "0.4", 1, venue="CLUB")
    assert refused.value.reject == xos.Reject.NOT_LISTED
    with pytest.raises(xos.Rejected) as refused:
        exchange.buy(1, "CLUB-PERP", 100, 1, venue="SHOP")
    assert refused.value.reject == xos.Reject.OF_ANOTHER_VENUE


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('lists = ["UP"]', 'lists = ["UP", "UP"]', "UP stands twice"),
        ('lists = ["UP"]', 'lists = ["SIDEWAYS"]', "'SIDEWAYS' stands neither"),
        ('venue = "CLUB"', 'venue = "BAR"', "venue 'BAR' stands neither"),
    ],
)
def test_names_that_stand_nowhere_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(xos.MarketFileError, match=message):
        xos.open().deploy(write(tmp_path, old, new))


def test_a_file_deployed_again_asks_for_nothing_and_a_longer_list_is_a_change(
    exchange: xos.Exchange, tmp_path: Path
) -> None:
    exchange.deploy(write(tmp_path))
    assert exchange.update(write(tmp_path)) == []
    found = exchange.update(write(tmp_path, 'lists = ["UP"]', 'lists = ["UP", "DOWN"]'))
    assert [(update.kind, update.symbol) for update in found] == [("venue", "CLUB")]
    assert found[0].content["spec"]["lists"] == [3, 4]
