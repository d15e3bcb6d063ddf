"""How fast history takes fills, and how fast it gives a page of them."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from exchange_os._core import EventKind
from exchange_os.history.feed import History
from exchange_os.history.store import Asked, Store
from exchange_os.records import EVENT, Events

_BATCH_TRADES = 32_768
_PAGES = 200


def measure(path: Path, fills: int, accounts: int, seed: int) -> dict[str, Any]:
    """Writes orders with client ids that trade once each, two fills a trade; then asks for pages.

    Every page is compared with the count of what was written. Seconds are of the clock and, as other programs
    may hold the processor, of the processor.
    """
    generator = np.random.default_rng(seed)
    history, written, spent, worked = History(Store(path)), 0, 0.0, 0.0
    counts = np.zeros(accounts + 1, np.int64)
    while written < fills:
        trades = min(_BATCH_TRADES, (fills - written + 1) // 2)
        events = _events(generator, written // 2, trades, accounts)
        made = events[events["kind"] == EventKind.TRADE]
        np.add.at(counts, made["account"], 1)
        np.add.at(counts, made["counter_account"], 1)
        begun, began_work = time.perf_counter(), time.process_time()
        history.hear(events)
        history.flush()
        spent += time.perf_counter() - begun
        worked += time.process_time() - began_work
        written += 2 * trades
    page_s = []
    for account in generator.integers(1, accounts + 1, _PAGES).tolist():
        begun = time.perf_counter()
        page = history.fills([account], Asked(), 100)
        page_s.append(time.perf_counter() - begun)
        if len(page) != min(100, counts[account]):
            raise AssertionError(f"a page of account {account} has {len(page)} fills of {counts[account]}")
    history.close()
    page_s.sort()
    return {
        "fills": written,
        "accounts": accounts,
        "fills_per_s": round(written / spent),
        "fills_per_processor_s": round(written / worked),
        "page_p50_ms": round(median(page_s) * 1_000, 3),
        "page_p99_ms": round(page_s[int(len(page_s) * 0.99)] * 1_000, 3),
        "bytes": path.stat().st_size,
    }


def _events(generator: np.random.Generator, before: int, trades: int, accounts: int) -> Events:
    """An accepted order and its trade with another account, again and again."""
    events = np.zeros(2 * trades, EVENT)
    taken, traded = events[::2], events[1::2]
    numbers = np.arange(before + 1, before + trades + 1)
    taken["kind"], traded["kind"] = EventKind.ORDER_ACCEPTED, EventKind.TRADE
    events["sequence"] = events["order_id"] = np.repeat(numbers * 2, 2)
    events["time_ns"] = events["sequence"] * 1_000 + 1_700_000_000 * 10**9
    events["account"] = np.repeat(generator.integers(1, accounts + 1, trades), 2)
    events["instrument"], events["price"], events["qty"] = 1, 200_000, 1_000
    taken["client_id"] = np.char.add("c", numbers.astype(str)).astype("S32")
    traded["trade_id"], traded["counter_order_id"] = numbers, numbers * 2 - 1
    traded["counter_account"] = generator.integers(1, accounts + 1, trades)
    traded["amount_low"] = generator.integers(0, 10**6, trades)
    return events
