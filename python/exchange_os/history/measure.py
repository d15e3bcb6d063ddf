"""How fast history takes fills out of a log, and how fast it gives a page of them."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from exchange_os._core import CommandKind, Side, Tif
from exchange_os.exchange import Exchange
from exchange_os.history.feed import History
from exchange_os.history.rows import Bits, Kind
from exchange_os.history.store import Asked, Store
from exchange_os.markets.load import loads
from exchange_os.records import commands, orders, set_amounts

if TYPE_CHECKING:
    import numpy.typing as npt

_PAIRS = 2_000
"""Trades of a frame: an order that rests, and one that takes it."""
_PAGES = 200
_STEP_NS = 20 * 60 * 10**9
"""Between two frames, so that client ids are forgotten in time."""
_BEGIN_NS = 1_700_000_000 * 10**9
_MARKET = """
[[asset]]
symbol = "USDC"
decimals = 6

[[instrument]]
symbol = "BTC-USDC-SWAP"
product = "perpetual"
tick_size = "0.1"
lot_size = "0.001"
price_max = "1000000"
qty_max = "1000"
position_max = "1000000"
notional_max = "1000000000"
initial_margin_ppm = 20_000
maintenance_margin_ppm = 10_000
fees = { maker_ppm = 100, taker_ppm = 500 }
"""


def measure(
    folder: Path, fills: int, accounts: int, seed: int, database: str | None = None
) -> dict[str, Any]:
    """Makes a log of orders with client ids, two a trade, folds it into a history, and asks for pages.

    Every page is compared with the count of what traded. Seconds are of the clock and, as other programs may
    hold the processor, of the processor; the engine's own work is in both: it executes the log again.
    """
    counts = _trade(folder / "log", fills, accounts, seed)
    place = database or folder / "history.db"
    history = History(Store(place), folder / "log")
    begun, begun_work = time.perf_counter(), time.process_time()
    history.catch_up()
    spent, worked = time.perf_counter() - begun, time.process_time() - begun_work
    page_s = _pages(history, counts, seed)
    rows = history.store.number
    history.close()
    written = int(counts.sum())
    report = {
        "fills": written,
        "accounts": accounts,
        "rows": rows,
        "fills_per_s": round(written / spent),
        "fills_per_processor_s": round(written / worked),
        "page_p50_ms": round(median(page_s) * 1_000, 3),
        "page_p99_ms": round(page_s[int(len(page_s) * 0.99)] * 1_000, 3),
    }
    return report if database else report | {"bytes": Path(place).stat().st_size}


def _pages(history: History, counts: npt.NDArray[np.int64], seed: int) -> list[float]:
    """Seconds of pages of 100 fills of random accounts, sorted."""
    page_s = []
    for account in np.random.default_rng(seed + 1).integers(1, len(counts), _PAGES).tolist():
        begun, page = time.perf_counter(), []
        with history.reading() as store:
            for row in store.rows(Kind.MOVEMENT, account, Asked()):
                if row.bits & Bits.FILL:
                    page.append(row)
                if len(page) == 100:
                    break
        page_s.append(time.perf_counter() - begun)
        if len(page) != min(100, counts[account]):
            raise AssertionError(f"a page of account {account} has {len(page)} fills of {counts[account]}")
    return sorted(page_s)


def _trade(path: Path, fills: int, accounts: int, seed: int) -> npt.NDArray[np.int64]:
    """The log; how many fills each account has."""
    generator, counts = np.random.default_rng(seed), np.zeros(accounts + 1, np.int64)
    with Exchange.open(path, durable=False, events_kept_max=0, trades_kept_max=0) as exchange:
        exchange.deploy(loads(_MARKET), time_ns=_BEGIN_NS)
        exchange.set_mark("BTC-USDC-SWAP", "50000", time_ns=_BEGIN_NS)
        opened = commands(accounts)
        opened["kind"] = CommandKind.OPEN_ACCOUNT
        opened["client_id"] = [f"owner{number}".encode() for number in range(accounts)]
        exchange.submit(opened, time_ns=_BEGIN_NS)
        paid = commands(accounts)
        paid["kind"], paid["account"], paid["instrument"] = (
            CommandKind.DEPOSIT,
            np.arange(1, accounts + 1),
            1,
        )
        set_amounts(paid, [10**15] * accounts)
        exchange.submit(paid, time_ns=_BEGIN_NS)
        left, frame, market = (fills + 1) // 2, 0, 1
        while left:
            pairs, frame = min(_PAIRS, left), frame + 1
            left -= pairs
            own = generator.integers(1, accounts + 1, 2 * pairs)
            sides = np.tile(np.array([Side.SELL, Side.BUY]), pairs)
            turned = np.repeat(generator.integers(0, 2, pairs), 2).astype(bool)
            sides[turned] ^= 1
            price = np.repeat(500_000 + generator.integers(-2_000, 2_000, pairs), 2)
            lots = np.repeat(generator.integers(1, 200, pairs), 2)
            names = np.char.add(
                "c", np.arange(frame * 2 * _PAIRS, frame * 2 * _PAIRS + 2 * pairs).astype(str)
            )
            batch = orders(
                account=own,
                instrument=market,
                side=sides,
                price=price,
                qty=lots,
                tif=Tif.GTC,
                client_id=names,
            )
            exchange.submit(batch, time_ns=_BEGIN_NS + frame * _STEP_NS)
            np.add.at(counts, own, 1)
    return counts
