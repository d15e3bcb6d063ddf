"""ccxt.pro: books, trades and candles watched, an order over WebSocket seen by its own watchers."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt.pro
from reporting import Report, given

_WAIT_S = 60


async def run(report: Report) -> None:
    said = given()
    okx: Any = ccxt.pro.okx({"apiKey": said["key"], "secret": said["secret"], "password": said["passphrase"]})
    okx.urls["api"] = {"rest": said["rest"], "ws": said["ws"]}

    async def soon(what: Any) -> Any:
        return await asyncio.wait_for(what, _WAIT_S)

    await okx.load_markets()
    with report.step("watch_order_book with the chain of sequences, watch_bids_asks, watch_ticker"):
        for _ in range(5):
            book = await soon(okx.watch_order_book("ETH/USD"))
            assert book["bids"][0][0] < book["asks"][0][0]
        assert await soon(okx.watch_bids_asks(["ETH/USD"]))
        assert (await soon(okx.watch_ticker("ETH/USD:USD")))["last"]
    with report.step("watch_trades, watch_ohlcv"):
        assert await soon(okx.watch_trades("ETH/USD"))
        assert await soon(okx.watch_ohlcv("ETH/USD", "1m"))
    with report.step("watch_balance, create_order_ws, watch_orders, watch_my_trades, cancel_order_ws"):
        assert (await soon(okx.watch_balance()))["USD"]["total"]
        orders = asyncio.create_task(okx.watch_orders("ETH/USD"))
        mine = asyncio.create_task(okx.watch_my_trades("ETH/USD"))
        await asyncio.sleep(1)
        await soon(okx.create_order_ws("ETH/USD", "market", "buy", 0.05))
        assert (await soon(orders))[0]["symbol"] == "ETH/USD"
        assert (await soon(mine))[0]["amount"] > 0
        price = okx.price_to_precision("ETH/USD", book["bids"][0][0] * 0.9)
        placed = await soon(okx.create_order_ws("ETH/USD", "limit", "buy", 0.05, price))
        await soon(okx.cancel_order_ws(placed["id"], "ETH/USD"))
    with report.step("watch_positions over the life of a position"):
        positions = asyncio.create_task(okx.watch_positions(["ETH/USD:USD"]))
        await asyncio.sleep(1)
        await soon(okx.create_order("ETH/USD:USD", "market", "buy", 50))
        found = await soon(positions)
        while not found:  # the first message tells what stood before
            found = await soon(okx.watch_positions(["ETH/USD:USD"]))
        held = found[0]
        assert (held["side"], held["contracts"]) == ("long", 50), held
        await soon(okx.create_order("ETH/USD:USD", "market", "sell", 50, None, {"reduceOnly": True}))
    await okx.close()


made = Report("ccxt.pro", ccxt.pro.__version__)
asyncio.run(run(made))
made.end()
