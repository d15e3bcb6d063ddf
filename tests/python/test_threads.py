"""Any thread may call; the interpreter runs on while the engine works."""

import threading
import time
from collections.abc import Callable

import numpy as np

import exchange_os as xos

Fill = Callable[[xos.Exchange], xos.Exchange]


def test_calls_from_many_threads_are_serialised(exchange: xos.Exchange) -> None:
    heard: list[int] = []
    exchange.subscribe(lambda events: heard.extend(events["sequence"].tolist()))
    batch = xos.orders(account=2, instrument=1, side="buy", price=np.ones(200, np.int64), qty=1)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                exchange.submit(batch)
                exchange.buy(1, "BTC-USDC", 1, 1)
                exchange.book("BTC-USDC")
                assert exchange.state_hash
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    before = exchange.sequence
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert exchange.sequence == before + 4 * 10 * 201
    assert heard == sorted(heard)
    assert len(heard) == 4 * 10 * 201


def test_another_thread_runs_while_a_batch_is_executed(exchange: xos.Exchange) -> None:
    batch = xos.orders(account=9, instrument=1, side="buy", price=np.ones(60_000, np.int64), qty=1)
    exchange.submit(batch)
    counted = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal counted
        while not stop.is_set():
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    begun = time.monotonic()
    while time.monotonic() - begun < 0.5:
        exchange.submit(batch)
    stop.set()
    thread.join()
    assert counted > 1_000


def test_closing_in_one_thread_ends_the_others(filled: Fill) -> None:
    exchange = filled(xos.open())
    ended: list[type[BaseException]] = []

    def work() -> None:
        try:
            while True:
                exchange.tick()
        except xos.Closed as error:
            ended.append(type(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    exchange.close()
    for thread in threads:
        thread.join(30)
    assert ended == [xos.Closed] * 3
