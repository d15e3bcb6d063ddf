"""History against the exchange itself: the same fills, live, after a break, and rebuilt from the log."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tests.api.conftest import MARKETS, Server

import exchange_os as xos
from exchange_os._core import EventKind
from exchange_os.cli import main
from exchange_os.errors import InvalidArgument
from exchange_os.history import FillRow, History, HistoryUnavailable, Store, feed, rebuild
from exchange_os.history.columns import EPOCH_BITS
from exchange_os.history.store import Asked
from exchange_os.records import EVENT, Events

ACCOUNTS = [1, 2, 3]


def opened(path: Path) -> xos.Exchange:
    exchange = xos.open(path, durable=False)
    if not exchange.account_count:
        exchange.deploy(xos.markets.loads(MARKETS))
        exchange.set_mark("ETH-USDC-SWAP", "2000")
        for name in ("ann", "bob", "cyd"):
            account = exchange.open_account(name)
            exchange.deposit(account, "USDC", 10_000_000)
            exchange.deposit(account, "ETH", 1_000)
    return exchange


def trade(exchange: xos.Exchange, rng: random.Random, count: int) -> None:
    """Random orders near one price, some with client ids, some of which trade with their own account."""
    for number in range(count):
        name = rng.choice(["ETH-USDC", "ETH-USDC-SWAP"])
        price, side = 2_000 + rng.randint(-3, 3), rng.choice(["buy", "sell"])
        client_id = f"o{exchange.sequence}x{number}" if rng.random() < 0.5 else None
        exchange.place(
            rng.choice(ACCOUNTS), name, side, price, Decimal(rng.randint(1, 9)) / 10, client_id=client_id
        )


def expected(exchange: xos.Exchange, account: int) -> list[tuple[Any, ...]]:
    """From the trades that the exchange keeps, newest first."""
    found = []
    for each in exchange.trades():
        taken = each.side == "sell"
        sides = (
            (each.taker, each.taker_order_id, each.taker_fee, taken),
            (each.maker, each.maker_order_id, each.maker_fee, not taken),
        )
        for maker, (who, order_id, fee, sells) in enumerate(sides):
            if who == account:
                market = exchange._directory.market(each.instrument)
                fee_atoms = market.quote.amount.count(fee)
                row = (
                    each.trade_id,
                    bool(maker),
                    order_id,
                    market.number,
                    int(sells),
                    market.price.count(each.price),
                )
                found.append((*row, market.qty.count(each.qty), fee_atoms, each.time_ns))
    return sorted(found, reverse=True)


def plain(rows: list[FillRow]) -> list[tuple[Any, ...]]:
    return [
        (
            row.trade_id,
            row.maker,
            row.order_id,
            row.instrument,
            row.side,
            row.price,
            row.qty,
            row.fee,
            row.time_ns,
        )
        for row in rows
    ]


def everything(history: History) -> list[list[FillRow]]:
    return [history.fills([account], Asked(), 100_000) for account in ACCOUNTS]


@pytest.fixture
def history() -> Iterator[History]:
    found = History(Store())
    yield found
    found.close()


@pytest.mark.parametrize("seed", range(3))
def test_live_resumed_and_rebuilt_are_the_trades_of_the_exchange(tmp_path: Path, seed: int) -> None:
    rng, data, path = random.Random(seed), tmp_path / "data", tmp_path / "data.history.db"
    history = History(Store(path))
    with opened(data) as exchange:
        history.follow(exchange)
        trade(exchange, rng, 150)
        assert [plain(rows) for rows in everything(history)] == [
            expected(exchange, each) for each in ACCOUNTS
        ]
        history.close()
        trade(exchange, rng, 50)  # nobody hears these
    history = History(Store(path))
    history.catch_up(data)
    with opened(data) as exchange:
        history.follow(exchange)
        trade(exchange, rng, 50)
        found = everything(history)
        last = exchange.sequence
    history.close()
    assert rebuild(data, path) == last
    again = History(Store(path))
    assert again.catch_up(data) == last
    assert everything(again) == found
    assert sum(map(len, found)) > 100
    assert [row for rows in found for row in rows if row.client_id]
    again.close()


def test_pages_meet_without_gap_or_overlap(history: History) -> None:
    with opened_in_memory() as exchange:
        history.follow(exchange)
        trade(exchange, random.Random(7), 300)
        whole = history.fills(ACCOUNTS, Asked(), 100_000)
        own = history.fills([2], Asked(), 100_000)
        pages, after = [], None
        while page := history.fills([2], Asked(after_id=after), 7):
            pages += page
            after = page[-1].trade_id
        # A trade with oneself is two fills of one id: a page may end between them.
        assert {row.trade_id for row in pages} == {row.trade_id for row in own}
        assert sorted(whole, key=lambda row: (row.trade_id, row.maker), reverse=True) == whole
        middle = own[len(own) // 2]
        newer = history.fills([2], Asked(before_id=middle.trade_id), 100_000)
        older = history.fills([2], Asked(after_id=middle.trade_id), 100_000)
        assert newer + [row for row in own if row.trade_id == middle.trade_id] + older == own
        since = history.fills([2], Asked(begin_ns=middle.time_ns), 100_000)
        assert since == [row for row in own if row.time_ns >= middle.time_ns]
        until = history.fills([2], Asked(end_ns=middle.time_ns), 100_000)
        assert until == [row for row in own if row.time_ns <= middle.time_ns]
        spot = history.fills([2], Asked(instruments=frozenset({1})), 100_000)
        assert spot == [row for row in own if row.instrument == 1]
        order = history.fills([2], Asked(order_id=middle.order_id), 100_000)
        assert order == [row for row in own if row.order_id == middle.order_id]


def opened_in_memory() -> xos.Exchange:
    exchange = xos.open()
    exchange.deploy(xos.markets.loads(MARKETS))
    exchange.set_mark("ETH-USDC-SWAP", "2000")
    for name in ("ann", "bob", "cyd"):
        account = exchange.open_account(name)
        exchange.deposit(account, "USDC", 10_000_000)
        exchange.deposit(account, "ETH", 1_000)
    return exchange


def made(rows: list[tuple[int, int, int, int]]) -> Events:
    """Trades of id, taker, maker and the taker's fee."""
    events = np.zeros(len(rows), EVENT)
    events["kind"] = EventKind.TRADE
    for place, (number, taker, maker, fee) in enumerate(rows):
        row = events[place]
        row["trade_id"] = row["sequence"] = row["time_ns"] = number
        row["account"], row["counter_account"] = taker, maker
        row["amount_low"], row["amount_high"] = fee & (2**64 - 1), fee >> 64
    return events


def test_ids_around_the_end_of_an_epoch_and_wide_fees(history: History) -> None:
    edge = 1 << EPOCH_BITS
    fees = {edge - 1: 2**63 - 1, edge: 2**63, edge + 1: -(2**63) - 1, edge + 2: 5, 3 * edge: -(2**63)}
    history.hear(made([(number, 1, 2, fee) for number, fee in fees.items()]))
    found = history.fills([1], Asked(), 10)
    assert [(row.trade_id, row.fee) for row in found] == sorted(fees.items(), reverse=True)
    numbers = [row.trade_id for row in history.fills([2], Asked(after_id=edge + 1, before_id=edge - 1), 10)]
    assert numbers == [edge]
    assert history.fills([3], Asked(), 10) == []


def test_a_store_that_fails_is_unavailable_and_the_exchange_goes_on(tmp_path: Path) -> None:
    data, path = tmp_path / "data", tmp_path / "data.history.db"
    history = History(Store(path))
    with opened(data) as exchange:
        history.follow(exchange)
        trade(exchange, random.Random(1), 20)
        history.flush()
        with sqlite3.connect(path) as other:
            other.execute("drop table trade")
        other.close()
        trade(exchange, random.Random(2), 40)
        with pytest.raises(HistoryUnavailable, match="no such table"):
            history.fills([1], Asked(), 10)
        exchange.deposit(1, "USDC", 1)
        history.close()
        last, wanted = exchange.sequence, expected(exchange, 1)
    assert rebuild(data, path) == last
    again = History(Store(path))
    assert plain(again.fills([1], Asked(), 100_000)) == wanted
    again.close()


def test_more_than_may_wait_is_unavailable(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_WAITING_MAX", 2)
    history.hear(made([(1, 1, 2, 0), (2, 1, 2, 0)]))
    assert len(history.fills([1], Asked(), 10)) == 2
    history.hear(made([(number, 1, 2, 0) for number in (3, 4, 5)]))
    with pytest.raises(HistoryUnavailable, match="more than 2 events wait"):
        history.fills([1], Asked(), 10)


def test_events_that_have_gone_are_missed_and_said(history: History) -> None:
    with xos.open(events_kept_max=4) as exchange:
        exchange.deploy(xos.markets.loads(MARKETS))
        for name in "abcdefgh":
            exchange.open_account(name)
        history.follow(exchange)
        with pytest.raises(HistoryUnavailable, match="no longer kept"):
            history.fills([1], Asked(), 10)


def test_a_history_of_another_log_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with xos.open(
            tmp_path / name, limits={"accounts_max": 100 + len(name) + (name == "two")}
        ) as exchange:
            exchange.deploy(xos.markets.loads(MARKETS))
            exchange.open_account(name)
    history = History(Store(tmp_path / "one.history.db"))
    assert history.catch_up(tmp_path / "one") > 0
    with pytest.raises(InvalidArgument, match="another exchange"):
        history.catch_up(tmp_path / "two")
    history.hear(made([(10**6, 1, 2, 0)]))
    history.flush()
    with pytest.raises(InvalidArgument, match="rebuild it"):
        history.catch_up(tmp_path / "one")
    history.close()


def test_fills_over_the_interface_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with opened(data) as exchange:
        exchange.place(2, "ETH-USDC", "sell", "1990", "1")
        exchange.place(1, "ETH-USDC", "buy", "2000", "1", client_id="old")
    history = History(Store(tmp_path / "data.history.db"))
    history.catch_up(data)
    exchange = xos.open(data)
    history.follow(exchange)
    server = Server(reopened=exchange, history=history)
    try:
        for path in ("fills", "fills-history"):
            _, answer = server.signed(server.ann, "GET", f"/api/v5/trade/{path}?instType=SPOT")
            (row,) = answer["data"]
            assert (row["clOrdId"], row["fillPx"], row["fillSz"], row["side"]) == (
                "old",
                "1990.00",
                "1.0000",
                "buy",
            )
            assert (row["execType"], row["fee"]) == ("T", "-0.995000")
        exchange.place(1, "ETH-USDC", "sell", "1980", "1")
        exchange.place(2, "ETH-USDC", "buy", "1980", "1")
        rows = server.signed(server.ann, "GET", "/api/v5/trade/fills?limit=1")[1]["data"]
        assert [(each["side"], each["execType"]) for each in rows] == [("sell", "M")]
        after = rows[0]["billId"]
        rows = server.signed(server.ann, "GET", f"/api/v5/trade/fills?after={after}")[1]["data"]
        assert [each["clOrdId"] for each in rows] == ["old"]
        history._fail("the disk is full")
        status, answer = server.signed(server.ann, "GET", "/api/v5/trade/fills")
        assert (status, answer["code"], answer["data"]) == (503, "50001", [])
    finally:
        server.close()
        history.close()


def test_the_commands(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as exchange:
        trade(exchange, random.Random(3), 10)
        last = exchange.sequence
    said = CliRunner().invoke(main, ["history", "rebuild", str(tmp_path / "data"), "--json"])
    assert (said.exit_code, json.loads(said.output)["sequence"]) == (0, last)
    said = CliRunner().invoke(main, ["bench", "history", "--fills", "2000", "--accounts", "20", "--json"])
    report = json.loads(said.output)
    assert (said.exit_code, report["fills"]) == (0, 2000)
    assert report["fills_per_s"] > 0
