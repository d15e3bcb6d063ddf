"""Subscribers get the events of every call as arrays."""

import queue
from typing import Any

import numpy as np
import pytest

import exchange_os as xos
from exchange_os import EventKind
from exchange_os.records import Events


def kinds(arrays: list[Events]) -> list[str]:
    return [EventKind(kind).name.lower() for array in arrays for kind in array["kind"]]


def test_a_callback_gets_one_array_for_each_call(exchange: xos.Exchange) -> None:
    heard: list[Events] = []
    exchange.subscribe(heard.append)
    exchange.sell(2, "BTC-USDC", 100, 1)
    exchange.buy(1, "BTC-USDC", 100, 1)
    exchange.tick()
    assert [len(array) for array in heard] == [1, 2, 1]
    assert kinds(heard) == ["order_accepted", "order_accepted", "trade", "ticked"]


def test_a_batch_comes_frame_by_frame_and_whole(exchange: xos.Exchange) -> None:
    heard: list[Events] = []
    exchange.subscribe(heard.append)
    batch = xos.orders(account=1, instrument=1, side="buy", price=np.ones(40_000, np.int64), qty=1)
    events = exchange.submit(batch)
    assert np.array_equal(np.concatenate(heard), events)


def test_filters(exchange: xos.Exchange) -> None:
    trades, bob, spot = (
        exchange.subscribe(kinds=["trade"]),
        exchange.subscribe(accounts=[2]),
        exchange.subscribe(instruments=["BTC-USDC"]),
    )
    exchange.buy(1, "BTC-USDC", 100, 1)
    exchange.sell(2, "BTC-USDC", 100, 1)
    exchange.deposit(1, "USDC", 1)
    exchange.buy(1, "BTC-PERP", 100, 1)
    assert kinds(list(trades)) == ["trade"]
    assert kinds(list(bob)) == ["order_accepted", "trade"]
    assert kinds(list(spot)) == ["order_accepted", "order_accepted", "trade"]
    exchange.sell(1, "BTC-USDC", 200, 1)
    exchange.buy(2, "BTC-USDC", 200, 1)
    assert kinds(list(trades)) == ["trade"], "the maker's side counts as well"


def test_a_maker_hears_of_a_trade(exchange: xos.Exchange) -> None:
    exchange.buy(1, "BTC-USDC", 100, 1)
    maker = exchange.subscribe(accounts=[1], kinds=[EventKind.TRADE])
    exchange.sell(2, "BTC-USDC", 100, 1)
    assert len(list(maker)) == 1


def test_a_queue_and_its_end(exchange: xos.Exchange) -> None:
    channel: queue.Queue[Any] = queue.Queue(maxsize=1)
    subscription = exchange.subscribe(channel)
    exchange.tick()
    with pytest.warns(RuntimeWarning, match="cut off"):
        exchange.tick()
    assert isinstance(subscription.error, queue.Full)
    assert subscription.closed
    exchange.tick()
    assert len(channel.get_nowait()) == 1
    assert channel.empty()


def test_a_callback_that_raises_does_not_fail_the_command(exchange: xos.Exchange) -> None:
    good: list[Events] = []
    exchange.subscribe(lambda _events: 1 / 0)
    exchange.subscribe(good.append)
    with pytest.warns(RuntimeWarning, match="division by zero"):
        assert exchange.buy(1, "BTC-USDC", 100, 1).accepted
    exchange.tick()
    assert len(good) == 2


def test_a_callback_may_send_commands(exchange: xos.Exchange) -> None:
    heard: list[Events] = []

    def answer(events: Events) -> None:
        if EventKind.ORDER_ACCEPTED in events["kind"] and exchange.orders(1):
            exchange.mass_cancel(1)

    exchange.subscribe(answer)
    exchange.subscribe(heard.append)
    exchange.buy(1, "BTC-USDC", 100, 1)
    assert kinds(heard) == ["order_accepted", "mass_cancelled", "order_cancelled"]


def test_what_waits_is_bounded_and_counted(exchange: xos.Exchange) -> None:
    subscription = exchange.subscribe(kept_max=2)
    for _ in range(5):
        exchange.tick()
    assert subscription.lost == 3
    assert len(list(subscription)) == 2
    assert list(subscription) == []
    subscription.close()
    exchange.tick()
    assert list(subscription) == []
    with pytest.raises(xos.OutOfRange):
        exchange.subscribe(kept_max=0)


def test_a_rejection_is_an_event_too(exchange: xos.Exchange) -> None:
    rejected = exchange.subscribe(kinds=["rejected"])
    with pytest.raises(xos.Rejected):
        exchange.buy(1, "BTC-USDC", 100, 0)
    assert len(list(rejected)) == 1
