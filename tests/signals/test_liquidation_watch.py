"""Liquidations through ccxt's WebSocket clients, from a server that speaks as three venues do."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from exchange_os.signals.cleaning import clean
from exchange_os.signals.market_data import MarketData
from exchange_os.signals.sources.ccxt_source import Address
from exchange_os.signals.sources.liquidation_watch import LiquidationWatch
from exchange_os.signals.sources.recorder_round import Answers, both

from .venue_messages import NOW_MS, VENUES

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("ccxt", "aiohttp")),
    reason="ccxt and aiohttp are not installed: the extras `signals` and `api` bring them",
)
ETH = "ETH/USDT"
OKX = {
    "arg": {"channel": "liquidation-orders", "instType": "SWAP"},
    "data": [
        {
            "details": [
                {"bkPx": "1890", "posSide": "long", "side": "sell", "sz": "40", "ts": str(NOW_MS - 9)},
                {"bkPx": "1889.5", "posSide": "long", "side": "sell", "sz": "2", "ts": str(NOW_MS - 8)},
            ],
            "instFamily": "ETH-USDT",
            "instId": "ETH-USDT-SWAP",
            "instType": "SWAP",
            "uly": "ETH-USDT",
        },
        {
            "details": [{"bkPx": "60000", "posSide": "short", "side": "buy", "sz": "1", "ts": str(NOW_MS)}],
            "instFamily": "BTC-USDT",
            "instId": "BTC-USDT-SWAP",
            "instType": "SWAP",
            "uly": "BTC-USDT",
        },
    ],
}
BYBIT = {
    "topic": "allLiquidation.ETHUSDT",
    "type": "snapshot",
    "ts": NOW_MS,
    "data": [
        {"T": NOW_MS - 9, "s": "ETHUSDT", "S": "Buy", "v": "3", "p": "1880.5"},
        {"T": NOW_MS - 9, "s": "ETHUSDT", "S": "Sell", "v": "1", "p": "1999"},
    ],
}
BINANCE = {
    "e": "forceOrder",
    "E": NOW_MS,
    "o": {
        "s": "ETHUSDT",
        "S": "SELL",
        "o": "LIMIT",
        "f": "IOC",
        "q": "2",
        "p": "1900",
        "ap": "1901.5",
        "X": "FILLED",
        "l": "2",
        "z": "2",
        "T": NOW_MS - 9,
    },
}
MESSAGES: dict[str, Any] = {"okx": OKX, "bybit": BYBIT, "binanceusdm": BINANCE}


class Venue:
    """A WebSocket server: to whoever subscribes it says a message, then it stays or hangs up."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.message, self.hang_up_after = message, 0
        self.lines = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        self._ready.wait()

    async def _serve(self) -> None:
        from aiohttp import web

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_get("/{path:.*}", self._line)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _line(self, request: Any) -> Any:
        from aiohttp import WSMsgType, web

        line = web.WebSocketResponse()
        await line.prepare(request)
        self.lines += 1
        async for message in line:
            if message.type is WSMsgType.TEXT and "subscribe" in message.data.lower():
                await line.send_str(json.dumps(self.message))
                if self.lines <= self.hang_up_after:
                    await line.close()
        return line

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


def client_at(url: str, venue: str) -> Any:
    """ccxt's own client with its addresses replaced; the market is told, not asked."""
    from ccxt import pro

    from .venue_messages import client_of

    client = getattr(pro, venue)({"newUpdates": False})
    client.set_markets(list(client_of(venue).markets.values()))

    async def load_markets() -> Any:
        return client.markets

    def everywhere(told: Any) -> Any:
        return {name: everywhere(each) for name, each in told.items()} if isinstance(told, dict) else url

    client.load_markets = load_markets
    client.urls["api"]["ws"] = everywhere(client.urls["api"]["ws"])
    return client


@pytest.fixture
def venue(request: pytest.FixtureRequest) -> Iterator[tuple[str, Venue]]:
    name: str = request.param
    serving = Venue(MESSAGES[name])
    yield name, serving
    serving.close()


def watched(name: str, serving: Venue) -> LiquidationWatch:
    return LiquidationWatch(
        [Address(f"my-{name}", name)],
        [ETH, "XRP/USDT"],
        made=lambda _address: client_at(serving.url, name),
        clock=lambda: NOW_MS,
    )


def until(watch: LiquidationWatch, enough: Any) -> Answers:
    """What has come once it is enough."""
    found = watch.take()
    while not enough(found):
        found = both(found, watch.take())
    return found


@pytest.mark.parametrize(
    ("venue", "expected"),
    [
        ("okx", [("long", 1_890.0, 4.0), ("long", 1_889.5, 0.2)]),
        ("bybit", [("long", 1_880.5, 3.0), ("short", 1_999.0, 1.0)]),
        ("binanceusdm", [("long", 1_901.5, 2.0)]),
    ],
    indirect=["venue"],
)
def test_every_liquidation_of_a_message_is_a_row_once(venue: Any, expected: list[Any]) -> None:
    name, serving = venue
    watch = watched(name, serving)
    watch.start()
    try:
        found = until(watch, lambda answers: answers.data.liquidations.height >= len(expected))
        rows = found.data.liquidations.select("position", "price", "base_qty").rows()
        assert [(side, price, pytest.approx(qty)) for side, price, qty in rows] == expected
        assert set(found.data.liquidations["venue"]) == {f"my-{name}"}
        assert set(found.data.liquidations["symbol"]) == {ETH}
        assert watch.take().data.liquidations.is_empty(), "what was taken does not come again"
        assert clean(MarketData(liquidations=found.data.liquidations), NOW_MS)[1] == []
    finally:
        watch.close()


@pytest.mark.parametrize("venue", ["okx"], indirect=True)
def test_a_line_that_breaks_is_named_and_opened_again(venue: Any) -> None:
    name, serving = venue
    serving.hang_up_after = 1
    watch = watched(name, serving)
    watch.start()
    try:
        found = until(watch, lambda answers: answers.silences and serving.lines >= 2)
        assert {(silence.venue, silence.table) for silence in found.silences} == {("my-okx", "liquidations")}
    finally:
        watch.close()


def test_a_venue_without_them_says_so() -> None:
    watch = LiquidationWatch(
        [Address("quiet", "hyperliquid")], [ETH], made=lambda address: client_at("ws://x", address.exchange)
    )
    watch.start()
    try:
        found = until(watch, lambda answers: answers.silences)
        assert [silence.why for silence in found.silences] == ["it does not offer them"]
    finally:
        watch.close()
    assert "hyperliquid" in VENUES
