"""Outcomes that are added to a question: by a call, and by a file that is deployed again."""

from __future__ import annotations

import pytest

import exchange_os as xos

FILE = """
[[asset]]
symbol = "USD"
decimals = 2

[[question]]
symbol = "NEXT"
text = "Who is next?"
outcomes = [{outcomes}]
any_other = "OTHER"
outcomes_max = {most}
tick_size = "0.01"
lot_size = "1"
qty_max = "10000"
notional_max = "10000"
position_max = "10000"
"""


def file(*outcomes: str, most: int = 4, more: str = "") -> xos.markets.Loaded:
    listed = ", ".join(f'{{ symbol = "{symbol}", name = "{symbol}" }}' for symbol in outcomes)
    return xos.markets.loads(FILE.replace("{outcomes}", listed).replace("{most}", str(most)) + more)


def test_the_outcomes_that_a_file_has_more_are_added_and_an_older_file_still_fits() -> None:
    with xos.open() as exchange:
        exchange.deploy(file("ANN", "OTHER"))
        longer = file("ANN", "OTHER", "BEN", "CYD")
        plan = exchange.deploy(longer)
        assert [(each.kind, each.symbol) for each in plan.missing] == [("outcome", "BEN"), ("outcome", "CYD")]
        assert exchange.question("NEXT").outcomes == ("ANN", "OTHER", "BEN", "CYD")
        for fits in (longer, file("ANN", "OTHER", "BEN"), file("ANN", "OTHER")):
            assert not exchange.deploy(fits).missing


def test_an_instrument_after_reserved_ones_has_its_own_number() -> None:
    perpetual = """
[[instrument]]
symbol = "BTC-PERP"
product = "perpetual"
tick_size = "1"
lot_size = "0.01"
price_max = "1000000"
qty_max = "10"
notional_max = "1000000"
position_max = "100"
initial_margin_ppm = 100_000
maintenance_margin_ppm = 50_000

[[underlying]]
symbol = "BTC"
instruments = ["BTC-PERP"]
"""
    with xos.open() as exchange:
        exchange.deploy(file("ANN", "OTHER"))
        exchange.deploy(file("ANN", "OTHER", more=perpetual))
        assert exchange.number_of("BTC-PERP") == 5
        exchange.add_outcome("NEXT", "BEN", "Ben")
        question = exchange.question("NEXT")
        assert (exchange.number_of("BEN"), question.any_other, question.outcomes_max) == (3, "OTHER", 4)
        assert question.being_added is None


def test_what_else_a_file_changes_is_refused_and_named() -> None:
    with xos.open() as exchange:
        exchange.deploy(file("ANN", "OTHER"))
        for changed in (file("ANN", "OTHER", "BEN", most=5), file("OTHER", "ANN", "BEN")):
            with pytest.raises(xos.MarketFileError, match="stands already, with other terms"):
                exchange.deploy(changed)


def test_bad_values_say_what_is_missing() -> None:
    with (
        pytest.raises(xos.MarketFileError, match="'OTHER' is none of the outcomes: ANN, BEN"),
        xos.open() as exchange,
    ):
        exchange.deploy(file("ANN", "BEN"))
    with xos.open() as exchange:
        exchange.deploy(file("ANN", "OTHER", "BEN", most=4))
        with pytest.raises(xos.InvalidArgument, match="the symbol is a int"):
            exchange.add_outcome("NEXT", 7)  # type: ignore[arg-type]
        exchange.add_outcome("NEXT", "CYD")
        with pytest.raises(xos.Rejected, match="has 4 outcomes and takes no more"):
            exchange.add_outcome("NEXT", "DAN")
