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


def deploy_file(tmp_path: Path, *changes: tuple[str, str]) -> xos.Exchange:
    text = FILE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "other.toml"
    path.write_text(text)
    exchange = xos.open()
    exchange.deploy(path)
    for name in ("ann", "bob", "cat"):
        exchange.deposit(exchange.open_account(name), "USD", 10_000)
    exchange.set_mark("BTC-PERP", 100)
    return exchange


_SPLIT = "split = { deployer_ppm = 400_000, venue_ppm = 600_000 }"
_TOLD = "split = { deployer_ppm = 300_000, venue_ppm = 500_000, referrer_ppm = 200_000, receipts = true }"


def test_receipts_tell_each_part_in_money_and_add_up(tmp_path: Path) -> None:
    exchange = deploy_file(tmp_path, (_SPLIT, _TOLD))
    exchange.set_referrer(2, 3)
    assert exchange.referrer(2) == 3
    assert exchange.referrer(1) is None
    exchange.sell(1, "BTC-PERP", 100, "1.007")
    order = exchange.buy(2, "BTC-PERP", 100, "1.007", venue="SHOP")
    (receipt,) = exchange.fee_receipts(account=2)
    assert receipt == exchange.fee_receipts(instrument="BTC-PERP")[0]
    assert (receipt.trade_id, receipt.order_id) == (order.fills[0].trade_id, order.order_id)
    assert (receipt.payer, receipt.venue, receipt.referrer, receipt.asset) == (2, "SHOP", 3, "USD")
    assert receipt.fee == order.fills[0].taker_fee == Decimal("0.100700")
    assert receipt.parts == {
        "deployer": Decimal("0.030210"),
        "venue": Decimal("0.050350"),
        "referrer": Decimal("0.020140"),
        "insurance": Decimal(0),
        "protocol": Decimal(0),
        "rounding": Decimal(0),
    }
    assert sum(receipt.parts.values()) == receipt.fee
    assert exchange.balance(3, "USD").total == Decimal("10000.020140")


def test_a_part_for_referrers_is_the_protocols_where_nobody_brought_the_payer(tmp_path: Path) -> None:
    exchange = deploy_file(tmp_path, (_SPLIT, _TOLD))
    exchange.sell(1, "BTC-PERP", 100, "1")
    exchange.buy(2, "BTC-PERP", 100, "1", venue="SHOP")
    (receipt,) = exchange.fee_receipts()
    assert receipt.referrer == 0
    assert receipt.parts["referrer"] == 0
    assert receipt.parts["protocol"] == Decimal("0.020000")
    assert exchange.house()["protocol"]["USD"] == Decimal("0.020000")


def test_without_receipts_there_are_none(exchange: xos.Exchange) -> None:
    exchange.sell(1, "BTC-PERP", 100, "1")
    exchange.buy(2, "BTC-PERP", 100, "1", venue="SHOP")
    assert exchange.fee_receipts() == []


def test_caps_are_set_kept_and_taken_away(exchange: xos.Exchange) -> None:
    exchange.set_fee_cap(2, "SHOP", 999)
    exchange.sell(1, "BTC-PERP", 100, "1")
    with pytest.raises(xos.Rejected, match="taker rate is 1000 ppm, above the account's cap") as refused:
        exchange.buy(2, "BTC-PERP", 100, "1", venue="SHOP")
    assert refused.value.reject is xos.Reject.FEE_ABOVE_CAP
    exchange.set_fee_cap(2, "SHOP", 1_000)
    assert exchange.fee_rates(2, "SHOP").cap_ppm == 1_000
    exchange.set_fee_cap(2, "SHOP", None)
    assert exchange.fee_rates(2, "SHOP").cap_ppm is None
    for ppm in (-2, 100_001):
        with pytest.raises(xos.Rejected, match="it is 0 to 100000, or -1"):
            exchange.set_fee_cap(2, "SHOP", ppm)
    for wrong in (1.5, True, "5"):
        with pytest.raises(xos.InvalidArgument):
            exchange.set_fee_cap(2, "SHOP", wrong)  # type: ignore[arg-type]
    with pytest.raises(xos.UnknownName):
        exchange.set_fee_cap(2, "NOWHERE", 5)


_FEES = "fees = { maker_ppm = 0, taker_ppm = 1000 }\n"
_TIERS = """tiers = [
    { volume_from = 100, maker_ppm = 0, taker_ppm = 500 },
    { volume_from = 200, maker_ppm = -100, taker_ppm = 200 },
]
"""


def test_tiers_follow_from_the_days_before(tmp_path: Path) -> None:
    exchange = deploy_file(tmp_path, (_FEES, _FEES + _TIERS))
    day = 86_400 * 10**9
    start = exchange.time_ns // day * day + day
    rates = exchange.fee_rates(2, "SHOP")
    assert (rates.maker_ppm, rates.taker_ppm, rates.tier, rates.volume, rates.volume_today) == (
        0,
        1000,
        0,
        0,
        0,
    )
    exchange.sell(1, "BTC-PERP", 100, "2", time_ns=start)
    exchange.buy(2, "BTC-PERP", 100, "1", venue="SHOP", time_ns=start)
    rates = exchange.fee_rates(2, "SHOP")
    assert (rates.tier, rates.volume, rates.volume_today) == (0, 0, 100)
    exchange.tick(time_ns=start + day)
    rates = exchange.fee_rates(2, "SHOP")
    assert (rates.tier, rates.taker_ppm, rates.volume, rates.volume_today) == (1, 500, 100, 0)
    order = exchange.buy(2, "BTC-PERP", 100, "1", venue="SHOP", time_ns=start + day)
    assert order.fills[0].taker_fee == Decimal("0.05")
    exchange.tick(time_ns=start + 2 * day)
    assert exchange.fee_rates(2, "SHOP").maker_ppm == -100
    exchange.tick(time_ns=start + 31 * day)
    assert exchange.fee_rates(2, "SHOP").tier == 1
    exchange.tick(time_ns=start + 32 * day)
    assert exchange.fee_rates(2, "SHOP").tier == 0


def test_rates_of_a_venue_without_fees_are_those_of_the_instrument(exchange: xos.Exchange) -> None:
    assert exchange.fee_rates(1, "CLUB", "BTC-PERP").taker_ppm == 400
    assert exchange.fee_rates(1, 0, "BTC-PERP").tier == 0
    with pytest.raises(xos.InvalidArgument, match="name an instrument"):
        exchange.fee_rates(1, "CLUB")
    with pytest.raises(xos.UnknownName, match="account 9 does not exist"):
        exchange.fee_rates(9, "SHOP")


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ("{ volume_from = 0, maker_ppm = 0, taker_ppm = 500 }", "volume_from is above 0"),
        ("{ volume_from = 1, maker_ppm = 0, taker_ppm = 1001 }", "taker_ppm is at least 0 and does not rise"),
        ("{ volume_from = 1, maker_ppm = 1, taker_ppm = 500 }", "maker_ppm does not rise"),
        ('{ volume_from = "0.0000001", maker_ppm = 0, taker_ppm = 500 }', "finer than an atom"),
    ],
)
def test_lint_names_a_wrong_tier(tmp_path: Path, tiers: str, said: str) -> None:
    path = write(tmp_path, _FEES, f"{_FEES}tiers = [{tiers}]\n")
    with pytest.raises(xos.MarketFileError, match=said):
        xos.open().deploy(path)


def test_tiers_change_like_other_terms(exchange: xos.Exchange, tmp_path: Path) -> None:
    (found,) = exchange.update(write(tmp_path, _FEES, _FEES + _TIERS))
    assert found.content["spec"]["tiers"][1] == {
        "volume_from": "200000000",
        "maker_ppm": -100,
        "taker_ppm": 200,
    }
