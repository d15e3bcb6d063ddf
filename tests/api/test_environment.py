"""`x-simulated-trading`: the header and the money of a key have to agree."""

from __future__ import annotations

from tests.api.conftest import Server, both_faces

pytestmark = both_faces

BALANCE = "/api/v5/account/balance"
HEADER = "x-simulated-trading"


def test_the_header_says_which_money(server: Server) -> None:
    account = server.exchange.open_account("ann", simulated=True)
    server.exchange.deposit(account, "USDC", 7)
    playing = server.run(lambda: server.keys.create(account))
    assert server.signed(playing, "GET", BALANCE, **{HEADER: "1"})[1]["data"][0]["totalEq"] == "7.000000"
    for key, value in ((playing, "0"), (server.ann, "1")):
        status, answer = server.signed(key, "GET", BALANCE, **{HEADER: value})
        assert (status, answer["code"]) == (401, "50101"), answer
    status, answer = server.signed(playing, "GET", BALANCE)
    assert (status, answer["code"]) == (401, "50101")
    assert "send x-simulated-trading: 1" in answer["msg"]
    assert server.signed(server.ann, "GET", BALANCE, **{HEADER: "0"})[0] == 200


def test_nothing_is_placed_in_the_wrong_environment(server: Server) -> None:
    order = {"instId": "ETH-USDC", "tdMode": "cash", "side": "buy", "ordType": "limit", "px": "2", "sz": "1"}
    path = "/api/v5/trade/order"
    assert server.signed(server.ann, "POST", path, order, **{HEADER: "1"})[0] == 401
    assert server.exchange.orders(1) == []
    assert server.signed(server.ann, "POST", path, order)[1]["code"] == "0"


def test_a_check_before_an_order_places_nothing(server: Server) -> None:
    path = "/api/v5/trade/order-precheck"
    order = {"instId": "ETH-USDC-SWAP", "tdMode": "cross", "side": "buy", "ordType": "limit"}
    (row,) = server.signed(server.ann, "POST", path, order | {"px": "2000", "sz": "1000"})[1]["data"]
    assert (row["imr"], row["imrChg"], row["availBal"]) == ("0.000000", "200.000000", "100000.000000")
    assert server.exchange.orders(1) == []
    refused = server.signed(server.ann, "POST", path, order | {"px": "2000", "sz": "500000"})[1]
    assert (refused["code"], refused["data"]) == ("51008", [])
    assert (
        server.signed(server.ann, "POST", path, order | {"ordType": "market", "sz": "1"})[1]["code"]
        == "51109"
    )
