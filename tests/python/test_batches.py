"""Batches as numpy arrays: events out, frames of the declared size, recent events kept."""

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest

import exchange_os as xos
from exchange_os import EventKind
from exchange_os.records import integers_128, trades_of

Fill = Callable[[xos.Exchange], xos.Exchange]


def ladder(exchange: xos.Exchange, count: int) -> xos.records.Commands:
    """Buys at rising prices, far below the market."""
    number = exchange.number_of("BTC-USDC")
    return xos.orders(account=1, instrument=number, side="buy", price=np.arange(1, count + 1), qty=1)


def test_a_batch_gives_its_events(exchange: xos.Exchange) -> None:
    number = exchange.number_of("BTC-USDC")
    price = exchange.price_ticks("BTC-USDC", 50_000)
    qty = exchange.qty_lots("BTC-USDC", "0.2")
    batch = xos.orders(
        account=[1, 2, 9], instrument=number, side=["buy", "sell", "buy"], price=price, qty=qty
    )
    events = exchange.submit(batch)
    assert events.dtype == xos.EVENT
    kinds = [EventKind(kind) for kind in events["kind"]]
    assert kinds == [EventKind.ORDER_ACCEPTED, EventKind.ORDER_ACCEPTED, EventKind.TRADE, EventKind.REJECTED]
    (trade,) = trades_of(events)
    assert (trade["account"], trade["counter_account"], trade["trade_id"]) == (2, 1, 1)
    assert integers_128(trades_of(events), "amount") == [5_000_000]
    assert events["reason"][-1] == xos.Reject.UNKNOWN_ACCOUNT
    assert not events.flags.writeable
    (kept,) = exchange.trades()
    assert kept.price == 50_000


def test_nothing_gives_nothing(exchange: xos.Exchange) -> None:
    sequence = exchange.sequence
    assert len(exchange.submit(xos.commands(0))) == 0
    assert exchange.sequence == sequence


def test_a_long_batch_becomes_several_frames(filled: Fill) -> None:
    with filled(xos.open(limits={"frame_commands_max": 10})) as exchange:
        assert exchange.limits["frame_commands_max"] == 10
        assert len(exchange.submit(ladder(exchange, 10))) == 10
        assert len(exchange.submit(ladder(exchange, 35))) == 35
        assert exchange.book("BTC-USDC", 100).bids[0].price == Decimal("3.5")


def test_makers_come_first_inside_a_frame(exchange: xos.Exchange) -> None:
    number = exchange.number_of("BTC-USDC")
    quote = exchange.sell(2, "BTC-USDC", 100, 1)
    taker = xos.orders(account=1, instrument=number, side="buy", price=1_000, qty=1, tif="ioc")
    pull = xos.cancels(account=2, order_id=quote.order_id, instrument=number)
    events = exchange.submit(np.concatenate([taker, pull]))
    assert len(trades_of(events)) == 0


def test_the_same_batches_give_the_same_state(filled: Fill) -> None:
    hashes = []
    for size in (1, 7, 50):
        with filled(xos.open()) as exchange:
            batch = ladder(exchange, 50)
            for begin in range(0, 50, size):
                exchange.submit(batch[begin : begin + size], time_ns=exchange.time_ns + 1)
            hashes.append(exchange.state_hash)
    assert len(set(hashes)) == 1


def test_recent_events_can_be_looked_back_on(exchange: xos.Exchange) -> None:
    before = exchange.sequence
    given = exchange.submit(ladder(exchange, 20))
    again = np.concatenate(list(exchange.events(before + 1)))
    assert np.array_equal(given, again)
    assert next(exchange.events())["kind"][0] == EventKind.ASSET_DEPLOYED


def test_the_memory_of_events_is_bounded_and_says_so(filled: Fill) -> None:
    with filled(xos.open(events_kept_max=5, trades_kept_max=2)) as exchange:
        exchange.submit(ladder(exchange, 20))
        (kept,) = exchange.events()
        assert len(kept) == 5
        oldest = int(kept["sequence"][0])
        assert len(next(exchange.events(oldest))) == 5
        with pytest.raises(xos.EventsGone, match=f"from sequence {oldest - 1} on.*up to {oldest - 1}"):
            exchange.events(oldest - 1)
        exchange.sell(2, "BTC-USDC", "0.1", "0.005")
        assert [trade.trade_id for trade in exchange.trades()] == [4, 5]
        assert len(exchange.trades(limit=1)) == 1


def test_time_of_a_batch_is_given_or_the_clock(exchange: xos.Exchange) -> None:
    later = exchange.time_ns + 10**9
    events = exchange.submit(ladder(exchange, 2), time_ns=later)
    assert events["time_ns"].tolist() == [later, later]
    # the clock shows less: the log's time does not go back
    assert exchange.submit(ladder(exchange, 1))["time_ns"].tolist() == [later]
    with pytest.raises(xos.TimeBackwards, match=f"{later - 1} ns"):
        exchange.submit(ladder(exchange, 1), time_ns=later - 1)
    with pytest.raises(xos.OutOfRange, match="time_ns is -1"):
        exchange.submit(ladder(exchange, 1), time_ns=-1)
