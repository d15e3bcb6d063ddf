"""cryptofeed: books with its own check of every checksum, trades, tickers and candles, over TLS."""

from __future__ import annotations

import os
from collections import Counter
from importlib.metadata import version
from typing import Any

from reporting import Report, given

_said = given()
os.environ["SSL_CERT_FILE"] = os.environ["REQUESTS_CA_BUNDLE"] = _said["authority"]

import asyncio  # noqa: E402 - after the variables that its libraries read

from cryptofeed import FeedHandler  # noqa: E402
from cryptofeed.connection import RestEndpoint, WebsocketEndpoint  # noqa: E402
from cryptofeed.defines import L2_BOOK, TICKER, TRADES  # noqa: E402
from cryptofeed.exchanges import OKX  # noqa: E402

_SECONDS = 20
_heard: Counter[str] = Counter()


def redirect() -> None:
    """The one thing that differs: addresses."""
    public, private = OKX.websocket_endpoints[0], OKX.websocket_endpoints[-1]
    OKX.websocket_endpoints = [
        WebsocketEndpoint(
            f"{_said['wss']}/{place}", channel_filter=each.channel_filter, options={"compression": None}
        )
        for place, each in (("public", public), ("private", private))
    ]
    OKX.rest_endpoints = [RestEndpoint(_said["https"], routes=OKX.rest_endpoints[0].routes)]
    OKX.api = f"{_said['https']}/api/v5/"


def heard(name: str) -> Any:
    async def hear(_message: Any, _at: float) -> None:
        _heard[name] += 1

    return hear


def main() -> None:
    report = Report("cryptofeed", version("cryptofeed"))
    redirect()
    with report.step("symbols: spot and perpetuals"):
        symbols = OKX.symbols()
        assert {"ETH-USD", "ETH-USD-PERP"} <= set(symbols), symbols
    with report.step("books with checksum validation, trades, tickers"):
        feeds = FeedHandler()
        feeds.add_feed(
            OKX(
                symbols=["ETH-USD", "ETH-USD-PERP"],
                channels=[L2_BOOK, TRADES, TICKER],
                callbacks={L2_BOOK: heard("book"), TRADES: heard("trade"), TICKER: heard("ticker")},
                checksum_validation=True,
            )
        )
        feeds.run(start_loop=False, install_signal_handlers=False)
        asyncio.get_event_loop().run_until_complete(asyncio.sleep(_SECONDS))
        assert min(_heard[name] for name in ("book", "trade", "ticker")) > 3, _heard
    report.end()


main()
