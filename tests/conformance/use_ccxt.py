"""ccxt: an order from place to fill, a perpetual, a stop, a transfer of money seen in the balance."""

from __future__ import annotations

from typing import Any

import ccxt
from reporting import Report, given


def client() -> Any:
    said = given()
    made = ccxt.okx({"apiKey": said["key"], "secret": said["secret"], "password": said["passphrase"]})
    made.urls["api"] = {"rest": said["rest"], "ws": said["ws"]}
    made.enableRateLimit = False
    return made


def main() -> None:
    report, okx = Report("ccxt", ccxt.__version__), client()
    with report.step("load_markets: spot, perpetuals; fetch_currencies"):
        okx.load_markets()
        assert {"ETH/USD", "BTC/USD", "ETH/USD:USD"} <= set(okx.markets), list(okx.markets)
    with report.step("fetch_ticker, fetch_order_book, fetch_trades, fetch_ohlcv"):
        ticker = okx.fetch_ticker("ETH/USD")
        assert 0 < ticker["bid"] < ticker["ask"], ticker
        assert okx.fetch_order_book("ETH/USD")["bids"]
        assert okx.fetch_trades("ETH/USD")
        assert okx.fetch_ohlcv("ETH/USD", "1m")
    with report.step("market order: filled, fetch_my_trades, fetch_balance"):
        before = okx.fetch_balance()["ETH"]["total"]
        bought = okx.create_order("ETH/USD", "market", "buy", 0.1)
        order = okx.fetch_order(bought["id"], "ETH/USD")
        assert (order["status"], order["filled"]) == ("closed", 0.1), order
        assert any(trade["order"] == bought["id"] for trade in okx.fetch_my_trades("ETH/USD"))
        assert abs(okx.fetch_balance()["ETH"]["total"] - before - 0.1) < 1e-9
    with report.step("limit order: edit_order, cancel_order, fetch_open_orders"):
        price = okx.price_to_precision("ETH/USD", ticker["bid"] * 0.9)
        placed = okx.create_order("ETH/USD", "limit", "buy", 0.2, price)
        okx.edit_order(placed["id"], "ETH/USD", "limit", "buy", 0.3, price)
        assert [each["amount"] for each in okx.fetch_open_orders("ETH/USD")] == [0.3]
        okx.cancel_order(placed["id"], "ETH/USD")
        assert okx.fetch_open_orders("ETH/USD") == []
    with report.step("perpetual: set_leverage, position opened, stop placed and cancelled, position closed"):
        symbol = "ETH/USD:USD"
        okx.set_leverage(3, symbol, {"mgnMode": "cross"})
        okx.create_order(symbol, "market", "buy", 100)
        (position,) = okx.fetch_positions([symbol])
        assert (position["side"], position["contracts"]) == ("long", 100), position
        stop = okx.create_order(
            symbol, "market", "sell", 100, None, {"stopLossPrice": ticker["bid"] * 0.8, "reduceOnly": True}
        )
        okx.cancel_order(stop["id"], symbol, {"stop": True})
        okx.create_order(symbol, "market", "sell", 100, None, {"reduceOnly": True})
        assert not [each for each in okx.fetch_positions([symbol]) if each["contracts"]]
    with report.step("errors: OrderNotFound, InsufficientFunds, AuthenticationError"):
        for expected, call in (
            (ccxt.OrderNotFound, lambda: okx.cancel_order("1000000000000000999", "ETH/USD")),
            (ccxt.InsufficientFunds, lambda: okx.create_order("ETH/USD", "limit", "buy", 500, price)),
        ):
            try:
                call()
            except expected:
                continue
            raise AssertionError(f"no {expected.__name__}")
        okx.secret = "wrong"
        try:
            okx.fetch_balance()
        except ccxt.AuthenticationError:
            pass
        else:
            raise AssertionError("no AuthenticationError")
    report.end()


main()
