"""What OKX cannot say, and the public endpoints about terms: against the exchange itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest
from tests.api.conftest import MARKETS, Server

import exchange_os as xos
from exchange_os.api import v1, v1_changes
from exchange_os.api.numbers import trade_text

MORE = """
[[venue]]
symbol = "front"

[[question]]
symbol = "RAIN-ON-THE-DAY-26"
text = "Does it rain?"
unit = "1"
tick_size = "0.01"
lot_size = "1"
qty_max = "1000000"
notional_max = "1000000"
position_max = "1000000"
fees = { maker_ppm = 0, taker_ppm = 10_000 }
outcomes = [
    { symbol = "RAIN-ON-THE-DAY-26-YES-IT-DOES", name = "It does" },
    { symbol = "RAIN-ON-THE-DAY-26-NO-IT-DOESNT", name = "It does not" },
]
"""
YES = "RAIN-ON-THE-DAY-26-YES-IT-DOES"


@pytest.fixture
def rich(server: Server) -> Server:
    server.exchange.deploy(xos.markets.loads(MARKETS + MORE))
    return server


def told(server: Server, path: str, **fields: str) -> Any:
    status, answer = server.send("GET", f"{path}?{urlencode(fields)}")
    assert (status, answer["code"]) == (200, "0"), answer
    return answer["data"]


def own(server: Server, path: str, **fields: str) -> tuple[int, Any]:
    return server.signed(server.ann, "GET", f"{path}?{urlencode(fields)}")


def test_terms_are_those_that_were_deployed(rich: Server) -> None:
    rows = told(rich, "/api/v1/markets")
    assert [row["symbol"] for row in rows] == ["ETH-USDC", "ETH-USDC-SWAP", "RAIN-ON-THE-DAY-26"]
    assert rows[0]["specification"]["terms"]["fees"] == {"maker_ppm": 200, "taker_ppm": 500}
    assert told(rich, "/api/v1/markets", symbol=YES) == [rows[2]]
    assert [row["symbol"] for row in told(rich, "/api/v1/venues")] == ["front"]


def test_a_question_before_and_after_its_end(rich: Server) -> None:
    (row,) = told(rich, "/api/v1/questions")
    assert (row["symbol"], row["payouts"], row["settled"]) == ("RAIN-ON-THE-DAY-26", {}, False)
    (series,) = told(rich, "/api/v5/public/event-contract/series")
    assert (series["title"], series["settlement"]["srcName"]) == ("Does it rain?", "")
    markets = "/api/v5/public/event-contract/markets"
    rows = told(rich, markets, seriesId="RAIN-ON-THE-DAY-26")
    assert [(row["outcome"], row["state"], row["settleValue"]) for row in rows] == [("0", "live", "")] * 2
    rich.exchange.resolve("RAIN-ON-THE-DAY-26", YES)
    rows = told(rich, markets, seriesId="RAIN-ON-THE-DAY-26")
    assert [(row["outcome"], row["state"]) for row in rows] == [("1", "expired"), ("2", "expired")]
    (event,) = told(rich, "/api/v5/public/event-contract/events", seriesId="RAIN-ON-THE-DAY-26")
    assert event["state"] == "expired"
    assert told(rich, "/api/v1/resolution", question="RAIN-ON-THE-DAY-26") == []


def test_previews_say_what_the_engine_says(rich: Server) -> None:
    fields = {"instrument": "ETH-USDC", "side": "buy", "price": "2000", "qty": "3"}
    ((_, answer), seen) = (
        own(rich, "/api/v1/preview", **fields),
        rich.exchange.preview(1, "ETH-USDC", "buy", 2000, 3),
    )
    (row,) = answer["data"]
    assert row["refused"] is None
    assert row["loss_max"] == f"{seen.loss_max:f}"
    (row,) = own(rich, "/api/v1/preview", **fields | {"qty": "60"})[1]["data"]
    assert "120" in row["refused"]
    assert rich.exchange.orders(1) == []


def test_depth_has_what_other_outcomes_offer(rich: Server) -> None:
    rich.exchange.place(2, "ETH-USDC", "sell", "2001", "1")
    (book,) = told(rich, "/api/v1/depth", instrument="ETH-USDC")
    assert [(level["price"], level["qty"]) for level in book["asks"]] == [("2001.00", "1.0000")]
    for wrong in ("0", "401", "1.5"):
        assert rich.send("GET", f"/api/v1/depth?instrument=ETH-USDC&depth={wrong}")[1]["code"] == "51000"
    assert told(rich, "/api/v1/depth", instrument="ETH-USDC", depth="400") == [book]


def test_receipts_of_before_a_restart_are_refused(tmp_path: Path) -> None:
    with xos.open(tmp_path / "data") as before:
        before.deploy(xos.markets.loads(MARKETS))
        before.open_account("ann")
        before.open_account("bob")
        before.snapshot()
    server = Server(reopened=xos.open(tmp_path / "data"))
    try:
        for path in ("/api/v1/fee-receipts", "/api/v1/adl-receipts"):
            status, answer = own(server, path)
            assert (status, answer["code"], answer["data"]) == (503, "50001", []), path
            since = str(server.exchange.sequence + 1)
            assert own(server, path, since_sequence=since)[1] == {"code": "0", "msg": "", "data": []}
    finally:
        server.close()


def test_the_largest_order_is_taken_and_one_lot_more_is_not(server: Server) -> None:
    for name, price in (("ETH-USDC", "2000"), ("ETH-USDC-SWAP", "2000")):
        (row,) = own(server, "/api/v5/account/max-size", instId=name, tdMode="cross", px=price)[1]["data"]
        each = server.exchange.instrument(name)
        unit = each.lot_size if each.product == "perpetual" else 1
        for side, most in (("buy", row["maxBuy"]), ("sell", row["maxSell"])):
            qty = xos.exact.Decimal(most) * unit
            assert server.exchange.preview(1, name, side, price, qty).rejection is None
            assert server.exchange.preview(1, name, side, price, qty + each.lot_size).rejection is not None
    (row,) = own(server, "/api/v5/account/max-size", instId="ETH-USDC", tdMode="cash")[1]["data"]
    assert (row["maxBuy"], row["maxSell"]) == ("0", "0")  # no price, nothing to buy from


def test_the_largest_order_lies_above_the_smallest(server: Server) -> None:
    """What is left pays for one lot more than the least that an order has to be worth."""
    narrow = MARKETS.replace('"ETH-USDC"', '"ETH-USDC-B"').replace(
        'notional_min = "1"', 'notional_min = "99000"'
    )
    server.exchange.deploy(xos.markets.loads(narrow.replace('"ETH-USDC-SWAP"', '"ETH-USDC-B-SWAP"')))
    query = {"instId": "ETH-USDC-B", "px": "1000", "tdMode": "cash"}
    (row,) = own(server, "/api/v5/account/max-size", **query)[1]["data"]
    assert row["maxBuy"] == "99.9500"  # 100,000 less a fee of 500 ppm
    assert row["maxSell"] == "100.0000"
    (row,) = own(server, "/api/v5/account/max-size", **query | {"px": "900"})[1]["data"]
    assert (row["maxBuy"], row["maxSell"]) == ("111.0555", "0.0000")  # 100 ETH are worth too little


def test_trades_by_page(server: Server) -> None:
    for price in range(2000, 2005):
        server.exchange.place(2, "ETH-USDC", "sell", price, "1")
        server.exchange.place(1, "ETH-USDC", "buy", price, "1")
    path = "/api/v5/market/history-trades"
    rows = told(server, path, instId="ETH-USDC")
    assert [row["tradeId"] for row in rows] == [trade_text(number) for number in (5, 4, 3, 2, 1)]
    assert told(server, path, instId="ETH-USDC", after=trade_text(4), limit="2") == rows[2:4]
    assert told(server, path, instId="ETH-USDC", before=trade_text(3)) == rows[:2]
    assert told(server, path, instId="ETH-USDC", type="2", after=rows[0]["ts"] + "9") == rows


def test_prices_without_and_with_a_band(server: Server) -> None:
    (row,) = told(server, "/api/v5/public/price-limit", instId="ETH-USDC-SWAP")
    assert (row["enabled"], row["buyLmt"], row["sellLmt"]) == (False, "100000.00", "0.01")
    banded = MARKETS.replace('"ETH-USDC-SWAP"', '"BTC-USDC-SWAP"') + "band_ppm = 50_000\n"
    server.exchange.deploy(xos.markets.loads(banded))
    server.exchange.set_mark("BTC-USDC-SWAP", "2000.01")
    (row,) = told(server, "/api/v5/public/price-limit", instId="BTC-USDC-SWAP")
    assert (row["enabled"], row["buyLmt"], row["sellLmt"]) == (True, "2100.01", "1900.01")
    take = server.exchange.preview(1, "BTC-USDC-SWAP", "buy", "2100.01", "0.001")
    assert take.rejection is None
    beyond = server.exchange.preview(1, "BTC-USDC-SWAP", "buy", "2100.02", "0.001")
    assert beyond.rejection is not None
    (names,) = told(server, "/api/v5/public/underlying", instType="SWAP")
    assert names == ["BTC-USDC", "ETH-USDC"]


def test_risk_in_one_picture(server: Server) -> None:
    server.exchange.place(2, "ETH-USDC-SWAP", "sell", "2000", "3")
    server.exchange.place(1, "ETH-USDC-SWAP", "buy", "2000", "3")
    (row,) = own(server, "/api/v5/account/account-position-risk")[1]["data"]
    (held,) = row["posData"]
    assert (held["instId"], held["pos"], held["notionalUsd"]) == ("ETH-USDC-SWAP", "3000", "6000.00000")
    assert {each["ccy"] for each in row["balData"]} == {"USDC", "ETH"}
    assert own(server, "/api/v5/account/risk-state")[1]["data"][0]["atRisk"] is False
    assert own(server, "/api/v5/account/greeks")[1]["data"] == []


def test_the_document_is_of_what_is_served(rich: Server) -> None:
    status, document = rich.send("GET", "/api/v1/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    read = {path for path, content in document["paths"].items() if "get" in content}
    assert read == {*v1.PUBLIC, *v1.PRIVATE}
    changed = {path for path, content in document["paths"].items() if "post" in content}
    assert changed == {*v1_changes.OPEN, *v1_changes.KEYED}
    rich.exchange.place(2, "ETH-USDC", "sell", "2001", "1")
    asked = {
        "symbol": "ETH-USDC",
        "instrument": "ETH-USDC",
        "question": "RAIN-ON-THE-DAY-26",
        "side": "buy",
        "price": "2000",
        "qty": "1",
    }
    for path in sorted(read):
        get = document["paths"][path]["get"]
        schema = get["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": document["components"]}
        fields = {each["name"]: asked[each["name"]] for each in get["parameters"] if each["name"] in asked}
        status, answer = own(rich, path, **fields)
        assert (status, answer["code"]) == (200, "0"), (path, answer)
        jsonschema.Draft202012Validator(whole).validate(answer)
        for each in get["parameters"]:
            if each["required"]:
                missing = {name: text for name, text in fields.items() if name != each["name"]}
                assert own(rich, path, **missing)[1]["code"] == "50014"
