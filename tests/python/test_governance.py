"""Changes of markets through Python: announced from a file, seen, taken back, effective; delistings."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

import exchange_os as xos
from exchange_os.cli.market import command

SECOND_NS = 1_000_000_000
FILE = """
[limits]
change_delay_s_min = 60
delisting_window_s = 10

[[asset]]
symbol = "USD"
decimals = 6

[[venue]]
symbol = "FRONT"
fees = { maker_ppm = 0, taker_ppm = 500 }

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
"""


def write(tmp_path: Path, **changes: str) -> Path:
    text = FILE
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "market.toml"
    path.write_text(text)
    return path


@pytest.fixture
def exchange(tmp_path: Path) -> xos.Exchange:
    exchange = xos.open()
    exchange.deploy(write(tmp_path), time_ns=SECOND_NS)
    return exchange


def test_a_file_with_other_terms_is_announced_and_takes_effect(
    exchange: xos.Exchange, tmp_path: Path
) -> None:
    changed = write(
        tmp_path,
        **{
            "taker_ppm = 400": "taker_ppm = 300",
            "initial_margin_ppm = 100_000": "initial_margin_ppm = 200_000",
        },
    )
    (update,) = exchange.update(changed, time_ns=2 * SECOND_NS)
    assert (update.kind, update.symbol) == ("instrument", "BTC-PERP")
    (change,) = exchange.changes()
    assert (change.what, change.market, change.account) == ("update", "BTC-PERP", 0)
    assert change.kind is xos.MarketKind.INSTRUMENT
    assert change.effective_ns == 62 * SECOND_NS
    assert change.terms is not None
    assert change.terms["product"]["perpetual"]["initial_margin_ppm"] == 200_000
    exchange.tick(time_ns=62 * SECOND_NS)
    assert exchange.changes() == []
    # The file stands now, with the ceiling that it does not name.
    assert exchange.update(changed) == []
    assert not exchange.deploy(changed).missing


def test_what_never_changes_is_refused_by_its_field(exchange: xos.Exchange, tmp_path: Path) -> None:
    with pytest.raises(xos.Rejected) as refused:
        exchange.update(write(tmp_path, **{'tick_size = "0.1"': 'tick_size = "0.2"'}))
    assert refused.value.reject is xos.Reject.FIELD_IS_FIXED
    assert refused.value.limit == 2  # atoms of one tick times one lot


def test_an_asset_never_changes(exchange: xos.Exchange, tmp_path: Path) -> None:
    with pytest.raises(xos.MarketFileError, match="asset USD stands with other terms"):
        exchange.update(write(tmp_path, **{"decimals = 6": "decimals = 7"}))


def test_a_venue_changes_and_the_change_is_taken_back(exchange: xos.Exchange, tmp_path: Path) -> None:
    exchange.update(write(tmp_path, **{"taker_ppm = 500": "taker_ppm = 100"}), time_ns=2 * SECOND_NS)
    (change,) = exchange.changes()
    assert (change.kind, change.market) == (xos.MarketKind.VENUE, "FRONT")
    with pytest.raises(xos.Rejected) as refused:
        exchange.withdraw_change(change.id + 1, time_ns=2 * SECOND_NS)
    assert refused.value.reject is xos.Reject.UNKNOWN_CHANGE
    exchange.withdraw_change(change.id, time_ns=2 * SECOND_NS)
    assert exchange.changes() == []


def test_fees_rise_to_a_declared_ceiling_and_not_above(tmp_path: Path) -> None:
    exchange = xos.open()
    wide = {"taker_ppm = 400 }": "taker_ppm = 400, ceiling_ppm = 900 }"}
    exchange.deploy(write(tmp_path, **wide), time_ns=SECOND_NS)
    with pytest.raises(xos.Rejected) as refused:
        exchange.update(write(tmp_path, **{"taker_ppm = 400 }": "taker_ppm = 901 }"}), time_ns=SECOND_NS)
    assert (refused.value.reject, refused.value.limit) == (xos.Reject.FEE_ABOVE_CEILING, 900)
    (update,) = exchange.update(
        write(tmp_path, **{"taker_ppm = 400 }": "taker_ppm = 900 }"}), time_ns=SECOND_NS
    )
    assert update.content["spec"]["terms"]["fees"]["taker_ppm"] == 900


def test_a_delisted_perpetual_settles_at_the_average_of_its_window(exchange: xos.Exchange) -> None:
    accounts = [exchange.open_account(f"trader {number}", time_ns=SECOND_NS) for number in range(2)]
    for account in accounts:
        exchange.deposit(account, "USD", 10_000, time_ns=SECOND_NS)
    exchange.set_mark("BTC-PERP", 100, time_ns=SECOND_NS)
    exchange.sell(accounts[0], "BTC-PERP", 100, 5, time_ns=SECOND_NS)
    exchange.buy(accounts[1], "BTC-PERP", 100, 5, time_ns=SECOND_NS)
    exchange.delist("BTC-PERP", time_ns=SECOND_NS)
    assert [change.what for change in exchange.changes()] == ["delisting"]
    exchange.set_mark("BTC-PERP", 110, time_ns=56 * SECOND_NS)
    events = exchange.subscribe()
    exchange.tick(time_ns=61 * SECOND_NS)
    assert exchange.auction("BTC-PERP") is None, "its last auction was filled with this tick"
    exchange.tick(time_ns=62 * SECOND_NS)
    kinds = [xos.EventKind(kind) for array in events for kind in array["kind"].tolist()]
    assert kinds[0] is xos.EventKind.AUCTION_PRICED
    assert kinds.index(xos.EventKind.AUCTION_CLOSED) < kinds.index(xos.EventKind.DELISTING_BEGUN)
    assert kinds[-1] is xos.EventKind.MARKET_CLOSED
    # Half of the window at 100, half at 110.
    assert [exchange.risk(account).equity for account in accounts] == [Decimal(9_975), Decimal("10024.8")]
    assert exchange.positions(accounts[0]) == []
    assert exchange.closing() == []
    assert not any(exchange.conservation().values())


def test_the_command_line_updates_delists_and_takes_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with xos.open(data) as exchange:
        exchange.deploy(write(tmp_path))
    run = CliRunner().invoke
    changed = write(tmp_path, **{"taker_ppm = 500": "taker_ppm = 100"})
    told = run(command, ["update", str(changed), "--data", str(data), "--json"])
    assert told.exit_code == 0, told.output
    (change,) = json.loads(told.output)["changes"]
    assert (change["what"], change["market"]) == ("update", "FRONT")
    told = run(command, ["delist", "BTC-PERP", "--data", str(data), "--delay-s", "3600"])
    assert "delisting of instrument BTC-PERP at " in told.output
    told = run(command, ["withdraw", str(change["id"]), "--data", str(data)])
    assert told.output == f"change {change['id']} is taken back\n"
    told = run(command, ["changes", "--data", str(data)])
    assert told.output.count("\n") == 1
    assert "BTC-PERP" in told.output


GOVERNED = FILE.replace(
    "[[venue]]",
    """[[asset]]
symbol = "GOV"
decimals = 2

[governance]
stake_asset = "GOV"
stakes = { spot = "10", perpetual = "50", question = "20" }
slots = { perpetual = 1 }
slot_price_min = "5"
slot_auction_s = 100
release_wait_s = 60
bounds = { leverage_max = 20, fee_ppm_max = 1_000, funding_cap = "0.01" }

[[venue]]""",
    1,
)
OWN = """
[[instrument]]
symbol = "OWN-PERP"
product = "perpetual"
margin_mode = "isolated"
tick_size = "0.1"
lot_size = "0.001"
price_max = "1000000"
qty_max = "100"
notional_max = "10000000"
position_max = "1000"
initial_margin_ppm = 100_000
maintenance_margin_ppm = 50_000
liquidation = { insurance_draw_max = 0 }
fees = { maker_ppm = 0, taker_ppm = 400 }
"""


@pytest.fixture
def governed() -> xos.Exchange:
    exchange = xos.open()
    exchange.deploy(xos.markets.loads(GOVERNED), time_ns=SECOND_NS)
    account = exchange.open_account("deployer", time_ns=SECOND_NS)
    exchange.deposit(account, "GOV", 1_000, time_ns=SECOND_NS)
    return exchange


def test_a_deployer_brings_a_market_within_its_slots(governed: xos.Exchange) -> None:
    own = xos.markets.loads(OWN)
    with pytest.raises(xos.Rejected) as refused:
        governed.deploy(own, account=1, time_ns=SECOND_NS)
    assert refused.value.reject is xos.Reject.STAKE_TOO_SMALL
    governed.stake(1, 60, time_ns=SECOND_NS)
    assert [item.symbol for item in governed.deploy(own, account=1, time_ns=SECOND_NS).missing] == [
        "OWN-PERP"
    ]
    (market,) = governed.deployed_markets()
    assert (market.deployer, market.market, market.slot) == (1, "OWN-PERP", xos.SlotKind.PERPETUAL)
    assert (market.locked, market.released_ns) == (Decimal(50), None)
    (deployer,) = governed.deployers()
    assert (deployer.stake, deployer.locked) == (Decimal(60), Decimal(50))
    another = xos.markets.loads(OWN.replace("OWN-PERP", "OWN-TOO"))
    with pytest.raises(xos.Rejected) as refused:
        governed.deploy(another, account=1, time_ns=SECOND_NS)
    assert refused.value.reject is xos.Reject.NO_FREE_SLOT
    assert governed.slot_price(time_ns=SECOND_NS) == Decimal(10)
    assert governed.buy_slot(1, "perpetual", at_most=10, time_ns=SECOND_NS) == Decimal(10)
    with pytest.raises(xos.InvalidArgument, match="no kind of slot"):
        governed.buy_slot(1, "swap", at_most=10)
    assert governed.house()["stakes"] == {"GOV": Decimal(60)}


def test_only_the_deployer_changes_and_ends_its_market(governed: xos.Exchange) -> None:
    own = xos.markets.loads(OWN)
    governed.stake(1, 50, time_ns=SECOND_NS)
    governed.deploy(own, account=1, time_ns=SECOND_NS)
    lower = xos.markets.loads(OWN.replace("taker_ppm = 400", "taker_ppm = 300"))
    other = governed.open_account("another", time_ns=SECOND_NS)
    with pytest.raises(xos.Rejected) as refused:
        governed.update(lower, account=other, time_ns=SECOND_NS)
    assert refused.value.reject is xos.Reject.NOT_THE_DEPLOYER
    assert len(governed.update(lower, account=1, time_ns=SECOND_NS)) == 1
    governed.tick(time_ns=61 * SECOND_NS)
    governed.delist("OWN-PERP", account=1, time_ns=61 * SECOND_NS)
    governed.tick(time_ns=121 * SECOND_NS)
    with pytest.raises(xos.Rejected) as refused:
        governed.unstake(1, 50, time_ns=121 * SECOND_NS)
    assert refused.value.reject is xos.Reject.STAKE_LOCKED
    assert governed.unstake(1, 50, time_ns=181 * SECOND_NS).balance == 0


def test_bounds_of_governance_are_linted(governed: xos.Exchange) -> None:
    greedy = OWN.replace("initial_margin_ppm = 100_000", "initial_margin_ppm = 49_999").replace(
        "50_000", "40_000"
    )
    with pytest.raises(xos.MarketFileError, match="outside the bounds of governance"):
        governed.deploy(xos.markets.loads(greedy), account=1)
    faults = xos.markets.lint(xos.markets.loads(GOVERNED.replace("taker_ppm = 400", "taker_ppm = 1_001")))
    assert any("outside the bounds of governance" in fault.message for fault in faults)


def test_terms_of_governance_stand_once(governed: xos.Exchange) -> None:
    assert governed.governance() is not None
    assert governed.deploy(xos.markets.loads(GOVERNED)).missing == []
    with pytest.raises(xos.MarketFileError, match="governance stands already, with other terms"):
        governed.deploy(xos.markets.loads(GOVERNED.replace("release_wait_s = 60", "release_wait_s = 61")))
