"""Scenario margin in whole units: market files, the mode of an account, its losses, prices of liquidation."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

import exchange_os as xos
from exchange_os.markets import Loaded, lint, loads

HEAD = """
[[asset]]
symbol = "USD"
decimals = 2
"""
PERPETUALS = """
[[instrument]]
symbol = "BTC-PERP"
product = "perpetual"
tick_size = "1"
lot_size = "0.1"
price_max = "1000000"
qty_max = "1000"
notional_max = "100000000"
position_max = "10000"
band_ppm = 500_000
initial_margin_ppm = 200_000
maintenance_margin_ppm = 100_000
fees = { maker_ppm = 0, taker_ppm = 0 }
liquidation = { policy = "full" }

[[instrument]]
symbol = "BTC-FUT"
product = "perpetual"
tick_size = "10"
lot_size = "0.1"
price_max = "1000000"
qty_max = "1000"
notional_max = "100000000"
position_max = "10000"
band_ppm = 500_000
initial_margin_ppm = 200_000
maintenance_margin_ppm = 100_000
fees = { maker_ppm = 0, taker_ppm = 0 }
"""
UNDERLYING = """
[[underlying]]
symbol = "BTC"
instruments = ["BTC-PERP", "BTC-FUT"]
"""
ABOVE = """
[[question]]
symbol = "BTC-110K"
text = "Is the BTC index at or above 110,000 at the end of the year?"
outcomes = [{ symbol = "YES", name = "yes" }, { symbol = "NO", name = "no" }]
tick_size = "0.01"
lot_size = "1"
qty_max = "1000000"
notional_max = "100000000"
position_max = "1000000"
fees = { maker_ppm = 0, taker_ppm = 0 }
link = { underlying = "BTC", instrument = "BTC-PERP", bounds = ["110000"], order = "falling" }
"""
FILE = HEAD + PERPETUALS + UNDERLYING + ABOVE


@pytest.fixture
def exchange() -> xos.Exchange:
    exchange = xos.open()
    exchange.deploy(loads(FILE))
    for owner in ("alice", "bob"):
        exchange.deposit(exchange.open_account(owner), "USD", 10_000_000)
    exchange.set_mark("BTC-PERP", 100_000)
    exchange.set_mark("BTC-FUT", 100_000)
    return exchange


def _trade(exchange: xos.Exchange, buyer: int, seller: int, on: str, price: object, qty: object) -> None:
    exchange.buy(buyer, on, price, qty)  # type: ignore[arg-type]
    exchange.sell(seller, on, price, qty)  # type: ignore[arg-type]


def test_a_share_that_pays_above_a_price_offsets_a_short_perpetual(exchange: xos.Exchange) -> None:
    _trade(exchange, 2, 1, "BTC-PERP", 100_000, 1)
    assert exchange.risk(1).initial_margin == 20_000
    exchange.set_margin_mode(1, "scenario")
    assert exchange.risk(1).initial_margin == 16_000  # 16 %
    _trade(exchange, 1, 2, "YES", "0.3", 20_000)
    # From +16 % on YES pays 20,000: of +500 % 3.2 % count, (500,000 - 20,000) * 0.032.
    risk = exchange.risk(1)
    assert (risk.initial_margin, risk.maintenance_margin) == (15_360, 8_000)
    assert risk.equity == exchange.balance(1, "USD").total
    assert exchange.risk(2).initial_margin == 20_000

    (found,) = exchange.scenario_risk(1).underlyings
    assert exchange.scenario_risk(1).margin_mode == "scenario"
    assert (found.underlying, found.initial_margin, found.maintenance_margin) == ("BTC", 15_360, 8_000)
    assert found.initial_margin_without_offsets == 20_000
    assert found.maintenance_margin_without_offsets == 10_000
    losses = {(of.shock_ppm, of.weight_ppm): (of.loss, of.offset) for of in found.losses}
    assert len(losses) == 16
    assert losses[120_000, 1_000_000] == (12_000, 0)
    assert losses[160_000, 1_000_000] == (16_000, 20_000)
    assert losses[-160_000, 1_000_000] == (-16_000, 0)
    assert losses[5_000_000, 32_000] == (16_000, 640)
    assert found.initial_margin == max(loss - offset for loss, offset in losses.values())


def test_the_view_says_what_the_mode_would_ask_before_it_is_chosen(exchange: xos.Exchange) -> None:
    assert exchange.scenario_risk(1) == xos.ScenarioRisk(1, "standard", ())
    _trade(exchange, 1, 2, "BTC-PERP", 100_000, 1)
    (found,) = exchange.scenario_risk(1).underlyings
    before = exchange.risk(1).initial_margin
    exchange.set_margin_mode(1, "scenario")
    assert (before, exchange.risk(1).initial_margin) == (
        found.initial_margin_without_offsets,
        found.initial_margin,
    )
    exchange.set_margin_mode(1, "standard")
    assert exchange.risk(1).initial_margin == before
    with pytest.raises(xos.InvalidArgument, match="mode"):
        exchange.set_margin_mode(1, "portfolio")  # type: ignore[arg-type]


def test_preview_and_liquidation_price_see_the_hedge(exchange: xos.Exchange) -> None:
    exchange.set_margin_mode(1, "scenario")
    _trade(exchange, 1, 2, "BTC-PERP", 100_000, 1)
    exchange.buy(2, "BTC-FUT", 100_000, 1)
    preview = exchange.preview(1, "BTC-FUT", "sell", 100_000, 1)
    assert (preview.initial_margin_before, preview.initial_margin_after) == (16_000, 2_000)
    assert (preview.maintenance_margin_before, preview.maintenance_margin_after) == (8_000, 1_000)
    exchange.sell(1, "BTC-FUT", 100_000, 1)
    risk = exchange.risk(1)
    assert (risk.initial_margin, risk.maintenance_margin) == (2_000, 1_000)
    assert {found.instrument: found.liquidation_price for found in exchange.positions(1)} == {
        "BTC-PERP": None,
        "BTC-FUT": None,
    }
    exchange.withdraw(1, "USD", risk.withdrawable)
    # Ten per cent of the notional stays: 20,000. The mark at which half of the worst loss is no longer there:
    # 20,000 + (p - 100,000) < 8 % of (100,000 - p).
    price = next(p for p in exchange.positions(1) if p.instrument == "BTC-PERP").liquidation_price
    assert price == preview_of(exchange) == Decimal(81_481)
    exchange.set_mark("BTC-PERP", price + 1)
    assert exchange.liquidations() == []
    exchange.set_mark("BTC-PERP", price)
    assert [found.account for found in exchange.liquidations()] == [1]


def preview_of(exchange: xos.Exchange) -> Decimal | None:
    """Of an order that takes nothing and cannot rest: the account as it is."""
    return exchange.preview(1, "BTC-PERP", "buy", 90_000, "0.1", tif="ioc").liquidation_price


def test_a_file_is_planned_once_and_stands_the_second_time(tmp_path: Path) -> None:
    with xos.open(tmp_path) as exchange:
        plan = exchange.deploy(loads(FILE))
        assert [item.kind for item in plan.missing] == [
            "asset",
            "instrument",
            "instrument",
            "underlying",
            "question",
        ]
        assert exchange.underlyings == ("BTC",)
    with xos.open(tmp_path) as exchange:
        plan = exchange.deploy(loads(FILE))
        assert (plan.missing, len(plan.standing)) == ([], 5)
        changed = FILE.replace('instruments = ["BTC-PERP", "BTC-FUT"]', 'instruments = ["BTC-PERP"]')
        with pytest.raises(xos.MarketFileError, match="underlying BTC stands already, with other terms"):
            exchange.deploy(loads(changed))


def test_numbers_of_what_came_in_between_are_kept(tmp_path: Path) -> None:
    """Perpetuals after a question, and an underlying of the older of them after one of the newer."""
    exchange = xos.open(tmp_path)
    plain = ABOVE.replace(
        'link = { underlying = "BTC", instrument = "BTC-PERP", bounds = ["110000"], order = "falling" }\n', ""
    )
    exchange.deploy(loads(HEAD + plain.replace("BTC-110K", "OTHER").replace("YES", "Y").replace('NO"', 'N"')))
    eth = PERPETUALS.replace("BTC-", "ETH-")
    exchange.deploy(loads(HEAD + PERPETUALS + eth))
    exchange.deploy(loads(HEAD + eth + UNDERLYING.replace("BTC", "ETH")))
    exchange.deploy(loads(HEAD + PERPETUALS + UNDERLYING + ABOVE))
    later = (
        ABOVE.replace("110000", "120000")
        .replace("BTC-110K", "BTC-120K")
        .replace("YES", "YES2")
        .replace('NO"', 'NO2"')
    )
    exchange.deploy(loads(HEAD + PERPETUALS + UNDERLYING + ABOVE + later))
    assert exchange.underlyings == ("ETH", "BTC")
    assert exchange.number_of("BTC-PERP") == 3


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('["BTC-PERP", "BTC-FUT"]', '["BTC-PERP", "GOLD"]', "instruments", "'GOLD' is no perpetual"),
        ('["BTC-PERP", "BTC-FUT"]', "[]", "instruments", "1 to 16 perpetuals"),
        ('"BTC-FUT"]', '"BTC-PERP"]', "instruments", "named once"),
        ('"BTC-FUT"]', '"BTC-FUT"]\nscenarios = []', "scenarios", "1 to 64"),
        ('"BTC-FUT"]', '"BTC-FUT"]\nscenarios = [{ shock_ppm = -1000000 }]', "scenarios", "shock_ppm"),
        ('"BTC-FUT"]', '"BTC-FUT"]\nscenarios = [{ shock_ppm = 1, weight_ppm = 0 }]', "scenarios", "weight"),
        ('"BTC-FUT"]', '"BTC-FUT"]\nmaintenance_ppm = 0', "maintenance_ppm", "1 to 1,000,000"),
        ('"BTC-FUT"]', '"BTC-FUT"]\nfloor_ppm = -1', "floor_ppm", "0 to 1,000,000"),
        ('"BTC-FUT"]', '"BTC-FUT"]\nwidth_ppm = 1000000', "width_ppm", "0 to 999,999"),
        ('underlying = "BTC"', 'underlying = "ETH"', "link", r"underlying 'ETH' stands neither .*BTC"),
        ('instrument = "BTC-PERP"', 'instrument = "YES"', "link", "'YES' is no perpetual"),
        ('["110000"]', "[]", "link", "0 bounds for 2 outcomes"),
        ('["110000"]', '["110000.5"]', "link", "tick_size"),
        ('["110000"]', '["0"]', "link", "0 is outside 1 to 1000000"),
        ('["110000"]', '["110000", "110000"]', "link", "2 bounds for 2 outcomes"),
        ('["110000"]', '["1000001"]', "link", "1000001 is outside"),
    ],
)
def test_what_is_wrong_is_said_on_its_line(old: str, new: str, line: str, message: str) -> None:
    assert old in FILE
    loaded = loads(FILE.replace(old, new))
    assert isinstance(loaded, Loaded)
    errors = [problem for problem in lint(loaded) if problem.severity == "error"]
    assert errors
    assert any(re.search(message, problem.message) for problem in errors)
    text = FILE.replace(old, new).splitlines()
    assert any(line in text[problem.line - 1] for problem in errors)


def test_the_usual_file_has_no_error() -> None:
    assert [problem for problem in lint(loads(FILE)) if problem.severity == "error"] == []
