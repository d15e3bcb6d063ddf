"""After a restart the history is not known: it is refused, never an empty list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import MARKETS, Server

import exchange_os as xos
from exchange_os.api.numbers import order_text

HISTORIES = (
    "orders-history?instType=SPOT",
    "orders-history-archive?instType=SPOT",
    "fills?",
    "fills-history?",
)


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Any]:
    """Before: order 1 filled, order 2 partly filled as taker at a better price and resting."""
    with xos.open(tmp_path / "data") as before:
        before.deploy(xos.markets.loads(MARKETS))
        for account in (before.open_account("ann"), before.open_account("bob")):
            before.deposit(account, "USDC", 100_000)
            before.deposit(account, "ETH", 100)
        before.place(2, "ETH-USDC", "sell", "1990", "1")
        before.place(1, "ETH-USDC", "buy", "2000", "3", client_id="old")
    running = Server(reopened=xos.open(tmp_path / "data"))
    yield running
    running.close()


def get(server: Server, path: str) -> tuple[int, Any]:
    return server.signed(server.ann, "GET", f"/api/v5/trade/{path}")


@pytest.mark.parametrize("path", HISTORIES)
def test_what_lies_before_the_restart_is_refused(restarted: Server, path: str) -> None:
    status, answer = get(restarted, path)
    assert (status, answer["code"], answer["data"]) == (503, "50001", [])
    begin = restarted.exchange.time_ns // 1_000_000 + 1
    assert f"begin={begin}" in answer["msg"]
    assert get(restarted, f"{path}&begin={begin - 1}")[1]["code"] == "50001"
    assert get(restarted, f"{path}&begin={begin}") == (200, {"code": "0", "msg": "", "data": []})


@pytest.mark.parametrize("path", HISTORIES)
def test_a_full_page_of_what_is_known_is_given(restarted: Server, path: str) -> None:
    restarted.exchange.place(2, "ETH-USDC", "sell", "1000", "2")
    restarted.exchange.place(2, "ETH-USDC", "sell", "1000", "1")
    restarted.exchange.place(1, "ETH-USDC", "buy", "1000", "1")
    assert len(get(restarted, f"{path}&limit=1")[1]["data"]) == 1
    assert get(restarted, f"{path}&limit=3")[1]["code"] == "50001"


@pytest.mark.parametrize("path", HISTORIES)
def test_a_fresh_exchange_answers(server: Server, path: str) -> None:
    assert get(server, path) == (200, {"code": "0", "msg": "", "data": []})


def test_an_order_found_again_is_not_guessed_at(restarted: Server) -> None:
    (row,) = get(restarted, "orders-pending")[1]["data"]
    unknown = ("cTime", "uTime", "tdMode", "tag", "avgPx", "fee", "fillPx", "fillSz", "fillTime", "tradeId")
    assert {row[name] for name in unknown} == {""}
    assert (row["clOrdId"], row["px"], row["sz"], row["accFillSz"]) == ("old", "2000.00", "3.0000", "1.0000")


def test_an_order_that_ended_before_is_not_denied(restarted: Server) -> None:
    for name in (f"ordId={order_text(1)}", "clOrdId=none"):
        assert get(restarted, f"order?instId=ETH-USDC&{name}")[1]["code"] == "50001"


def test_an_order_that_never_was_is_denied(server: Server) -> None:
    for name in (f"ordId={order_text(1)}", "clOrdId=none"):
        assert get(server, f"order?instId=ETH-USDC&{name}")[1]["code"] == "51603"
