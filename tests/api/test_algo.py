"""Algo orders: placed, found, amended, cancelled and fired, as ccxt does it; of one account alone."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest
from tests.api.conftest import Server

SWAP = "ETH-USDC-SWAP"
STOP = {
    "instId": SWAP,
    "tdMode": "cross",
    "side": "sell",
    "ordType": "conditional",
    "sz": "1000",
    "slTriggerPx": "1900",
    "slOrdPx": "-1",
    "reduceOnly": "true",
}


@pytest.fixture
def market(server: Server) -> Server:
    """Ann is long one, and 2000 was the last price."""
    server.exchange.place(1, SWAP, "buy", "2000", "1")
    server.exchange.place(2, SWAP, "sell", "2000", "1")
    return server


def post(server: Server, path: str, content: Any, key: Any = None) -> Any:
    return server.signed(key or server.ann, "POST", f"/api/v5/trade/{path}", content)[1]


def get(server: Server, path: str, key: Any = None) -> Any:
    return server.signed(key or server.ann, "GET", f"/api/v5/trade/{path}")[1]


def test_a_stop_fires_and_closes_the_position(market: Server) -> None:
    placed = post(market, "order-algo", {**STOP, "algoClOrdId": "stop1", "tag": "t"})
    number = placed["data"][0]["algoId"]
    (row,) = get(market, "orders-algo-pending?ordType=conditional")["data"]
    assert {name: row[name] for name in ("algoId", "algoClOrdId", "state", "ordType", "sz", "tag")} == {
        "algoId": number,
        "algoClOrdId": "stop1",
        "state": "live",
        "ordType": "conditional",
        "sz": "1000",
        "tag": "t",
    }
    assert (row["slTriggerPx"], row["slOrdPx"], row["tpTriggerPx"], row["ordId"]) == ("1900.00", "-1", "", "")
    market.exchange.place(2, SWAP, "buy", "1895", "2")
    market.exchange.place(1, SWAP, "sell", "1895", "0.5", reduce_only=True)
    assert market.exchange.positions(1) == [] or not market.exchange.positions(1)[0].qty
    (fired,) = get(market, f"order-algo?algoId={number}")["data"]
    assert (fired["state"], fired["ordId"], fired["actualPx"]) == ("effective", number, "1895.00")
    assert get(market, f"order?instId={SWAP}&ordId={fired['ordId']}")["data"][0]["side"] == "sell"
    assert get(market, "orders-algo-pending?ordType=conditional")["data"] == []
    (past,) = get(market, "orders-algo-history?ordType=conditional&state=effective")["data"]
    assert past == fired
    assert post(market, "cancel-algos", [{"instId": SWAP, "algoId": number}])["data"][0]["sCode"] == "51400"
    assert get(market, f"order-algo?algoId={number}")["data"][0]["state"] == "effective"


def test_both_legs_are_amended_and_cancelled(market: Server) -> None:
    both = {**STOP, "ordType": "oco", "tpTriggerPx": "2100", "tpOrdPx": "2099"}
    both |= {"slOrdPx": "1899", "slTriggerPxType": "mark"}
    number = post(market, "order-algo", both)["data"][0]["algoId"]
    changed = {"instId": SWAP, "algoId": number, "newTpTriggerPx": "2200", "newSz": "500"}
    assert post(market, "amend-algos", changed)["data"][0]["sCode"] == "0"
    (row,) = get(market, f"order-algo?algoId={number}")["data"]
    assert (row["tpTriggerPx"], row["tpOrdPx"], row["slTriggerPx"]) == ("2200.00", "2099.00", "1900.00")
    assert (row["sz"], row["slTriggerPxType"], row["tpTriggerPxType"]) == ("500", "mark", "last")
    assert post(market, "cancel-algos", [{"instId": SWAP, "algoId": number}])["code"] == "0"
    assert get(market, "orders-algo-history?state=canceled")["data"][0]["algoId"] == number


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"slTriggerPx": "2100"}, "51280"),
        ({"slTriggerPx": "", "tpTriggerPx": "1900"}, "51279"),
        ({"side": "buy", "slTriggerPx": "1900"}, "51278"),
        ({"side": "buy", "slTriggerPx": "", "tpTriggerPx": "2100"}, "51277"),
        ({"slTriggerPx": ""}, "50015"),
        ({"ordType": "oco"}, "50015"),
        ({"ordType": "oco", "tpTriggerPx": "2100", "tpOrdPx": "2099"}, "51000"),
        ({"ordType": "twap"}, "51000"),
        ({"ordType": "trigger", "triggerPx": ""}, "50014"),
        ({"sz": ""}, "50014"),
        ({"slTriggerPxType": "bid"}, "51000"),
        ({"slTriggerPx": "1900.001"}, "51121"),
        ({"instId": "NONE"}, "51001"),
        ({"posSide": "long"}, "51000"),
    ],
)
def test_what_is_wrong_places_nothing(market: Server, changed: dict[str, str], code: str) -> None:
    before = market.exchange.state_hash
    assert post(market, "order-algo", {**STOP, **changed})["code"] == code
    assert market.exchange.state_hash == before


def test_a_client_id_is_taken_once_and_another_user_sees_nothing(market: Server) -> None:
    number = post(market, "order-algo", {**STOP, "algoClOrdId": "once"})["data"][0]["algoId"]
    assert post(market, "order-algo", {**STOP, "algoClOrdId": "once"})["code"] == "51016"
    named = [{"instId": SWAP, "algoId": number, "newSz": "1"}]
    for path in ("cancel-algos", "amend-algos"):
        assert post(market, path, named, market.bob)["data"][0]["sCode"] == "51400"
    assert get(market, f"order-algo?algoId={number}", market.bob)["code"] == "51603"
    assert get(market, "orders-algo-pending?ordType=conditional", market.bob)["data"] == []
    assert len(market.exchange.triggers(1)) == 1
    assert post(market, "cancel-algos", named * 21)["code"] == "51111"


def test_ccxt(market: Server) -> None:
    client = ccxt.okx(
        {
            "apiKey": market.ann.name,
            "secret": market.ann.secret.decode(),
            "password": market.ann.passphrase,
            "urls": {"api": {"rest": f"http://127.0.0.1:{market.port}"}},
            "enableRateLimit": False,
        }
    )
    client.load_markets()
    swap = "ETH/USDC:USDC"
    stop = client.create_order(
        swap, "market", "sell", 1000, None, {"stopLossPrice": 1900, "reduceOnly": True}
    )
    later = client.create_order(swap, "limit", "buy", 10, 2150, {"triggerPrice": 2100})
    found = client.fetch_open_orders(swap, params={"stop": True, "ordType": "conditional"})
    assert [order["id"] for order in found] == [stop["id"]]
    assert client.fetch_order(later["id"], swap, {"trigger": True})["triggerPrice"] == 2100
    client.cancel_order(stop["id"], swap, {"trigger": True})
    assert [str(each.above) for each in market.exchange.triggers(1)] == ["2100.00"]
    client.session.close()


def test_a_position_is_closed_and_a_countdown_set(market: Server) -> None:
    market.exchange.place(2, SWAP, "buy", "1990", "3")
    closed = post(market, "close-position", {"instId": SWAP, "mgnMode": "cross"})
    assert closed["data"][0]["instId"] == SWAP
    assert [position.qty for position in market.exchange.positions(1) if position.qty] == []
    assert post(market, "close-position", {"instId": SWAP, "mgnMode": "cross"})["code"] == "51023"
    assert post(market, "cancel-all-after", {"timeOut": "60"})["data"][0]["triggerTime"] != "0"
    assert market.exchange.countdown_deadline_ns(1) is not None
    assert post(market, "cancel-all-after", {"timeOut": "0"})["data"][0]["triggerTime"] == "0"
    assert market.exchange.countdown_deadline_ns(1) is None
    for wrong in ("9", "121", "10.5"):
        assert post(market, "cancel-all-after", {"timeOut": wrong})["code"] == "51000"
