"""Funding: the rate, its settlement, and 24,384 recorded hours, as a formula and through the book."""

import os
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

import exchange_os as xos
from exchange_os import _core
from exchange_os.markets import lint, loads

HOUR = 3_600 * 1_000_000_000
INDEX = 100_000

MARKET = """
[[asset]]
symbol = "USDC"
decimals = 6

[[instrument]]
symbol = "BTC-PERP"
product = "perpetual"
tick_size = "0.00001"
lot_size = "1"
price_max = "300000"
qty_max = "1000"
notional_max = "100000000"
position_max = "10000"
initial_margin_ppm = 50_000
maintenance_margin_ppm = 25_000
matching = "arrival"
fees = { maker_ppm = 0, taker_ppm = 0 }

[instrument.funding]
interval_h = 1
impact_notional = "1"
"""


def opened() -> xos.Exchange:
    """Alice is long one, Bob is short one, and Carol quotes."""
    exchange = xos.open()
    exchange.deploy(loads(MARKET, "funding.toml"), time_ns=0)
    for owner in ("alice", "bob", "carol"):
        account = exchange.open_account(owner, time_ns=0)
        exchange.deposit(account, "USDC", 10_000_000, time_ns=0)
    exchange.set_mark("BTC-PERP", INDEX, time_ns=0)
    # The first interval begins with the first tick; without an index there is no sample yet.
    exchange.tick(time_ns=0)
    exchange.set_index("BTC-PERP", INDEX, time_ns=0)
    exchange.sell(2, "BTC-PERP", INDEX, 1, time_ns=0)
    exchange.buy(1, "BTC-PERP", INDEX, 1, time_ns=0)
    return exchange


def test_predicted_rate_settlement_and_history() -> None:
    exchange = opened()
    exchange.buy(3, "BTC-PERP", INDEX * Decimal("1.01"), 1, time_ns=0)
    exchange.tick(time_ns=0)
    funding = exchange.funding("BTC-PERP")
    assert funding is not None
    # The vector of the reference: premium 1 %, 0.95 % for eight hours, 0.11875 % for one.
    assert (funding.premium, funding.predicted_rate) == (Decimal("0.01"), Decimal("0.0011875"))
    assert (funding.samples, funding.ends_ns, funding.is_settling) == (1, HOUR, False)
    exchange.tick(time_ns=HOUR)
    funding = exchange.funding("BTC-PERP")
    assert funding is not None
    (past,) = funding.history
    assert (past.time_ns, past.rate, past.index_price) == (HOUR, Decimal("0.0011875"), INDEX)
    assert exchange.balance(1, "USDC").total == 10_000_000 - Decimal("118.75")
    assert exchange.balance(2, "USDC").total == 10_000_000 + Decimal("118.75")
    assert exchange.funding("BTC-PERP") is not None


def test_the_linter_knows_funding() -> None:
    spoiled = MARKET.replace('impact_notional = "1"', 'impact_notional = "1"\ncap = "0.2"')
    (problem,) = [p for p in lint(loads(spoiled, "m.toml")) if p.severity == "error"]
    assert "outside the bounds (above 0, at most 10 %)" in problem.message
    spoiled = MARKET.replace('impact_notional = "1"', 'impact_notional = "1"\ncap = "0.0000000000001"')
    (problem,) = [p for p in lint(loads(spoiled, "m.toml")) if p.severity == "error"]
    assert "finer than 1e-12" in problem.message


def recorded() -> pl.DataFrame:
    folder = os.environ.get("XOS_DATA")
    path = Path(folder or ".") / "markets" / "funding_binance_hyperliquid_btc_eth_2022_2025.parquet"
    if folder is None or not path.exists():
        pytest.skip("XOS_DATA names no folder with the recorded premiums of Hyperliquid")
    return pl.read_parquet(path).filter(pl.col("venue") == "hyperliquid")


def test_recorded_premiums_give_the_recorded_rates() -> None:
    rows = recorded()
    assert len(rows) == 24_384
    terms = (1, 100_000_000, 500_000_000, 40_000_000_000)
    for premium, rate in rows.select("premium", "rate").iter_rows():
        ours = _core.funding_rate(round(premium * 1e12), *terms)
        # Recorded to ten decimals.
        assert abs(ours - rate * 1e12) <= 51, (premium, rate, ours)


def test_recorded_premiums_through_the_book_and_the_ledger() -> None:
    """Each recorded hour as a quote that far from the index, a tick, and the rate that the engine sets."""
    rows = recorded()
    exchange = opened()
    index = INDEX * 100_000
    sides = {True: 0, False: 1}
    set_rates = []
    for hour, premium in enumerate(rows["premium"].to_list()):
        frame = xos.commands(3)
        frame["kind"] = [xos.CommandKind.MASS_CANCEL, xos.CommandKind.PLACE, xos.CommandKind.TICK]
        frame["account"] = [3, 3, 0]
        frame["instrument"] = [1, 1, 0]
        frame["side"] = [2, sides[premium > 0], 0]
        frame["price"] = [0, index + round(premium * 1e10), 0]
        frame["qty"] = [0, 1, 0]
        events = exchange.submit(frame, time_ns=(hour + 1) * HOUR)
        set_rates.extend(events[events["kind"] == xos.EventKind.FUNDING_SET])
    assert len(set_rates) == len(rows)
    for event, premium, rate in zip(set_rates, rows["premium"], rows["rate"], strict=True):
        assert abs(int(event["counter_amount_low"].astype("i8")) - premium * 1e12) < 1
        assert abs(int(event["amount_low"].astype("i8")) - rate * 1e12) <= 51
    # Zero-sum: what Alice paid is what Bob received, but for rounding.
    paid = 10_000_000 - exchange.balance(1, "USDC").total
    received = exchange.balance(2, "USDC").total - 10_000_000
    assert paid != 0
    assert 0 <= paid - received <= Decimal(len(rows)).scaleb(-6)
