"""Arguments of the wrong type or beyond their bounds: each an error of this package that names the value."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import exchange_os as xos
from exchange_os import log
from exchange_os.bounds import BOUNDS, limit_value, shown, whole
from exchange_os.markets.spec import LIMIT_DEFAULTS

Call = Callable[[Any, Any], object]

WHOLE: dict[str, tuple[str, Call]] = {
    "buy": ("account", lambda x, v: x.buy(v, "BTC-USDC", 1, 1)),
    "buy with options": ("account", lambda x, v: x.buy(v, "BTC-USDC", 1, 1, tif="ioc")),
    "amend": ("account", lambda x, v: x.amend(v, "BTC-USDC", 14, price=1)),
    "amend by id": ("order_id", lambda x, v: x.amend(1, "BTC-USDC", v, price=1)),
    "cancel": ("account", lambda x, v: x.cancel(v, 14)),
    "cancel by id": ("order_id", lambda x, v: x.cancel(1, v)),
    "mass cancel": ("account", lambda x, v: x.mass_cancel(v)),
    "deposit": ("account", lambda x, v: x.deposit(v, "USDC", 1)),
    "split": ("account", lambda x, v: x.split(v, "RACE", 1)),
    "trigger": ("account", lambda x, v: x.place_trigger(v, "BTC-PERP", "buy", 1, above=60_000)),
    "triggers": ("account", lambda x, v: x.triggers(v)),
    "balance": ("account", lambda x, v: x.balance(v, "USDC")),
    "risk": ("account", lambda x, v: x.risk(v)),
    "order": ("order_id", lambda x, v: x.order(v)),
    "expiry": ("expires_ns", lambda x, v: x.buy(1, "BTC-USDC", 1, 1, tif="gtd", expires_ns=v)),
    "time": ("time_ns", lambda x, v: x.tick(time_ns=v or "")),
    "time of an order": ("time_ns", lambda x, v: x.buy(1, "BTC-USDC", 1, 1, time_ns=v or "")),
    "time of a batch": ("time_ns", lambda x, v: x.submit(batch(), time_ns=v or "")),
    "book": ("depth", lambda x, v: x.book("BTC-USDC", v)),
    "book frame": ("depth", lambda x, v: x.book_frame("BTC-USDC", v)),
    "trades": ("limit", lambda x, v: x.trades(limit=v or "")),
    "events": ("since_sequence", lambda x, v: x.events(v)),
    "events frame": ("since_sequence", lambda x, v: x.events_frame(v)),
    "subscription": ("kept_max", lambda x, v: x.subscribe(kept_max=v)),
    "wanted accounts": ("account", lambda x, v: x.subscribe(accounts=[v])),
    "new commands": ("count", lambda _, v: xos.commands(v)),
    "kept events": ("events_kept_max", lambda _, v: xos.open(events_kept_max=v)),
    "kept trades": ("trades_kept_max", lambda _, v: xos.open(trades_kept_max=v)),
    "snapshots": ("snapshot_every_commands", lambda _, v: xos.open(snapshot_every_commands=v or "")),
    "segments": ("segment_bytes", lambda _, v: xos.open(segment_bytes=v or "")),
    "replay": ("from_sequence", lambda _, v: log.replay("nowhere", from_sequence=v)),
    "replay to": ("to_sequence", lambda _, v: log.replay("nowhere", to_sequence=v or "")),
    "inspect": ("from_sequence", lambda _, v: log.inspect("nowhere", from_sequence=v)),
    "inspect to": ("to_sequence", lambda _, v: log.inspect("nowhere", to_sequence=v or "")),
}


def batch() -> xos.records.Commands:
    return xos.orders(account=1, instrument=1, side="buy", price=1, qty=1)


@pytest.mark.parametrize("call", WHOLE)
def test_a_whole_number_is_one_and_within_its_bounds(exchange: xos.Exchange, call: str) -> None:
    name, send = WHOLE[call]
    least, most = BOUNDS[name]
    before = exchange.state_hash
    for value in (least - 1, most + 1, -(10**5_000), 10**5_000):
        with pytest.raises(xos.OutOfRange, match=f"{name} is .*, its field takes {least} to {most}"):
            send(exchange, value)
    for value in (True, np.True_, 1.0, np.float64(1), Decimal(1), "1", b"1", None, [1]):
        with pytest.raises(xos.InvalidArgument, match=f"{name} is a .*, expected an integer"):
            send(exchange, value)
    assert exchange.state_hash == before


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_hold_at_the_limit(name: str) -> None:
    for value in BOUNDS[name]:
        assert whole(name, value) == value
        if -(2**63) <= value < 2**63:
            assert whole(name, np.int64(value)) == value


@pytest.mark.parametrize("name", LIMIT_DEFAULTS)
def test_a_limit_is_a_whole_number_that_its_field_holds(name: str) -> None:
    for value in (-1, 2**64):
        with pytest.raises(xos.OutOfRange, match=rf"limits\['{name}'\] is {value}"):
            xos.open(limits={name: value})
    for value in (1.5, "3", None, True):
        with pytest.raises(xos.InvalidArgument, match=rf"limits\['{name}'\] is a "):
            xos.open(limits={name: value})  # type: ignore[dict-item]
    most = max(value for value in (2**16 - 1, 2**32 - 1, 2**64 - 1) if fits(name, value))
    assert not fits(name, most + 1)
    xos.markets.loads(f'[limits]\n{name} = 1\n[[asset]]\nsymbol = "A"\ndecimals = 0\n')


def fits(name: str, value: int) -> bool:
    try:
        return limit_value(name, value) == value
    except xos.OutOfRange:
        return False


REFUSED: list[Callable[[Any], object]] = [
    lambda _: xos.open(limits=[]),  # type: ignore[arg-type]
    lambda _: xos.open(limits={1: 1}),  # type: ignore[dict-item]
    lambda _: xos.open(b"dir"),  # type: ignore[arg-type]
    lambda _: xos.open(5),  # type: ignore[arg-type]
    lambda _: xos.open(""),
    lambda _: xos.open("a\0b"),
    lambda _: xos.open(durable=None),  # type: ignore[arg-type]
    lambda _: log.verify(b"dir"),  # type: ignore[arg-type]
    lambda _: log.verify("x", quick="no"),  # type: ignore[arg-type]
    lambda x: x.deploy(None),
    lambda x: x.deploy_body("x"),
    lambda _: xos.markets.loads(b"x"),  # type: ignore[arg-type]
    lambda x: x.buy(1, "BTC-USDC", 1, 10**5_000),
    lambda x: x.buy(1, "BTC-USDC", 10**5_000, 1),
    lambda x: x.buy(1, "BTC-USDC", "9" * 100_000, 1),
    lambda x: x.buy(1, 10**5_000, 1, 1),
    lambda x: x.buy(1, True, 1, 1),
    lambda x: x.buy(1, 1.0, 1, 1),
    lambda x: x.buy(1, np.True_, 1, 1),
    lambda x: x.place(1, 1, True, 1, 1),
    lambda x: x.place(1, 1, 0.0, 1, 1),
    lambda x: x.buy(1, 1, 1, 1, tif=True),
    lambda x: x.buy(1, 1, 1, 1, tif=0.0),
    lambda x: x.buy(1, 1, 1, 1, self_trade=False),
    lambda x: x.buy(1, 1, 1, 1, venue=True),
    lambda x: x.buy(1, 1, 1, 1, post_only="no"),
    lambda x: x.buy(1, 1, 1, 1, reduce_only=0),
    lambda x: x.buy(1, 1, 1, 1, market=None),
    lambda x: x.amend(1, 1, 14, price=1, post_only="no"),
    lambda x: x.place_trigger(1, "BTC-PERP", "buy", 1, above=60_000, reduce_only="no"),
    lambda x: x.buy(1, 1, 1, 1, client_id="\ud800"),
    lambda x: x.cancel(1, client_id="\ud800"),
    lambda x: x.open_account("\ud800"),
    lambda x: x.subscribe(kinds=[999]),
    lambda x: x.subscribe(kinds=[True]),
    lambda x: x.subscribe(kinds=5),
    lambda x: x.subscribe(kinds="trade"),
    lambda x: x.subscribe(accounts=1),
    lambda x: x.subscribe(instruments=1),
    lambda x: x.submit(np.ma.masked_array(batch())),
    lambda _: xos.orders(account=True, instrument=1, side=0, price=1, qty=1),
    lambda _: xos.orders(account=[True, 1], instrument=1, side=0, price=1, qty=1),
    lambda _: xos.orders(
        account=1, instrument=1, side=0, price=np.ma.masked_array([1, 2], [False, True]), qty=1
    ),
    lambda _: xos.orders(account=1, instrument=1, side=0, price=1, qty=1, client_id=["\ud800"]),
]


@pytest.mark.parametrize("at", range(len(REFUSED)))
def test_what_has_no_meaning_is_refused_by_this_package(exchange: xos.Exchange, at: int) -> None:
    before = exchange.state_hash
    with pytest.raises(xos.Error) as refused:
        REFUSED[at](exchange)
    assert len(str(refused.value)) < 800
    assert exchange.state_hash == before


def test_the_most_events_to_keep_are_kept_without_a_panic() -> None:
    most = BOUNDS["events_kept_max"][1]
    with xos.open(events_kept_max=most, trades_kept_max=most) as exchange:
        exchange.open_account("a")
        assert sum(map(len, exchange.events())) == 1


def test_an_unknown_option_is_named_with_those_that_there_are(exchange: xos.Exchange) -> None:
    with pytest.raises(xos.InvalidArgument, match="an order has no option 'foo'; there are tif, post_only"):
        exchange.buy(1, "BTC-USDC", 1, 1, foo=1)  # type: ignore[call-arg]


def test_numbers_of_numpy_are_numbers(exchange: xos.Exchange) -> None:
    one = np.int64(1)
    assert exchange.buy(one, one, one, one, tif=np.uint8(0)).accepted  # type: ignore[arg-type]
    assert exchange.balance(np.uint32(1), one).account == 1  # type: ignore[arg-type]


def test_long_numbers_are_cut() -> None:
    assert shown(-(10**5_000)) == "-1e5000 or so"
    assert shown(10**79) == str(10**79)
    assert len(shown(Decimal("9" * 100_000))) < 120


def test_a_path_may_be_a_path(tmp_path: Path) -> None:
    with xos.open(tmp_path / "a"), xos.open(str(tmp_path / "b")):
        pass
