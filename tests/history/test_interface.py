"""What was, over the interface: every path against what the exchange itself says, pages, death."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import Server
from tests.history.test_history import opened, trade

from exchange_os.history import Asked, History, Kind, Store

TRADING = "/api/v5/trade/"
ACCOUNT = "/api/v5/account/"


class Desk:
    """A server over a directory with a history."""

    def __init__(self, folder: Path, place: Path | str | None = None) -> None:
        self.exchange = opened(folder / "data")
        trade(self.exchange, random.Random(4), 120)
        self.history = History(Store(place), folder / "data")
        self.history.follow(self.exchange)
        self.server = Server(reopened=self.exchange, history=self.history)

    def get(self, path: str, **fields: Any) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in fields.items())
        status, answer = self.server.signed(self.server.ann, "GET", f"{path}?{query}" if query else path)
        assert (status, answer["code"], answer["msg"]) == (200, "0", ""), answer
        return list(answer["data"])

    def pages(self, path: str, name: str, **fields: Any) -> list[dict[str, Any]]:
        """All rows, seven at a time, by `after`."""
        rows: list[dict[str, Any]] = []
        while page := self.get(path, limit=7, **fields, **({"after": rows[-1][name]} if rows else {})):
            rows += page
        return rows

    def close(self) -> None:
        self.server.close()
        self.history.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path)
    yield found
    found.close()


def test_fills(desk: Desk) -> None:
    wanted = []
    for each in reversed(desk.exchange.trades()):
        taken = (each.taker, each.taker_order_id, each.taker_fee, each.side, "T")
        other = "sell" if each.side == "buy" else "buy"
        made = (each.maker, each.maker_order_id, each.maker_fee, other, "M")
        for who, order_id, fee, side, execution in (made, taken):
            if who == 1:
                wanted.append((each.trade_id, order_id, side, execution, each.price, -fee))
    found = desk.pages(TRADING + "fills-history", "billId")
    plain = [
        (
            int(row["tradeId"]) - 10**9,
            int(row["ordId"]) - 10**18,
            row["side"],
            row["execType"],
            Decimal(row["fillPx"]),
            Decimal(row["fee"]),
        )
        for row in found
    ]
    assert plain == wanted
    assert desk.get(TRADING + "fills", limit=100) == found[:100]
    only = desk.get(TRADING + "fills", instType="SWAP")
    assert only == [row for row in found if row["instType"] == "SWAP"]
    number = found[5]["ordId"]
    assert desk.get(TRADING + "fills", ordId=number) == [row for row in found if row["ordId"] == number]
    newer = desk.get(TRADING + "fills", before=found[4]["billId"])
    assert newer == found[:4]
    moment = int(found[10]["ts"])
    assert desk.get(TRADING + "fills", begin=moment) == [row for row in found if int(row["ts"]) >= moment]
    assert desk.get(TRADING + "fills", end=moment) == [row for row in found if int(row["ts"]) <= moment]


def test_orders_that_are_over(desk: Desk) -> None:
    found = desk.pages(TRADING + "orders-history", "ordId", instType="ANY")
    numbers = [int(row["ordId"]) for row in found]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == len(numbers) > 20
    standing = {each.order_id for each in desk.exchange.orders(1)}
    assert standing.isdisjoint(number - 10**18 for number in numbers)
    by_order: dict[str, list[dict[str, Any]]] = {}
    for fill in desk.pages(TRADING + "fills-history", "billId"):
        by_order.setdefault(fill["ordId"], []).append(fill)
    for row in found:
        fills = by_order.get(row["ordId"], [])
        assert Decimal(row["accFillSz"]) == sum(Decimal(fill["fillSz"]) for fill in fills)
        assert Decimal(row["fee"]) == sum(Decimal(fill["fee"]) for fill in fills)
        assert (row["state"] == "filled") == (row["accFillSz"] == row["sz"])
        assert bool(row["cancelSourceReason"]) == (row["state"] == "canceled")
        if fills:
            assert row["tradeId"] == fills[0]["tradeId"]
        single = desk.get(TRADING + "order", instId=row["instId"], ordId=row["ordId"])
        assert {**single[0], "tag": ""} == {**row, "tag": ""}
    assert {row["ordType"] for row in found} >= {"limit", "ioc"}
    named = next(row for row in found if row["clOrdId"])
    again = desk.get(TRADING + "order", instId=named["instId"], clOrdId=named["clOrdId"])
    assert again[0]["ordId"] == named["ordId"]
    spot = desk.get(TRADING + "orders-history-archive", instType="SPOT", state="canceled")
    assert spot == [row for row in found if row["instType"] == "SPOT" and row["state"] == "canceled"][:100]
    assert desk.get(TRADING + "orders-history", instType="ANY", before=found[3]["ordId"]) == found[:3]


def test_a_page_may_end_inside_a_bracket(desk: Desk) -> None:
    exchange, swap = desk.exchange, "ETH-USDC-SWAP"
    for _ in range(3):
        for account in (1, 2, 3):
            exchange.mass_cancel(account)
        entry = exchange.bracket(1, swap, "buy", 1_500, 1, take_profit=2_500, stop_loss=1_000, source="mark")
        exchange.set_mark(swap, 1_500)
        exchange.sell(2, swap, 1_500, 1)
        exchange.buy(2, swap, 2_450, 5)
        exchange.set_mark(swap, 2_500)  # the exit fires and closes what the entry bought
        assert exchange.order(entry.order_id) is None
        exchange.set_mark(swap, 2_000)
    whole = desk.get(TRADING + "orders-history", instType="SWAP", limit=100)
    ids = [row["ordId"] for row in whole]
    both = {entry.order_id + 10**18, entry.order_id + 2**52 + 10**18}
    assert both <= {int(number) for number in ids}
    one: list[str] = []
    while page := desk.get(
        TRADING + "orders-history", instType="SWAP", limit=1, **({"after": one[-1]} if one else {})
    ):
        one += [row["ordId"] for row in page]
    assert one[: len(ids)] == ids


def test_bills_add_up_to_the_balance(desk: Desk) -> None:
    found = desk.pages(ACCOUNT + "bills", "billId")
    for symbol in ("USDC", "ETH"):
        own = [row for row in found if row["ccy"] == symbol]
        assert sum(Decimal(row["balChg"]) for row in own) == desk.exchange.balance(1, symbol).total
        assert Decimal(own[0]["bal"]) == desk.exchange.balance(1, symbol).total
        for newer, older in pairwise(own):
            assert Decimal(older["bal"]) + Decimal(newer["balChg"]) == Decimal(newer["bal"])
    assert {row["type"] for row in found} == {"1", "2"}
    assert desk.get(ACCOUNT + "bills-archive", type="1") == [row for row in found if row["type"] == "1"][:100]
    assert desk.get(ACCOUNT + "bills", ccy="ETH", limit=5) == [r for r in found if r["ccy"] == "ETH"][:5]
    fills = {row["billId"] for row in desk.pages(TRADING + "fills-history", "billId")}
    assert fills <= {row["billId"] for row in found}
    traded = next(row for row in found if row["instType"] == "SWAP")
    assert Decimal(traded["balChg"]) == Decimal(traded["pnl"]) + Decimal(traded["fee"])


def test_closed_positions(desk: Desk) -> None:
    exchange = desk.exchange
    own = exchange.open_account("dan")
    exchange.deposit(own, "USDC", 100_000)
    bob = 2
    exchange.set_mark("ETH-USDC-SWAP", 2_000)
    for account in (1, bob, 3):
        for order in exchange.orders(account):
            exchange.cancel(account, order.order_id)
    for side, other, price, qty in (
        ("buy", "sell", 2_000, 2),
        ("buy", "sell", 2_010, 1),
        ("sell", "buy", 2_020, 3),
    ):
        exchange.place(bob, "ETH-USDC-SWAP", other, price, qty)
        exchange.place(own, "ETH-USDC-SWAP", side, price, qty)
    with desk.history.reading() as store:
        (row,) = store.rows(Kind.POSITION, own, Asked())
    assert (row.how, row.opened_lots, row.closed_lots, row.most_lots, row.lots) == (2, 3_000, 3_000, 3_000, 0)
    # 2 at 2,000 and 1 at 2,010, closed at 2,020: 50 USDC, less the taker's fees on 12,070 of value.
    assert row.pnl == 50 * 10**6
    assert row.fee == sum(-(-value * 500 // 10**6) for value in (4_000_000_000, 2_010_000_000, 6_060_000_000))
    found = desk.get(ACCOUNT + "positions-history")
    for each in found:
        assert Decimal(each["realizedPnl"]) == sum(
            Decimal(each[name]) for name in ("pnl", "fee", "fundingFee", "liqPenalty")
        )
        assert each["type"] == "2"


def test_public_paths(desk: Desk) -> None:
    trades = desk.exchange.trades("ETH-USDC-SWAP")
    found = desk.pages("/api/v5/market/history-trades", "tradeId", instId="ETH-USDC-SWAP")
    assert [int(row["tradeId"]) - 10**9 for row in found] == [each.trade_id for each in reversed(trades)]
    assert [Decimal(row["px"]) for row in found] == [each.price for each in reversed(trades)]
    middle = found[len(found) // 2]
    by_time = desk.get("/api/v5/market/history-trades", instId="ETH-USDC-SWAP", type=2, after=middle["ts"])
    assert by_time == [row for row in found if int(row["ts"]) < int(middle["ts"])][:100]
    assert desk.get("/api/v5/public/funding-rate-history", instId="ETH-USDC-SWAP") == []
    assert desk.get("/api/v5/public/liquidation-orders", instType="SWAP") == []
    candles = desk.get("/api/v5/market/candles", instId="ETH-USDC-SWAP", bar="1Dutc")
    volume = sum(Decimal(row[6]) for row in candles)  # type: ignore[index]
    assert volume == sum(each.qty for each in trades)


def test_the_same_in_postgresql(tmp_path: Path, postgres_url: str) -> None:
    desk = Desk(tmp_path, postgres_url)
    try:
        test_fills(desk)
        test_orders_that_are_over(desk)
        test_bills_add_up_to_the_balance(desk)
        test_public_paths(desk)
    finally:
        desk.close()


PATHS = (
    "trade/fills",
    "trade/fills-history",
    "trade/orders-history?instType=SPOT",
    "trade/orders-history-archive?instType=SPOT",
    "account/bills",
    "account/bills-archive",
    "account/positions-history",
    "market/candles?instId=ETH-USDC",
    "market/history-candles?instId=ETH-USDC",
    "market/mark-price-candles?instId=ETH-USDC-SWAP",
    "market/index-candles?instId=ETH-USDC",
    "market/history-trades?instId=ETH-USDC",
    "public/funding-rate-history?instId=ETH-USDC-SWAP",
    "public/liquidation-orders?instType=SWAP",
)


def test_what_cannot_be_read_is_unavailable_and_never_nothing(desk: Desk) -> None:
    """The table is gone under the reader; orders go on, and so does everything that is not history."""
    with desk.history._lock, desk.history.store._connection.begin():
        for table in ("chunk", "candle"):
            desk.history.store._connection.exec_driver_sql(f"drop table {table}")
    for path in PATHS:
        status, answer = desk.server.signed(desk.server.ann, "GET", f"/api/v5/{path}")
        assert (status, answer["code"], answer["data"]) == (503, "50001", []), path
    order = {"instId": "ETH-USDC", "side": "buy", "ordType": "limit", "px": "1", "sz": "2", "tdMode": "cash"}
    status, answer = desk.server.signed(desk.server.ann, "POST", "/api/v5/trade/order", order)
    assert answer["code"] == "0"
    status, answer = desk.server.send("GET", "/api/v5/market/books?instId=ETH-USDC")
    assert answer["code"] == "0"


def test_an_exchange_in_memory_says_that_it_keeps_no_bills() -> None:
    server = Server()
    try:
        for path in ("account/bills", "account/positions-history"):
            status, answer = server.signed(server.ann, "GET", f"/api/v5/{path}")
            assert (status, answer["code"], answer["data"]) == (503, "50001", [])
            assert "keeps no history" in answer["msg"]
        status, answer = server.signed(server.ann, "GET", "/api/v5/trade/fills")
        assert (status, answer["code"]) == (200, "0")
    finally:
        server.close()


def test_odd_bounds_give_a_page_or_a_refusal(desk: Desk) -> None:
    for path in PATHS:
        joint = "&" if "?" in path else "?"
        for given in ("-1", "0", "1", "9" * 23, "1000000000000003", "1e3", "x"):
            for name in ("after", "before", "begin", "end"):
                target = f"/api/v5/{path}{joint}{name}={given}"
                status, answer = desk.server.signed(desk.server.ann, "GET", target)
                assert (status, answer["code"]) in {(200, "0"), (200, "51000")}, (target, answer)
