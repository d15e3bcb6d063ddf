"""Orders that wait for a price, and brackets, from Python."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

import exchange_os as xos
from exchange_os import EventKind, InvalidArgument, Reject, Rejected, UnknownName


@pytest.fixture
def hedged(exchange: xos.Exchange) -> xos.Exchange:
    """A long of account 1, and bids of account 2 under it."""
    exchange.set_mark("BTC-PERP", 50_000)
    exchange.sell(2, "BTC-PERP", 50_000, 2)
    exchange.buy(1, "BTC-PERP", 50_000, 2)
    for price in (49_000, 48_000):
        exchange.buy(2, "BTC-PERP", price, 1)
    return exchange


def test_take_profit_and_stop_loss_of_a_whole_position(hedged: xos.Exchange) -> None:
    placed = hedged.place_trigger(
        1, "BTC-PERP", "sell", above=55_000, below=49_500, source="mark", reduce_only=True, client_id="guard"
    )
    (waiting,) = hedged.triggers(1)
    assert (waiting.order_id, waiting.qty, waiting.above, waiting.below) == (
        placed.order_id,
        None,
        55_000,
        49_500,
    )
    assert (waiting.limit_above, waiting.source_above, waiting.slippage) == (None, "mark", Decimal("0.05"))
    assert (waiting.client_id, waiting.reached, waiting.side) == (b"guard", False, "sell")
    hedged.set_mark("BTC-PERP", 49_500)
    assert hedged.triggers(1) == []
    assert hedged.positions(1) == []
    assert hedged.instrument("BTC-PERP").last_price == 48_000


def test_a_limit_order_follows_with_the_same_id_and_client_id(hedged: xos.Exchange) -> None:
    placed = hedged.place_trigger(1, "BTC-PERP", "sell", "0.5", below=49_000, limit=49_900, client_id="stop")
    hedged.amend_trigger(1, "BTC-PERP", placed.order_id, below=49_500, limit=49_950, qty="0.4")
    hedged.sell(1, "BTC-PERP", 49_000, "0.1")
    (order,) = hedged.orders(1)
    assert (order.order_id, order.price, order.qty) == (placed.order_id, 49_950, Decimal("0.4"))
    again = hedged.place_trigger(1, "BTC-PERP", "sell", "0.5", below=49_000, limit=49_900, client_id="stop")
    assert (again.retry, again.order_id) == (True, placed.order_id)
    assert hedged.cancel(1, client_id="stop").order_id == placed.order_id


def test_a_bracket_is_armed_by_its_fills(hedged: xos.Exchange) -> None:
    entry = hedged.bracket(
        2, "BTC-PERP", "sell", 51_000, 1, take_profit=45_000, stop_loss=53_000, source="mark", slippage="0.1"
    )
    assert entry.status == "resting"
    hedged.buy(1, "BTC-PERP", 51_000, "0.25")
    (exits,) = hedged.triggers(2, "BTC-PERP")
    assert (exits.qty, exits.entry, exits.side) == (Decimal("0.25"), entry.order_id, "buy")
    assert (exits.above, exits.below) == (53_000, 45_000)
    assert exits.order_id == entry.order_id + 2**52
    hedged.sell(1, "BTC-PERP", 53_500, 1)
    before = hedged.sequence
    hedged.set_mark("BTC-PERP", 53_000)
    (events,) = hedged.events(since_sequence=before + 1)
    kinds = [EventKind.MARK_SET, EventKind.TRIGGER_FIRED, EventKind.ORDER_CANCELLED, EventKind.ORDER_ACCEPTED]
    assert events["kind"].tolist()[:4] == kinds
    assert EventKind.TRADE in events["kind"].tolist()
    assert hedged.order(entry.order_id) is None


def test_what_is_wrong_is_refused_with_nothing_moved(hedged: xos.Exchange) -> None:
    before = hedged.state_hash
    with pytest.raises(Rejected) as refused:
        hedged.place_trigger(1, "BTC-PERP", "sell", 1, below=50_000)
    assert refused.value.reject == Reject.TRIGGER_WOULD_FIRE
    assert "50000" in str(refused.value) or "100000" in str(refused.value)
    for wrong in ({"limit_below": 1}, {"source": "bid"}, {"slippage": 10_000}):
        with pytest.raises(InvalidArgument):
            hedged.place_trigger(1, "BTC-PERP", "sell", 1, below=40_000, **wrong)  # type: ignore[arg-type]
    with pytest.raises(Rejected):
        hedged.bracket(1, "BTC-PERP", "buy", 49_000, 1, stop_loss=49_500)
    with pytest.raises(UnknownName):
        hedged.triggers(99)
    with pytest.raises(UnknownName):
        hedged.countdown_deadline_ns(99)
    assert hedged.state_hash == before


def test_a_countdown_tells_its_deadline_and_spares_what_reduces(hedged: xos.Exchange) -> None:
    hedged.place_trigger(1, "BTC-PERP", "sell", below=40_000, reduce_only=True)
    hedged.place_trigger(1, "BTC-PERP", "buy", 1, above=60_000)
    assert hedged.countdown_deadline_ns(1) is None
    hedged.cancel_all_after(1, 2)
    deadline_ns = hedged.countdown_deadline_ns(1)
    assert deadline_ns == hedged.time_ns + 2 * 10**9
    hedged.tick(time_ns=deadline_ns)
    assert [waiting.side for waiting in hedged.triggers(1)] == ["sell"]


def test_waiting_orders_survive_the_directory(
    tmp_path: Path, filled: Callable[[xos.Exchange], xos.Exchange]
) -> None:
    path = tmp_path / "log"
    with filled(xos.open(path)) as exchange:
        exchange.place_trigger(1, "BTC-PERP", "buy", 1, above=60_000, source="mark", client_id="in")
        exchange.snapshot()
        state = exchange.state_hash
    with xos.open(path) as exchange:
        assert exchange.state_hash == state
        exchange.set_mark("BTC-PERP", 60_000)
        assert exchange.triggers(1) == []
        (events,) = exchange.events()
        assert events["kind"].tolist()[-2:] == [EventKind.ORDER_ACCEPTED, EventKind.ORDER_CANCELLED]
