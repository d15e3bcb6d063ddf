"""Prices that publishers tell: index, mark, status, and what a restart does."""

from decimal import Decimal
from pathlib import Path

import pytest

import exchange_os as xos
from exchange_os.markets import lint, loads

S = 1_000_000_000

MARKET = (
    """
[[asset]]
symbol = "USDC"
decimals = 6
"""
    + "".join(
        f"""
[[publisher]]
symbol = "{name}"
key = "{number:064x}"
"""
        for number, name in enumerate(("FOX", "OWL", "ELK"), 1)
    )
    + """
[[instrument]]
symbol = "BTC-PERP"
product = "perpetual"
tick_size = "0.5"
lot_size = "0.001"
price_max = "1000000"
qty_max = "1000"
notional_max = "100000000"
position_max = "10000"
initial_margin_ppm = 50_000
maintenance_margin_ppm = 25_000
band_ppm = 100_000
fees = { maker_ppm = 0, taker_ppm = 500 }

[instrument.oracle]
sources = [{ publisher = "FOX" }, { publisher = "OWL" }, { publisher = "ELK" }]
sources_min = 2
"""
)


def opened(path: Path | None = None) -> xos.Exchange:
    exchange = xos.open(path) if path else xos.open()
    exchange.deploy(loads(MARKET, "prices.toml"), time_ns=100 * S)
    return exchange


def test_the_index_is_the_median_and_the_mark_follows() -> None:
    exchange = opened()
    assert exchange.instrument("BTC-PERP").price_status is xos.PriceStatus.STALE
    exchange.publish_price("FOX", "BTC-PERP", 60_000, time_ns=100 * S)
    exchange.publish_price("OWL", "BTC-PERP", "60010.5", external=60_020, time_ns=100 * S)
    instrument = exchange.instrument("BTC-PERP")
    assert (instrument.index_price, instrument.price_status) == (60_005, xos.PriceStatus.LIVE)
    # One external price and the index: their mean.
    assert instrument.mark_price == Decimal("60012.5")
    told = {source.publisher: source for source in exchange.sources("BTC-PERP")}
    assert (told["OWL"].price, told["OWL"].external) == (Decimal("60010.5"), 60_020)
    assert (told["ELK"].price, told["ELK"].published_ns) == (None, 0)
    exchange.tick(time_ns=111 * S)
    instrument = exchange.instrument("BTC-PERP")
    assert (instrument.price_status, instrument.accepts, instrument.index_price) == (
        xos.PriceStatus.STALE,
        xos.InstrumentState.REDUCE_ONLY,
        60_005,
    )


def test_bad_prices_are_numbered_rejects() -> None:
    exchange = opened()
    exchange.publish_price("FOX", "BTC-PERP", 60_000, time_ns=100 * S)
    before = exchange.state_hash
    for price, published_ns, reject in (
        (600_000, 101 * S, xos.Reject.PRICE_JUMP),
        (6_000, 101 * S, xos.Reject.PRICE_JUMP),
        (0, 101 * S, xos.Reject.PRICE_NOT_POSITIVE),
        (-1, 101 * S, xos.Reject.PRICE_NOT_POSITIVE),
        (60_000, 99 * S, xos.Reject.PUBLISHED_NOT_NEWER),
        (60_000, 102 * S, xos.Reject.PUBLISHED_IN_FUTURE),
    ):
        with pytest.raises(xos.Rejected) as caught:
            exchange.publish_price("FOX", "BTC-PERP", price, published_ns=published_ns, time_ns=101 * S)
        assert caught.value.reject is reject
    with pytest.raises(xos.Rejected) as caught:
        exchange.set_mark("BTC-PERP", 60_000)
    assert caught.value.reject is xos.Reject.PRICES_HAVE_ORACLE
    with pytest.raises(xos.UnknownName, match="no publisher 'CAT' stands here"):
        exchange.publish_price("CAT", "BTC-PERP", 60_000)
    assert exchange.state_hash == before


def test_opening_again_waits_for_prices(tmp_path: Path) -> None:
    with opened(tmp_path / "x") as exchange:
        for publisher in ("FOX", "OWL"):
            exchange.publish_price(publisher, "BTC-PERP", 60_000, time_ns=100 * S)
        assert exchange.instrument("BTC-PERP").price_status is xos.PriceStatus.LIVE
    with xos.open(tmp_path / "x") as exchange:
        instrument = exchange.instrument("BTC-PERP")
        assert instrument.price_status is xos.PriceStatus.RECOVERING
        assert instrument.accepts is xos.InstrumentState.CANCEL_ONLY
        for publisher in ("FOX", "OWL"):
            exchange.publish_price(publisher, "BTC-PERP", 61_000)
        assert exchange.instrument("BTC-PERP").price_status is xos.PriceStatus.REOPENING


def test_the_linter_knows_publishers() -> None:
    spoiled = MARKET.replace('publisher = "ELK"', 'publisher = "CAT"')
    (problem,) = [p for p in lint(loads(spoiled, "m.toml")) if p.severity == "error"]
    assert "publisher 'CAT' stands neither in this file" in problem.message
    spoiled = MARKET.replace("sources_min = 2", "sources_min = 4")
    (problem,) = [p for p in lint(loads(spoiled, "m.toml")) if p.severity == "error"]
    assert "4 is outside the bounds (1 to the number of sources)" in problem.message
