"""ccxt.pro, unmodified but for its addresses, watches and trades over WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt
import ccxt.pro
import pytest
from tests.api.conftest import Server

from exchange_os.api.keys import Key


def client(server: Server, key: Key) -> Any:
    address = f"127.0.0.1:{server.port}"
    return ccxt.pro.okx(
        {
            "apiKey": key.name,
            "secret": key.secret.decode(),
            "password": key.passphrase,
            "urls": {"api": {"rest": f"http://{address}", "ws": f"ws://{address}/ws/v5"}},
            "enableRateLimit": False,
        }
    )


def run(server: Server, work: Callable[[Any, Any], Awaitable[None]]) -> None:
    async def trading() -> None:
        ann, bob = client(server, server.ann), client(server, server.bob)
        try:
            await ann.load_markets()
            await bob.load_markets()
            await asyncio.wait_for(work(ann, bob), 50)
        finally:
            await ann.close()
            await bob.close()

    asyncio.run(trading())


def test_books_trades_tickers_and_candles(server: Server) -> None:
    async def work(ann: Any, bob: Any) -> None:
        await ann.create_order("ETH/USDC", "limit", "buy", 1, 2000)
        book = await bob.watch_order_book("ETH/USDC")
        assert [level[:2] for level in book["bids"]] == [[2000, 1]]
        trades = asyncio.create_task(bob.watch_trades("ETH/USDC"))
        ticker = await bob.watch_ticker("ETH/USDC")
        assert ticker["bid"] == 2000
        candles = asyncio.create_task(bob.watch_ohlcv("ETH/USDC", "1m"))
        while not any("trades" in name for c in bob.clients.values() for name in c.subscriptions):
            await asyncio.sleep(0)
        sold = await bob.create_order("ETH/USDC", "market", "sell", 0.25)
        (trade,) = await trades
        assert (trade["price"], trade["amount"], trade["side"]) == (2000, 0.25, "sell")
        assert (await candles)[-1][1:6] == [2000, 2000, 2000, 2000, 0.25]
        while book["bids"][0][1] != 0.75:
            book = await bob.watch_order_book("ETH/USDC")
        assert sold["id"]

    run(server, work)


class Hearing:
    """Reads a stream in the background: ccxt keeps nothing for those who ask later."""

    def __init__(self, watch: Callable[[], Awaitable[list[Any]]]) -> None:
        self.rows: list[Any] = []
        self._task = asyncio.create_task(self._run(watch))

    async def _run(self, watch: Callable[[], Awaitable[list[Any]]]) -> None:
        while True:
            self.rows += [dict(row) for row in await watch()]

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        while not (found := [row for row in self.rows if wanted(row)]):
            await asyncio.wait({self._task}, timeout=0.01)
            if self._task.done():
                self._task.result()
        return found[0]

    def end(self) -> None:
        self._task.cancel()


async def subscribed(client: Any, name: str) -> None:
    """Until the client has asked for a channel, and the server has answered whatever came before."""
    while not any(name in each for c in client.clients.values() for each in c.subscriptions):
        await asyncio.sleep(0)
    await client.fetch_time()


def test_orders_over_websocket_and_what_their_owner_hears(server: Server) -> None:
    async def work(ann: Any, bob: Any) -> None:
        assert (await ann.watch_balance())["USDC"]["total"] == 100_000
        hearing, others = Hearing(ann.watch_orders), Hearing(bob.watch_orders)
        await subscribed(ann, "orders")
        placed = await ann.create_order_ws("ETH/USDC", "limit", "buy", 0.5, 2000)
        live = await hearing.until(lambda row: row["status"] == "open")
        assert (live["id"], live["amount"]) == (placed["id"], 0.5)
        edited = await ann.edit_order_ws(placed["id"], "ETH/USDC", "limit", "buy", 0.75, 2000)
        assert edited["id"] == placed["id"]
        sold = await bob.create_order_ws("ETH/USDC", "market", "sell", 0.25)
        part = await hearing.until(lambda row: row["filled"] == 0.25)
        assert (part["remaining"], part["average"]) == (0.5, 2000)
        with pytest.raises(ccxt.OrderNotFound):
            await bob.cancel_order_ws(placed["id"], "ETH/USDC")
        await ann.cancel_order_ws(placed["id"], "ETH/USDC")
        await hearing.until(lambda row: row["status"] == "canceled")
        assert {row["id"] for row in hearing.rows} == {placed["id"]}
        assert {row["id"] for row in others.rows} <= {sold["id"]}
        assert server.exchange.orders(1) == []
        hearing.end()
        others.end()

    run(server, work)


def test_positions(server: Server) -> None:
    async def work(ann: Any, bob: Any) -> None:
        hearing = Hearing(ann.watch_positions)
        await subscribed(ann, "positions")
        swap = "ETH/USDC:USDC"
        await ann.create_order(swap, "limit", "buy", 1500, 2000)
        await bob.create_order_ws(swap, "limit", "sell", 1500, 2000)
        held = await hearing.until(lambda row: row["symbol"] == swap)
        assert (held["contracts"], held["side"], held["entryPrice"]) == (1500, "long", 2000)
        hearing.end()

    run(server, work)
