"""python-okx, the SDK of OKX: REST over HTTP, WebSocket over TLS with an authority of our own."""

from __future__ import annotations

import asyncio
import json
import os
from importlib.metadata import version
from typing import Any

from reporting import Report, given

_said = given()
os.environ["SSL_CERT_FILE"] = _said["authority"]

from okx.Account import AccountAPI  # noqa: E402 - its TLS reads the variable when it is imported
from okx.MarketData import MarketAPI  # noqa: E402
from okx.PublicData import PublicAPI  # noqa: E402
from okx.Trade import TradeAPI  # noqa: E402
from okx.websocket.WsPrivateAsync import WsPrivateAsync  # noqa: E402
from okx.websocket.WsPublicAsync import WsPublicAsync  # noqa: E402

_WAIT_S = 30


def connected(kind: Any) -> Any:
    return kind(_said["key"], _said["secret"], _said["passphrase"], flag="0", domain=_said["rest"])


def data(answer: dict[str, Any]) -> list[Any]:
    assert answer["code"] == "0", answer
    return list(answer["data"])


def rest(report: Report) -> None:
    account, trade, market = (connected(kind) for kind in (AccountAPI, TradeAPI, MarketAPI))
    with report.step("public and market data: instruments, tickers, order book, candles"):
        assert data(connected(PublicAPI).get_instruments(instType="SWAP"))
        assert data(market.get_tickers(instType="SPOT"))
        assert data(market.get_orderbook(instId="ETH-USD", sz="5"))[0]["bids"]
        assert data(market.get_candlesticks(instId="ETH-USD"))
    with report.step("account: config, balance, positions, leverage"):
        assert data(account.get_account_config())[0]["posMode"] == "net_mode"
        assert data(account.get_account_balance())[0]["details"]
        data(account.get_positions())
        data(account.set_leverage(lever="2", mgnMode="cross", instId="ETH-USD-SWAP"))
    with report.step("trade: market order filled, limit order amended and cancelled, fills, history"):
        order = {"instId": "ETH-USD", "tdMode": "cash", "side": "buy"}
        (bought,) = data(trade.place_order(**order, ordType="market", sz="0.05", tgtCcy="base_ccy"))
        (row,) = data(trade.get_order(instId="ETH-USD", ordId=bought["ordId"]))
        assert (row["state"], row["accFillSz"]) == ("filled", "0.050"), row
        (placed,) = data(trade.place_order(**order, ordType="limit", sz="0.1", px="2000"))
        data(trade.amend_order(instId="ETH-USD", ordId=placed["ordId"], newSz="0.2"))
        data(trade.cancel_order(instId="ETH-USD", ordId=placed["ordId"]))
        assert any(fill["ordId"] == bought["ordId"] for fill in data(trade.get_fills(instType="SPOT")))


async def heard(socket: Any, arguments: list[dict[str, str]], wanted: int) -> list[Any]:
    """The first messages with data."""
    found: list[Any] = []
    done = asyncio.Event()

    def hear(message: str) -> None:
        if "data" in message:
            found.append(json.loads(message))
        if len(found) >= wanted:
            done.set()

    await socket.start()
    await socket.subscribe(arguments, callback=hear)
    await asyncio.wait_for(done.wait(), _WAIT_S)
    return found


async def streams(report: Report) -> None:
    with report.step("WebSocket over TLS: public books and tickers"):
        public = WsPublicAsync(url=f"{_said['wss']}/public")
        arguments = [{"channel": channel, "instId": "ETH-USD"} for channel in ("books", "tickers")]
        assert {each["arg"]["channel"] for each in await heard(public, arguments, 6)} == {"books", "tickers"}
    with report.step("WebSocket over TLS: login, account"):
        private = WsPrivateAsync(
            apiKey=_said["key"],
            passphrase=_said["passphrase"],
            secretKey=_said["secret"],
            url=f"{_said['wss']}/private",
            useServerTime=False,
        )
        (told,) = await heard(private, [{"channel": "account"}], 1)
        assert told["data"][0]["details"]


made = Report("python-okx", version("python-okx"))
rest(made)
asyncio.run(streams(made))
made.end()
