"""What comes in wrong gets the right code and a sentence, and nothing else happens."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.api.conftest import headers_of

from exchange_os.api.codes import Refused
from exchange_os.api.rates import Rates

ORDER = {"instId": "ETH-USDC", "tdMode": "cash", "side": "buy", "ordType": "limit", "px": "2000", "sz": "1"}


def place(server: Any, **changed: Any) -> Any:
    answer = server.signed(server.ann, "POST", "/api/v5/trade/order", {**ORDER, **changed})[1]
    return answer["data"][0] if answer["data"] else answer


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (b"{", "50002", 400),
        (b'{"a":"\xff"}', "50002", 400),
        (b"[" * 20_000, "50002", 400),
        (b"7", "50002", 400),
        (b"[7]", "50002", 400),
        (b'"x"', "50002", 400),
        (b"{}" + b" " * 65_536, "51000", 413),
    ],
)
def test_bad_bodies(server: Any, body: bytes, code: str, status: int) -> None:
    found = server.signed(server.ann, "POST", "/api/v5/trade/order", body)
    assert (found[0], found[1]["code"], found[1]["data"]) == (status, code, [])
    assert "Traceback" not in found[1]["msg"]
    assert place(server)["sCode"] == "0"


def test_a_body_at_the_limit_is_read(server: Any) -> None:
    body = b'{"instId":"NONE"}'
    status, answer = server.signed(
        server.ann, "POST", "/api/v5/trade/order", body + b" " * (65_536 - len(body))
    )
    assert (status, answer["data"][0]["sCode"]) == (200, "51001")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"instId": ""}, "50014"),
        ({"instId": "ETH-EUR"}, "51001"),
        ({"instId": {"a": 1}}, "51000"),
        ({"side": "hold"}, "51000"),
        ({"ordType": "stop"}, "51000"),
        ({"tdMode": "isolated"}, "51000"),
        ({"posSide": "long"}, "51000"),
        ({"px": "1e3"}, "51000"),
        ({"px": "NaN"}, "51000"),
        ({"px": "-1"}, "51006"),
        ({"px": "2000.001"}, "51121"),
        ({"px": None}, "50014"),
        ({"px": "9" * 65}, "51000"),
        ({"sz": "0"}, "51020"),
        ({"sz": "0.00001"}, "51121"),
        ({"sz": "1001"}, "51005"),
        ({"sz": "60"}, "51008"),
        ({"clOrdId": "a-b"}, "51000"),
        ({"clOrdId": "a" * 33}, "51000"),
        ({"instIdCode": 2}, "51000"),
    ],
)
def test_bad_orders(server: Any, changed: dict[str, Any], code: str) -> None:
    before = server.exchange.state_hash
    answer = place(server, **changed)
    assert answer["sCode"] == code
    assert answer["sMsg"]
    assert server.exchange.state_hash == before


def test_numbers_and_texts_are_the_same(server: Any) -> None:
    """Floats of JSON are read as the decimals that they are written as."""
    raw = b'[{"instId":"ETH-USDC","side":"buy","ordType":"limit","px":2000.01,"sz":0.1,"tag":null}]'
    answer = server.signed(server.ann, "POST", "/api/v5/trade/batch-orders", raw)[1]
    assert answer["code"] == "0"
    (order,) = server.exchange.orders(server.accounts[0])
    assert (str(order.price), str(order.qty)) == ("2000.01", "0.1000")


def test_a_batch_says_of_each_how_it_went(server: Any) -> None:
    good, bad = ORDER, {**ORDER, "sz": "0", "clOrdId": "x"}
    for orders, code, codes in (
        ([good], "0", ["0"]),
        ([bad], "1", ["51020"]),
        ([good, bad], "2", ["0", "51020"]),
    ):
        answer = server.signed(server.ann, "POST", "/api/v5/trade/batch-orders", orders)[1]
        assert (answer["code"], [row["sCode"] for row in answer["data"]]) == (code, codes)
    assert server.signed(server.ann, "POST", "/api/v5/trade/batch-orders", [good] * 20)[1]["code"] == "0"
    assert server.signed(server.ann, "POST", "/api/v5/trade/batch-orders", [good] * 21)[1]["code"] == "51111"


def test_client_ids_are_taken_once(server: Any) -> None:
    assert place(server, clOrdId="mine")["sCode"] == "0"
    assert place(server, clOrdId="mine")["sCode"] == "51016"
    assert len(server.exchange.orders(server.accounts[0])) == 1


PATH = "/api/v5/account/balance?ccy=ETH,USDC"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"OK-ACCESS-KEY": ""}, "50103"),
        ({"OK-ACCESS-PASSPHRASE": ""}, "50104"),
        ({"OK-ACCESS-SIGN": ""}, "50106"),
        ({"OK-ACCESS-TIMESTAMP": ""}, "50107"),
        ({"OK-ACCESS-TIMESTAMP": "yesterday"}, "50112"),
        ({"OK-ACCESS-TIMESTAMP": "2026-11-22T14:15:21"}, "50112"),
        ({"OK-ACCESS-TIMESTAMP": "2020-11-22T14:15:21.006Z"}, "50102"),
        ({"OK-ACCESS-KEY": "nobody"}, "50111"),
        ({"OK-ACCESS-PASSPHRASE": "wrong"}, "50105"),
        ({"OK-ACCESS-SIGN": "AAAA"}, "50113"),
    ],
)
def test_bad_signatures(server: Any, changed: dict[str, str], code: str) -> None:
    status, answer = server.signed(server.ann, "GET", PATH, **changed)
    assert (status, answer["code"], answer["data"]) == (401, code, [])


def test_a_signature_counts_for_what_it_signs(server: Any) -> None:
    """Not for another path, another body or another method; escaped or not."""
    headers = headers_of(server.ann, "GET", PATH)
    assert server.send("GET", PATH, headers=headers)[0] == 200
    assert server.send("GET", PATH.replace(",", "%2C"), headers=headers)[0] == 200
    refused = server.send("GET", PATH.replace("ETH", "USDT"), headers=headers)[1]
    assert "SHA-256" in refused["msg"]
    assert server.ann.secret.decode() not in refused["msg"]
    order = "/api/v5/trade/order"
    signed = headers_of(server.ann, "POST", order, b'{"a":1}')
    assert server.send("POST", order, b'{"a":2}', signed)[1]["code"] == "50113"


def test_a_signed_order_counts_once(server: Any) -> None:
    body = b'{"instId":"ETH-USDC","tdMode":"cash","side":"buy","ordType":"limit","px":"1","sz":"1"}'
    headers = headers_of(server.ann, "POST", "/api/v5/trade/order", body)
    assert server.send("POST", "/api/v5/trade/order", body, headers)[1]["code"] == "0"
    for path in ("/api/v5/trade/order", "/api/v5/trade/%6frder"):
        status, answer = server.send("POST", path, body, headers)
        assert (status, answer["code"]) == (401, "50102")
        assert "was sent before" in answer["msg"]
    assert len(server.exchange.orders(1)) == 1
    headers = headers_of(server.ann, "GET", "/api/v5/account/config")
    for _ in range(2):  # asking twice is no harm
        assert server.send("GET", "/api/v5/account/config", b"", headers)[0] == 200


def test_a_timestamp_at_the_edge(server: Any) -> None:
    for seconds, status in ((-25, 200), (25, 200), (-31, 401), (31, 401)):
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        headers = headers_of(server.ann, "GET", PATH, timestamp=moment.isoformat(timespec="milliseconds"))
        assert server.send("GET", PATH, headers=headers)[0] == status


def test_scopes_ends_and_addresses(server: Any) -> None:
    for options, path, code in (
        ({"scopes": {"read"}}, "POST", "50120"),
        ({"scopes": {"trade"}}, "GET", "50120"),
        ({"expires_ms": 1}, "GET", "50111"),
        ({"addresses": {"10.0.0.1"}}, "GET", "50110"),
        ({"addresses": {"127.0.0.1"}}, "GET", "0"),
    ):
        key = server.new_key(**options)
        target = PATH if path == "GET" else "/api/v5/trade/order"
        answer = server.signed(key, path, target, None if path == "GET" else ORDER)[1]
        assert answer["code"] == code


def test_ed25519(server: Any) -> None:
    private = Ed25519PrivateKey.generate()
    key = server.new_key(public_key=private.public_key().public_bytes_raw())
    headers = headers_of(key, "GET", PATH)
    text = f"{headers['OK-ACCESS-TIMESTAMP']}GET{PATH}".encode()
    headers["OK-ACCESS-SIGN"] = base64.b64encode(private.sign(text)).decode()
    assert server.send("GET", PATH, headers=headers)[0] == 200
    assert server.signed(key, "GET", PATH)[1]["code"] == "50113"


def test_public_endpoints_ignore_signatures(server: Any) -> None:
    path = "/api/v5/market/books?instId=ETH-USDC&sz=400"
    assert server.send("GET", path, headers={"OK-ACCESS-KEY": "nobody", "OK-ACCESS-SIGN": "x"})[0] == 200
    assert server.send("GET", "/api/v5/public/instruments")[1]["code"] == "50014"
    assert server.send("GET", "/api/v5/public/instruments?instType=FUTURES")[1]["data"] == []


def test_unknown_paths_are_json(server: Any) -> None:
    for method, path in (("GET", "/"), ("GET", "/api/v5/none"), ("DELETE", "/api/v5/trade/order")):
        status, answer = server.send(method, path)
        assert (status, answer["data"]) == (404, [])


def test_too_many_requests(limited_server: Any) -> None:
    answers = (limited_server.send("GET", "/api/v5/public/time") for _ in range(5_000))
    assert next(answers)[0] == 200
    refused = next(answer for status, answer in answers if status == 429)
    assert refused["code"] == "50011"


def test_rates_at_the_limit_and_one_past_it() -> None:
    now = [100.0]
    rates = Rates(clock=lambda: now[0])
    for _ in range(3):
        rates.take("books", 1, 3)
    with pytest.raises(Refused, match="3 in 2 seconds"):
        rates.take("books", 1, 3)
    rates.take("books", 2, 3)
    rates.take("trades", 1, 3)
    now[0] = 101.99
    with pytest.raises(Refused):
        rates.take("books", 1, 3)
    now[0] = 102.0
    rates.take("books", 1, 3, weight=3)
    with pytest.raises(Refused):
        rates.take("books", 1, 3)


def test_one_user_never_sees_the_other(server: Any) -> None:
    order_id = place(server, clOrdId="mine")["ordId"]
    for query in (f"ordId={order_id}", "clOrdId=mine"):
        path = f"/api/v5/trade/order?instId=ETH-USDC&{query}"
        assert server.signed(server.ann, "GET", path)[1]["data"][0]["ordId"] == order_id
        assert server.signed(server.bob, "GET", path)[1]["code"] == "51603"
    for path in ("amend-order", "cancel-order"):
        target = f"/api/v5/trade/{path}"
        content = {"instId": "ETH-USDC", "ordId": order_id, "newSz": "2"}
        assert server.signed(server.bob, "POST", target, content)[1]["code"] == "1"
    assert len(server.exchange.orders(server.accounts[0])) == 1


def test_answers_are_compact(server: Any) -> None:
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/api/v5/system/status")
    assert connection.getresponse().read() == b'{"code":"0","msg":"","data":[]}'
    connection.close()


def test_amounts_of_29_digits_are_told_to_the_last(server: Any) -> None:
    server.exchange.deposit(server.accounts[0], "ETH", "70000000000.000000000000000001")
    assert place(server, side="sell", px="50000")["sCode"] == "0"
    answer = server.signed(server.ann, "GET", PATH.replace("ETH,USDC", "ETH"))[1]
    (row,) = answer["data"][0]["details"]
    assert row["eq"] == "70000000100.000000000000000001"
    assert (row["availEq"], row["frozenBal"]) == ("70000000099.000000000000000001", "1.000000000000000000")
