"""Phases and auctions through Python: from a market file to the view of an auction, and the linter."""

from __future__ import annotations

from decimal import Decimal

import pytest

import exchange_os as xos
from exchange_os.markets.difference import difference

SECOND_NS = 1_000_000_000
OPENS_NS = 1_893_456_000 * SECOND_NS  # 2030-01-01

FILE = """
[[asset]]
symbol = "USD"
decimals = 6

[[instrument]]
symbol = "BTC-PERP"
product = "perpetual"
tick_size = "0.5"
lot_size = "0.1"
price_max = "1000000"
qty_max = "100"
notional_max = "10000000"
position_max = "1000"
initial_margin_ppm = 100_000
maintenance_margin_ppm = 50_000
band_ppm = 100_000
fees = { maker_ppm = 0, taker_ppm = 400 }
halt = { move_ppm = 50_000 }
phases = { opens = 2030-01-01T00:00:00Z, closes = 2030-01-01T01:00:00Z, reopen_auction_s = 30 }
"""


def loaded(text: str) -> xos.markets.Loaded:
    return xos.markets.loads(text, "market.toml")


def opened(text: str = FILE) -> xos.Exchange:
    exchange = xos.open()
    exchange.deploy(loaded(text), time_ns=OPENS_NS - 10 * SECOND_NS)
    for owner in ("ann", "ben"):
        exchange.deposit(exchange.open_account(owner), "USD", 1_000_000)
    exchange.set_mark("BTC-PERP", 100)
    return exchange


def test_an_auction_is_seen_while_it_collects_and_while_it_is_filled() -> None:
    with opened() as exchange:
        stands = exchange.auction("BTC-PERP")
        assert stands is not None
        assert (stands.ends_ns, stands.priced, stands.price, stands.qty) == (OPENS_NS, False, None, 0)
        assert stands.reference_price == 100
        exchange.buy(1, "BTC-PERP", "101.5", 3)
        exchange.sell(2, "BTC-PERP", "100.5", "2.4", display="0.4")
        stands = exchange.auction("BTC-PERP")
        assert stands is not None, "hidden lots count too"
        assert (stands.price, stands.qty, stands.imbalance) == (
            Decimal("100.5"),
            Decimal("2.4"),
            Decimal("0.6"),
        )
        assert exchange.instrument("BTC-PERP").accepts is xos.InstrumentState.AUCTION
        with pytest.raises(xos.Rejected) as refused:
            exchange.buy(1, "BTC-PERP", 101, 1, tif="ioc")
        assert refused.value.reject is xos.Reject.INSTRUMENT_IN_AUCTION
        exchange.tick(time_ns=OPENS_NS)
        assert exchange.auction("BTC-PERP") is None
        assert exchange.instrument("BTC-PERP").last_price == Decimal("100.5")
        assert [position.qty for position in exchange.positions(1)] == [Decimal("2.4")]


def test_a_priced_auction_tells_what_is_left() -> None:
    text = "[limits]\nmatches_per_command_max = 1\n" + FILE
    with opened(text) as exchange:
        for qty in (1, 2):
            exchange.buy(1, "BTC-PERP", 101, qty)
        exchange.sell(2, "BTC-PERP", 100, 4)
        exchange.tick(time_ns=OPENS_NS)
        stands = exchange.auction("BTC-PERP")
        assert stands is not None
        assert (stands.priced, stands.price, stands.filled) == (True, 100, 1)
        assert (stands.qty, stands.imbalance) == (2, -1)
        exchange.tick()
        exchange.tick()
        assert exchange.auction("BTC-PERP") is None


def test_trading_closes_at_its_time() -> None:
    with opened() as exchange:
        exchange.tick(time_ns=OPENS_NS + 3_600 * SECOND_NS)
        assert exchange.instrument("BTC-PERP").accepts is xos.InstrumentState.CANCEL_ONLY
        with pytest.raises(xos.Rejected) as refused:
            exchange.buy(1, "BTC-PERP", 100, 1)
        assert refused.value.reject is xos.Reject.INSTRUMENT_CANCEL_ONLY
        with pytest.raises(xos.Rejected):
            exchange.start_auction("BTC-PERP", OPENS_NS + 7_200 * SECOND_NS)


QUESTION = """
[[asset]]
symbol = "USD"
decimals = 6

[[question]]
symbol = "CUP"
text = "Which side wins the cup?"
tick_size = "0.01"
lot_size = "1"
qty_max = "1000"
notional_max = "100000"
position_max = "1000"
fees = { maker_ppm = 0, taker_ppm = 400 }
outcomes = [{ symbol = "A", name = "A" }, { symbol = "B", name = "B" }]
"""
RESOLUTION = """
[question.resolution]
rule = "The side that the organiser announces as the winner on the day, penalties included."
sources = ["https://www.fifa.com", "https://www.bbc.com/sport"]
closes = 2030-01-01T02:00:00Z
resolvers = [1, 2]
bond = "1000"
second_resolvers = [3, 4, 5]
second_bond = "5000"
quorum = 2
void = { A = "0.5", B = "0.5" }
"""


def phases(words: str) -> str:
    return f"[question.phases]\n{words}\n"


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        (FILE.replace("01:00:00Z, re", "00:00:00Z, re"), "closes", "close before it opens"),
        (FILE.replace("2030-01-01T00", "2020-01-01T00"), "opens", "later than now"),
        (FILE.replace("_s = 30 }", "_s = 86_401 }"), "reopen_auction_s", "0 to 86,400"),
        (FILE.replace("halt =", "# halt ="), "reopen_auction_s", "neither a halt nor an oracle"),
        (QUESTION + phases("reopen_auction_s = 1"), "reopen_auction_s", "neither a halt nor an oracle"),
        (QUESTION + phases("opens = 1960-01-01T00:00:00Z"), "opens", "before 1970"),
        (QUESTION + phases("closes = 2020-01-01T00:00:00Z"), "closes", "later than now"),
        (QUESTION + phases("opens = 2030-01-01T02:00:00Z") + RESOLUTION, "opens", "resolvers take over"),
        (QUESTION + phases("closes = 2030-01-01T03:00:00Z") + RESOLUTION, "closes", "resolvers take over"),
    ],
)
def test_what_contradicts_itself_is_an_error_that_names_the_field(
    text: str, field: str, message: str
) -> None:
    errors = [found for found in xos.markets.lint(loaded(text)) if found.severity == "error"]
    assert len(errors) == 1, errors
    assert errors[0].field.endswith(f"phases.{field}")
    assert message in errors[0].message


def test_the_linter_asks_about_positions_after_the_close() -> None:
    warned = {found.field: found.message for found in xos.markets.lint(loaded(FILE))}
    assert "delist it" in warned["instrument[0].phases.closes"]


def test_a_question_with_resolvers_may_stop_before_they_take_over() -> None:
    text = QUESTION + phases("closes = 2030-01-01T02:00:00Z\nopens = 2030-01-01T00:00:00Z") + RESOLUTION
    assert not [found for found in xos.markets.lint(loaded(text)) if found.severity == "error"]
    with xos.open() as exchange:
        for owner in range(5):
            exchange.open_account(f"{owner}", time_ns=OPENS_NS - SECOND_NS)
        exchange.deploy(loaded(text), time_ns=OPENS_NS - SECOND_NS)
        both = [exchange.auction(outcome) for outcome in ("A", "B")]
        assert [auction and auction.ends_ns for auction in both] == [OPENS_NS, OPENS_NS]


def test_a_change_of_the_close_is_seen_and_refused() -> None:
    later = FILE.replace("T01:00:00Z", "T02:00:00Z")
    with opened() as exchange:
        (found,) = [
            each
            for each in difference(loaded(later), exchange._directory.standing)
            if each.state == "changed"
        ]
        assert [change.field for change in found.fields] == ["terms.phases.close_ns"]
        with pytest.raises(xos.Rejected) as refused:
            exchange.update(loaded(later))
        assert (refused.value.reject, refused.value.limit) == (xos.Reject.FIELD_IS_FIXED, 172)
