"""History against the exchange itself: live, after breaks, rebuilt from the log, in both databases."""

from __future__ import annotations

import json
import random
import shutil
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.api.conftest import MARKETS

import exchange_os as xos
from exchange_os._core import EventKind
from exchange_os.cli import main
from exchange_os.errors import InvalidArgument
from exchange_os.history import Asked, Bits, History, HistoryUnavailable, Kind, Row, Source, Store, rebuild
from exchange_os.history import feed as feeding

ACCOUNTS = [1, 2, 3]
INSTRUMENTS = [1, 2]
MINUTE_NS = 60 * 10**9
BEGIN_NS = 1_700_000_000 * 10**9


def opened(path: Path) -> xos.Exchange:
    exchange = xos.open(path, durable=False)
    if not exchange.account_count:
        exchange.deploy(xos.markets.loads(MARKETS), time_ns=BEGIN_NS)
        exchange.set_mark("ETH-USDC-SWAP", "2000", time_ns=BEGIN_NS)
        for name in ("ann", "bob", "cyd"):
            account = exchange.open_account(name, time_ns=BEGIN_NS)
            exchange.deposit(account, "USDC", 10_000_000, time_ns=BEGIN_NS)
            exchange.deposit(account, "ETH", 1_000, time_ns=BEGIN_NS)
    return exchange


def trade(exchange: xos.Exchange, rng: random.Random, count: int) -> None:
    """Random orders near one price, of every kind, some amended and cancelled, money that comes and goes."""
    for number in range(count):
        name = rng.choice(["ETH-USDC", "ETH-USDC-SWAP"])
        price, side = 2_000 + rng.randint(-3, 3), rng.choice(["buy", "sell"])
        client_id = f"o{exchange.sequence}x{number}" if rng.random() < 0.5 else None
        time_ns = exchange.time_ns + rng.choice([0, 10**9, 7 * 10**9, 90 * 10**9])
        account, qty = rng.choice(ACCOUNTS), Decimal(rng.randint(1, 9)) / 10
        words: dict[str, Any] = {"tif": rng.choice(["gtc", "gtc", "ioc"])}
        placed = exchange.place(
            account, name, side, price, qty, client_id=client_id, time_ns=time_ns, **words
        )
        draw = rng.random()
        if placed.remaining and draw < 0.2:
            exchange.cancel(account, placed.order_id)
        elif placed.remaining and draw < 0.3:
            exchange.amend(account, name, placed.order_id, price=price - 1)
        elif draw < 0.4:
            exchange.deposit(account, "USDC", "12.5")
        elif draw < 0.45:
            exchange.withdraw(account, "ETH", "0.25")
        elif draw < 0.5:
            exchange.set_mark("ETH-USDC-SWAP", 2_000 + rng.randint(-2, 2))


def rows(store: Store, kind: Kind, owner: int, **asked: int) -> list[Row]:
    return list(store.rows(kind, owner, Asked(**asked)))


def everything(history: History) -> dict[Any, list[Row]]:
    """All rows of all owners, and all candles."""
    with history.reading() as store:
        found: dict[Any, list[Row]] = {}
        for kind in (Kind.MOVEMENT, Kind.ORDER, Kind.POSITION):
            found |= {(kind, account): rows(store, kind, account) for account in ACCOUNTS}
        for kind in (Kind.TRADE, Kind.FUNDING, Kind.LIQUIDATION):
            found |= {(kind, number): rows(store, kind, number) for number in INSTRUMENTS}
        for source in Source:
            for bar_s in (1, 60, 3_600):
                for number in INSTRUMENTS:
                    candles = store.candles(source, bar_s, number, 0, 2**62, 10**6)
                    found[source, bar_s, number] = candles
        return found


def fills_of(exchange: xos.Exchange, account: int) -> list[tuple[Any, ...]]:
    """From the trades that the exchange keeps, oldest first."""
    found = []
    for each in exchange.trades():
        market = exchange._directory.market(each.instrument)
        sells = each.side == "sell"
        sides = (
            (each.taker, each.taker_order_id, each.taker_fee, sells, 0),
            (each.maker, each.maker_order_id, each.maker_fee, not sells, Bits.MAKER),
        )
        for who, order_id, fee, is_sell, maker in sides:
            if who == account:
                money = (market.price.count(each.price), market.qty.count(each.qty))
                fee_atoms = market.quote.amount.count(fee)
                row = (each.trade_id, int(maker), order_id, market.number, int(is_sell), *money, fee_atoms)
                found.append((*row, each.time_ns))
    return found


def plain(row: Row) -> tuple[Any, ...]:
    ids = (row.trade_id, row.bits & Bits.MAKER, row.order_id, row.instrument, row.side)
    return (*ids, row.price, row.qty, row.fee, row.time_ns)


def judge(exchange: xos.Exchange, found: dict[Any, list[Row]]) -> None:
    """Rows against what the exchange itself says."""
    for account in ACCOUNTS:
        moved = found[Kind.MOVEMENT, account]
        fills = [plain(row) for row in reversed(moved) if row.bits & Bits.FILL]
        assert fills == fills_of(exchange, account)
        balances: dict[int, int] = defaultdict(int)
        for row in reversed(moved):
            balances[row.asset] += row.change
            assert row.balance == balances[row.asset]
        for asset in (1, 2):
            amount = exchange._directory.asset(asset).amount
            symbol = exchange._directory.asset(asset).symbol
            assert amount.value(balances[asset]) == exchange.balance(account, symbol).total
        for row in found[Kind.ORDER, account]:
            assert row.account == account
            assert exchange.order(row.order_id) is None
    kept = exchange.trades_array()
    for number in INSTRUMENTS:
        own = kept[kept["instrument"] == number]
        told = [(row.trade_id, row.price, row.qty, row.side) for row in reversed(found[Kind.TRADE, number])]
        assert told == [(int(t["trade_id"]), int(t["price"]), int(t["qty"]), int(t["side"])) for t in own]
        minutes: dict[int, list[Any]] = defaultdict(list)
        for each in own:
            minutes[int(each["time_ns"]) // MINUTE_NS * 60].append((int(each["price"]), int(each["qty"])))
        candles = {row.begin_s: row for row in found[Source.TRADES, 60, number]}
        assert set(candles) == set(minutes)
        for begin, made in minutes.items():
            prices, row = [price for price, _ in made], candles[begin]
            shape = (prices[0], max(prices), min(prices), prices[-1])
            assert (row.open, row.high, row.low, row.close) == shape
            assert row.volume == sum(qty for _, qty in made)
            assert row.value == sum(price * qty for price, qty in made)


@pytest.mark.parametrize("seed", range(2))
def test_live_resumed_and_rebuilt_are_what_the_exchange_says(
    tmp_path: Path, place: Path | str, seed: int
) -> None:
    rng, data = random.Random(seed), tmp_path / "data"
    with opened(data) as exchange:
        history = History(Store(place), data)
        history.follow(exchange)
        for _ in range(5):
            trade(exchange, rng, 30)
            found = everything(history)
        judge(exchange, found)
        history.close()
        trade(exchange, rng, 50)  # nobody reads these as they come
        history = History(Store(place), data)
        history.follow(exchange)
        trade(exchange, rng, 50)
        found = everything(history)
        judge(exchange, found)
        last = exchange.sequence
        history.close()
    told: list[tuple[int, int]] = []
    assert rebuild(data, place, lambda done, total: told.append((done, total))) == last
    assert told[-1] == (last, last)
    again = History(Store(place), data)
    assert again.sequence == last
    assert everything(again) == found
    again.close()
    assert sum(len(found[Kind.ORDER, account]) for account in ACCOUNTS) > 100
    assert any(row.text for row in found[Kind.MOVEMENT, 1])
    assert any(row.text for row in found[Kind.ORDER, 1])
    assert found[Kind.POSITION, 1] or found[Kind.POSITION, 2] or found[Kind.POSITION, 3]


def test_both_databases_have_the_same_rows(tmp_path: Path, postgres_url: str) -> None:
    with opened(tmp_path / "data") as exchange:
        trade(exchange, random.Random(5), 100)
    found = []
    for place in (tmp_path / "h.db", postgres_url):
        rebuild(tmp_path / "data", place)
        history = History(Store(place), tmp_path / "data")
        found.append((everything(history), history.store.counts(), history.store.noted()))
        history.close()
    assert found[0] == found[1]


def test_pages_meet_without_gap_or_overlap(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as exchange:
        history = History(Store(), tmp_path / "data")
        history.follow(exchange)
        for _ in range(6):
            trade(exchange, random.Random(exchange.sequence), 40)
            everything(history)  # several chunks
        with history.reading() as store:
            whole = rows(store, Kind.MOVEMENT, 2)
            assert [row.number for row in whole] == sorted((row.number for row in whole), reverse=True)
            pages, after = [], 2**62
            while page := rows(store, Kind.MOVEMENT, 2, after=after)[:7]:
                pages += page
                after = page[-1].number
            assert pages == whole
            middle = whole[len(whole) // 2]
            newer = rows(store, Kind.MOVEMENT, 2, before=middle.number)
            older = rows(store, Kind.MOVEMENT, 2, after=middle.number)
            assert [*newer, middle, *older] == whole
            since = rows(store, Kind.MOVEMENT, 2, begin_ns=middle.time_ns)
            assert since == [row for row in whole if row.time_ns >= middle.time_ns]
            until = rows(store, Kind.MOVEMENT, 2, end_ns=middle.time_ns)
            assert until == [row for row in whole if row.time_ns <= middle.time_ns]
            with_ids = rows(store, Kind.ORDER, 2, id_after=middle.order_id or 50)
            assert {row.order_id for row in rows(store, Kind.ORDER, 2) if row.order_id < 50} <= {
                row.order_id for row in with_ids
            }
        history.close()


def test_rows_beyond_an_epoch_and_a_chunk_are_found(tmp_path: Path) -> None:
    """A number far up, as of a long history: its epochs are walked, empty ones too."""
    with opened(tmp_path / "data") as exchange:
        trade(exchange, random.Random(2), 20)
    history = History(Store(), tmp_path / "data")
    history.catch_up()
    with history.reading() as store:
        whole = rows(store, Kind.MOVEMENT, 1)
        store.number += 300 << 19
        assert rows(store, Kind.MOVEMENT, 1) == whole
        assert rows(store, Kind.MOVEMENT, 99) == []
    history.close()


def test_a_database_that_fails_is_unavailable_and_goes_on_when_it_can(tmp_path: Path) -> None:
    data, place = tmp_path / "data", tmp_path / "data.history.db"
    with opened(data) as exchange:
        history = History(Store(place), data)
        history.follow(exchange)
        trade(exchange, random.Random(1), 20)
        everything(history)
        # What a full disk does: no page may be added any more.
        cursor = history.store._connection.connection.cursor()
        with history._lock:
            (pages,) = cursor.execute("pragma page_count").fetchone()
            cursor.execute(f"pragma max_page_count = {pages}")
        trade(exchange, random.Random(2), 300)
        with pytest.raises(HistoryUnavailable, match="full"), history.reading():
            pass
        exchange.deposit(1, "USDC", 1)
        with history._lock:
            cursor.execute("pragma max_page_count = 1000000")
        judge(exchange, everything(history))
        history.close()


def test_a_database_that_loses_its_tables_is_unavailable(tmp_path: Path, place: Path | str) -> None:
    data = tmp_path / "data"
    with opened(data) as exchange:
        history = History(Store(place), data)
        history.follow(exchange)
        trade(exchange, random.Random(1), 20)
        everything(history)
        with history._lock, history.store._connection.begin():
            history.store._connection.exec_driver_sql("drop table chunk")
        trade(exchange, random.Random(2), 40)
        with pytest.raises(HistoryUnavailable, match="chunk"), history.reading():
            pass
        assert exchange.place(1, "ETH-USDC", "buy", 1, "1").order_id
        history.close()


def test_a_reader_that_died_is_unavailable_and_another_one_goes_on(tmp_path: Path) -> None:
    data, place = tmp_path / "data", tmp_path / "data.history.db"
    with opened(data) as exchange:
        history = History(Store(place), data)
        history.follow(exchange)
        trade(exchange, random.Random(1), 20)
        everything(history)
        history.close()
        trade(exchange, random.Random(2), 40)
        with pytest.raises(HistoryUnavailable), history.reading():
            pass
        again = History(Store(place), data)
        again.follow(exchange)
        judge(exchange, everything(again))
        again.close()


def test_far_behind_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "_COMMANDS_AT_ONCE", 1)
    with opened(tmp_path / "data") as exchange:
        history = History(Store(), tmp_path / "data")
        history._exchange = exchange
        clock = iter(range(1_000))
        monkeypatch.setattr(feeding.time, "monotonic", lambda: next(clock))
        with pytest.raises(HistoryUnavailable, match=r"it is \d+ commands behind"), history.reading():
            pass
        assert history.sequence < exchange.sequence
        history.close()


def test_nobody_waits_for_what_is_far_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "_BEHIND_MAX", 10)
    monkeypatch.setattr(feeding, "_IDLE_S", 3_600)
    with opened(tmp_path / "data") as exchange:
        history = History(Store(), tmp_path / "data")
        history.follow(exchange)
        trade(exchange, random.Random(1), 20)
        with pytest.raises(HistoryUnavailable, match=r"it is \d+ commands behind"), history.reading():
            pass
        history.catch_up()
        judge(exchange, everything(history))
        history.close()


def test_a_connection_that_is_cut_comes_back(tmp_path: Path, postgres_url: str) -> None:
    from sqlalchemy import create_engine, text

    with opened(tmp_path / "data") as exchange:
        history = History(Store(postgres_url), tmp_path / "data")
        history.follow(exchange)
        trade(exchange, random.Random(1), 20)
        everything(history)
        other = create_engine(postgres_url)
        with other.connect() as connection:
            connection.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where pid <> pg_backend_pid() and datname = current_database()"
                )
            )
        other.dispose()
        trade(exchange, random.Random(2), 20)
        with pytest.raises(HistoryUnavailable, match=r"terminat|connection"), history.reading() as store:
            rows(store, Kind.MOVEMENT, 1)
        trade(exchange, random.Random(3), 20)
        judge(exchange, everything(history))
        history.close()


def test_the_history_of_another_log_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with opened(tmp_path / name) as exchange:
            trade(exchange, random.Random(name), 30)
    place = tmp_path / "one.history.db"
    history = History(Store(place), tmp_path / "one")
    assert history.catch_up() > 0
    history.close()
    history = History(Store(place), tmp_path / "two")
    with pytest.raises(InvalidArgument, match=r"another log|does not go on"):
        history.catch_up()
    history.close()


def test_a_log_that_was_cut_is_refused(tmp_path: Path) -> None:
    data, place = tmp_path / "data", tmp_path / "data.history.db"
    with opened(data) as exchange:
        trade(exchange, random.Random(1), 10)
    shutil.copytree(data, tmp_path / "before")
    with opened(data) as exchange:
        trade(exchange, random.Random(2), 10)
    history = History(Store(place), data)
    history.catch_up()
    history.close()
    history = History(Store(place), tmp_path / "before")
    with pytest.raises(InvalidArgument, match="does not go on"):
        history.catch_up()
    history.close()


def test_an_older_history_is_refused(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute("create table posting (epoch integer)")
    old.close()
    with pytest.raises(InvalidArgument, match="older version"):
        Store(tmp_path / "old.db")
    with pytest.raises(InvalidArgument, match="cannot be opened"):
        Store(tmp_path / "missing" / "history.db")
    with pytest.raises(InvalidArgument, match="cannot be opened"):
        Store("nosuch://nowhere/x")


def test_what_has_not_been_answered_is_not_told(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as exchange:
        trade(exchange, random.Random(1), 10)
        history = History(Store(), tmp_path / "data")

        class Behind:
            sequence = 5

        history._exchange = Behind()
        with history.reading():
            assert history.sequence == 5
        history.close()


def test_the_commands(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as exchange:
        trade(exchange, random.Random(3), 10)
        last = exchange.sequence
    said = CliRunner().invoke(main, ["history", "rebuild", str(tmp_path / "data"), "--json"])
    assert (said.exit_code, json.loads(said.output)["sequence"]) == (0, last)
    said = CliRunner().invoke(main, ["history", "rebuild", str(tmp_path / "data")])
    assert f"goes to sequence {last:,}" in said.output
    said = CliRunner().invoke(main, ["bench", "history", "--fills", "2000", "--accounts", "20", "--json"])
    assert said.exit_code == 0, said.output
    report = json.loads(said.output)
    assert report["fills"] == 2000
    assert report["fills_per_s"] > 0


def test_every_kind_of_event_is_known() -> None:
    """The names that the store reads rows by are those that the fold gives."""
    assert EventKind.LIQUIDATION_ORDER == 49
    with pytest.raises(AttributeError, match="has no nothing"):
        Row(Kind.TRADE, (1,) * 9).nothing  # noqa: B018
