"""The generated reference is what the tool would write, and what it says of events holds for real ones."""

import importlib
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import exchange_os as xos
import make_reference
from exchange_os.records import Events

SPEC = Path(__file__).parents[1] / "spec"
MARKET = """
[[asset]]
symbol = "USDC"
decimals = 6

[[venue]]
symbol = "front"
fees = { maker_ppm = 100, taker_ppm = 400 }

[[instrument]]
symbol = "PERP"
product = "perpetual"
tick_size = "0.1"
lot_size = "0.01"
price_max = "1000"
qty_max = "100"
notional_max = "100000"
position_max = "100"
initial_margin_ppm = 100_000
maintenance_margin_ppm = 50_000

[[question]]
symbol = "RAIN"
text = "Does it rain tomorrow at noon?"
outcomes = [{ symbol = "RAIN-YES", name = "Yes" }, { symbol = "RAIN-NO", name = "No" }]
tick_size = "0.01"
lot_size = "1"
qty_max = "1000"
notional_max = "1000"
position_max = "1000"
"""


def with_venues() -> Events:
    """Orders of all kinds through a venue, which scenarios mostly leave out."""
    exchange = xos.open()
    exchange.deploy(xos.markets.loads(MARKET))
    maker, taker = exchange.open_account("maker"), exchange.open_account("taker")
    for account in (maker, taker):
        exchange.deposit(account, "USDC", 1_000, client_id="in")
    exchange.withdraw(taker, "USDC", 10, client_id="out")
    exchange.set_mark("PERP", 100)
    exchange.set_index("PERP", 100)
    first = exchange.sell(maker, "PERP", 101, 5, venue="front", reduce_only=False)
    exchange.buy(taker, "PERP", 101, 2, venue="front")
    exchange.sell(taker, "PERP", 99, 1)
    exchange.amend(maker, "PERP", first.order_id, qty=4)
    exchange.buy(maker, "PERP", 90, 1, venue="front")
    exchange.sell(taker, "PERP", 90, 2, venue="front")
    exchange.buy(maker, "PERP", 80, 3, venue="front", post_only=True, client_id="low")
    exchange.buy(maker, "PERP", 79, 3, self_trade="decrement")
    exchange.sell(maker, "PERP", 80, 1, self_trade="decrement", venue="front", tif="ioc")
    exchange.amend(maker, "PERP", client_id="low", price=81)
    exchange.try_place(taker, "PERP", "sell", 2_000, 1, venue="front", post_only=True)
    with pytest.raises(xos.Rejected):
        exchange.amend(taker, "PERP", first.order_id, price=100)
    exchange.mass_cancel(maker, "PERP", side="sell")
    exchange.mass_cancel(maker)
    exchange.set_protection(maker, "PERP", qty=1, delta=1, window_s=1, freeze_s=1)
    exchange.sell(maker, "PERP", 120, 1, protected=True)
    exchange.buy(taker, "PERP", 120, 1)
    exchange.set_protection(maker, "PERP")
    for order_id in (0, 1):
        waits = exchange.place_trigger(
            taker,
            "PERP",
            "sell",
            2,
            above=300,
            below=50,
            limit=290,
            limit_below=40,
            reduce_only=True,
            venue="front",
        )
        exchange.amend_trigger(taker, "PERP", waits.order_id, qty=1)
        if order_id:
            exchange.cancel(taker, waits.order_id)
    exchange.place_trigger(
        taker, "PERP", "sell", 2, above=200, source="mark", reduce_only=True, venue="front"
    )
    exchange.set_mark("PERP", 200)
    exchange.set_mark("PERP", 100)
    exchange.buy(maker, "PERP", 70, 1)
    exchange.cancel_all_after(maker, 1)
    exchange.tick(time_ns=exchange.time_ns + 10**9)
    exchange.split(maker, "RAIN", 10)
    exchange.merge(maker, "RAIN", 3)
    exchange.sell(maker, "RAIN-YES", "0.6", 5)
    exchange.tick()
    exchange.set_instrument_state("PERP", "halted")
    exchange.resolve("RAIN", "RAIN-NO")
    return np.concatenate(list(exchange.events()))


def every_kind() -> Events:
    """The events of all scenarios, which reach every kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SPEC))
        desk, players = importlib.import_module("desk"), importlib.import_module("player")
        scenarios = importlib.import_module("scenario_file").load(SPEC.parents[1] / "spec")
    arrays = [with_venues()]
    for scenario in scenarios:
        seat = desk.Desk()
        players.Player(scenario, seat).play()
        arrays += list(seat.exchange.events())
        seat.exchange.close()
    return np.concatenate(arrays)


def test_pages_are_up_to_date() -> None:
    assert make_reference.main(["--check"]) == 0, "run make docs"


def test_a_changed_page_is_noticed_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs" / "reference").mkdir(parents=True)
    (tmp_path / "crates").symlink_to(make_reference.ROOT / "crates")
    monkeypatch.setattr(make_reference, "ROOT", tmp_path)
    assert make_reference.main(["--check"]) == 1
    assert "words.md: not up to date" in capsys.readouterr().out
    assert make_reference.main([]) == 0
    assert make_reference.main(["--check"]) == 0


def test_events_use_the_fields_that_the_table_gives_them() -> None:
    events = every_kind()
    overlaid = {"client_id", "counter_order_id", "counter_account", "counter_venue", "counter_remaining"}
    overlaid.add("trade_id")
    of_every_kind = xos.EventFlags.RETRY | xos.EventFlags.OF_TIME
    filled: dict[str, set[str]] = defaultdict(set)
    for event in events:
        kind = xos.EventKind(int(event["kind"])).name.lower()
        names = make_reference.EVENT_FIELDS[kind]
        for name in event.dtype.names:
            field = name.removesuffix("_low").removesuffix("_high")
            if field in {"kind", "sequence", "time_ns"} or not event[name]:
                continue
            # Bits of the event itself: first answers given again, and whatever the start of a frame causes.
            if field == "flags" and int(event["flags"]) & ~of_every_kind == 0:
                continue
            # They lie in one place of the record: those that the table names are what stands there.
            if field in overlaid and field not in names:
                continue
            assert field in names, f"{kind} fills {field}"
            filled[kind].add(field)
        if kind == "trade":
            assert event["counter_account"]
    assert set(filled) | {"ticked", "restarted", "governance_deployed"} == {
        kind.name.lower() for kind in xos.EventKind
    }
    never = {kind: sorted(set(names) - filled[kind]) for kind, names in make_reference.EVENT_FIELDS.items()}
    # Scenarios close whole positions of bankrupt accounts.
    not_reached = {"bankruptcy_closed": ["remaining"]}
    assert {kind: names for kind, names in never.items() if names} == not_reached, "fields no event filled"


def test_every_word_and_limit_has_a_meaning() -> None:
    for write in (make_reference.words_page, make_reference.limits_page, make_reference.rejects_page):
        assert "|  |\n" not in write()


def test_kinds_use_the_fields_that_the_engine_takes() -> None:
    used = make_reference.used_fields()
    assert list(used["tick"]) == []
    assert list(used["set_mark"]) == ["instrument", "price"]
    assert used["place"]["expires_ns"] == "with `gtd`"
    assert used["amend"]["flags"] == "`POST_ONLY` only"
    assert "order_id" not in used["place"]
