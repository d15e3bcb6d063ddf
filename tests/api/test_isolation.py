"""Bob never sees or changes what is Ann's: over every private endpoint of the tables of the server."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from tests.api.conftest import Server, both_faces

from exchange_os.api import server as tables
from exchange_os.api.numbers import order_text

pytestmark = both_faces
READING = sorted(tables.PRIVATE)
# Every other table of the server is of paths that change something: a new one is found here by itself.
CHANGING = sorted(
    path
    for name, table in vars(tables).items()
    if isinstance(table, dict)
    and name.isupper()
    and not name.startswith("_")
    and name not in {"PUBLIC", "PRIVATE"}
    for path in table
)
CLIENT_ID = "annsownsecretname"
FIELDS = {
    "instType": "SPOT",
    "instId": "ETH-USDC",
    "instrument": "ETH-USDC",
    "tdMode": "cash",
    "mgnMode": "cross",
    "side": "buy",
    "ordType": "limit",
    "px": "1",
    "price": "1",
    "sz": "0.5",
    "qty": "0.5",
    "newPx": "3",
    "lever": "2",
    "posMode": "net_mode",
    "timeOut": "0",
    "account": "1",
    "uid": "1",
    "subAcct": "1",
}


def path_of(name: str) -> str:
    return name if name.startswith("/") else f"/api/v5/{name}"


def asked(server: Server, who: str, name: str, **more: str) -> tuple[int, Any]:
    path = f"{path_of(name)}?{urlencode(FIELDS | more)}"
    return server.signed(getattr(server, who), "GET", path)


@pytest.fixture
def busy(server: Server) -> tuple[Server, list[str]]:
    """Ann has a resting order, a filled one and an isolated position; and how all of that is named."""
    exchange = server.exchange
    resting = exchange.place(1, "ETH-USDC", "buy", "1777.77", "1", client_id=CLIENT_ID).order_id
    exchange.place(2, "ETH-USDC", "sell", "2000", "1")
    filled = exchange.place(1, "ETH-USDC", "buy", "2000", "1").order_id
    alone = exchange.open_isolated(1, "ETH-USDC-SWAP")
    exchange.transfer(1, alone, "USDC", 5_000)
    exchange.place(2, "ETH-USDC-SWAP", "sell", "2000", "3")
    isolated = exchange.place(alone, "ETH-USDC-SWAP", "buy", "2000", "3").order_id
    names = [order_text(each) for each in (resting, filled, isolated)]
    return server, [*names, CLIENT_ID, str(10**18 + alone * 10**6 + 2)]


def fields_of(marks: list[str]) -> list[dict[str, str]]:
    """By id, by client id, by neither, and on the perpetual."""
    swap = {"instType": "SWAP", "instId": "ETH-USDC-SWAP", "tdMode": "cross", "instrument": "ETH-USDC-SWAP"}
    by_id = [{"ordId": mark} for mark in marks[:3]]
    return [*by_id, {"clOrdId": CLIENT_ID}, {}, swap, swap | {"ordId": marks[2], "posId": marks[4]}]


@pytest.mark.parametrize("name", READING)
def test_nothing_of_ann_is_told(busy: tuple[Server, list[str]], name: str) -> None:
    server, marks = busy
    for more in fields_of(marks):
        status, answer = asked(server, "bob", name, **more)
        assert status < 500 or answer["code"] == "50001", answer
        told = str(answer["data"])
        assert not [mark for mark in marks if mark in told], (more, answer)


def test_ann_is_told(busy: tuple[Server, list[str]]) -> None:
    """The marks are found where they belong: the test above can fail."""
    server, marks = busy
    told = "".join(str(asked(server, "ann", name, **more)) for name in READING for more in fields_of(marks))
    assert [mark for mark in marks if mark in told] == marks


@pytest.mark.parametrize("name", CHANGING)
def test_nothing_of_ann_changes(busy: tuple[Server, list[str]], name: str) -> None:
    server, marks = busy
    exchange = server.exchange
    own = [1, *exchange.isolated_accounts(1).values()]

    def state() -> list[Any]:
        return [
            (exchange.orders(each), exchange.positions(each), exchange.balances(each), exchange.risk(each))
            for each in own
        ]

    before = state()
    for more in fields_of(marks):
        content = FIELDS | more
        status, answer = server.signed(server.bob, "POST", path_of(name), content)
        assert status < 500, answer
    assert state() == before
    assert exchange.isolated_accounts(1) == {"ETH-USDC-SWAP": own[1]}


@pytest.mark.parametrize("name", [*READING, *CHANGING])
def test_nobody_gets_in_without_a_key(server: Server, name: str) -> None:
    method = "GET" if name in READING else "POST"
    assert server.send(method, path_of(name), b"" if method == "GET" else b"{}")[0] == 401


def test_the_tables_are_read(server: Server) -> None:
    assert {"trade/order", "account/balance", "/api/v1/preview"} <= set(READING)
    assert {"trade/order", "trade/cancel-batch-orders", "account/set-leverage"} <= set(CHANGING)
