"""Limits of keys: instruments, losses of a day, networks; over HTTP and WebSocket."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import Server

from exchange_os.api import Key, Keys
from exchange_os.api import limits as limits_module
from exchange_os.api.desk import Desk
from exchange_os.control import Database
from exchange_os.errors import InvalidArgument

SWAP = {"instId": "ETH-USDC-SWAP", "tdMode": "cross"}
SPOT = {"instId": "ETH-USDC", "tdMode": "cash"}


def post(server: Server, key: Key, path: str, content: Any) -> Any:
    return server.signed(key, "POST", f"/api/v5/{path}", content)[1]


def order(server: Server, key: Key, **fields: str) -> tuple[str, str]:
    """Code and sentence of the row."""
    given = {"side": "buy", "ordType": "limit", "px": "2000", "sz": "100"} | fields
    row = post(server, key, "trade/order", given)["data"][0]
    return row["sCode"], row["sMsg"]


@pytest.fixture
def limited(server: Server) -> tuple[Server, Key]:
    """Ann's key with a limit of 50; Bob quotes the perpetual at 2000 on both sides."""
    for side in ("buy", "sell"):
        server.exchange.place(2, "ETH-USDC-SWAP", side, 1990 if side == "buy" else 2000, 100)
    return server, server.new_key(loss_max=50)


def test_a_key_that_lost_enough_may_only_reduce_and_cancel(limited: tuple[Server, Key]) -> None:
    server, key = limited
    assert order(server, key, **SWAP, sz="1000")[0] == "0"
    paid = Decimal(2000) * Decimal("0.0005")
    assert server.run(lambda: server.desk.limits.result(key.name)) == -paid
    resting = post(
        server, key, "trade/order", SWAP | {"side": "buy", "ordType": "limit", "px": "1900", "sz": "1"}
    )
    server.exchange.set_mark("ETH-USDC-SWAP", "1952")
    assert order(server, key, **SWAP, px="1901", sz="1")[0] == "0"  # 49 lost
    server.exchange.set_mark("ETH-USDC-SWAP", "1951")
    code, why = order(server, key, **SWAP, px="1902", sz="1")
    assert (code, why.split(";")[0].replace(".000000", "")) == ("50120", "This API key lost 50 USDC today")
    named = {"instId": "ETH-USDC-SWAP", "ordId": resting["data"][0]["ordId"]}
    assert post(server, key, "trade/amend-order", named | {"newSz": "9"})["data"][0]["sCode"] == "50120"
    assert order(server, key, **SPOT, sz="0.1", px="1900")[0] == "50120"
    whole = {"closeFraction": "1"}  # a word of algo orders alone
    assert order(server, key, **SWAP, **whole, px="1902", sz="1")[0] == "50120"
    trigger = SWAP | {"side": "buy", "ordType": "trigger", "sz": "1", "triggerPx": "2500", "orderPx": "-1"}
    assert post(server, key, "trade/order-algo", trigger)["code"] == "50120"
    assert order(server, server.ann, **SWAP, px="1903", sz="1")[0] == "0"  # another key of the same account
    assert post(server, key, "trade/cancel-order", named)["data"][0]["sCode"] == "0"
    assert order(server, key, **SPOT, side="sell", sz="0.1", px="2500")[0] == "0"
    assert order(server, key, **SWAP, side="sell", px="1990", sz="400", reduceOnly="true")[0] == "0"
    closed = post(server, key, "trade/close-position", {"instId": "ETH-USDC-SWAP", "mgnMode": "cross"})
    assert closed["code"] == "0"
    assert server.exchange.positions(1)[-1].qty == 0
    server.exchange.set_mark("ETH-USDC-SWAP", "2100")  # flat: what was lost stays lost
    lost = -server.run(lambda: server.desk.limits.result(key.name))
    assert Decimal(11) < lost < Decimal(13)
    assert order(server, key, **SWAP, px="1904", sz="1")[0] == "0"


def test_a_new_day_begins_with_what_is_held(
    limited: tuple[Server, Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, key = limited
    order(server, key, **SWAP, sz="1000")
    server.exchange.set_mark("ETH-USDC-SWAP", "1900")
    assert order(server, key, **SWAP, px="1800", sz="1")[0] == "50120"
    now = limits_module.now_ms
    monkeypatch.setattr(limits_module, "now_ms", lambda: now() + 86_400_000)
    # Not the same again: in one millisecond it would be the same signed request.
    assert order(server, key, **SWAP, px="1800", sz="2")[0] == "0"
    server.exchange.set_mark("ETH-USDC-SWAP", "1850")
    assert server.run(lambda: server.desk.limits.result(key.name)) == -50
    assert order(server, key, **SWAP, px="1800", sz="3")[0] == "50120"


def test_losses_are_remembered_and_so_are_resting_orders(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    server = Server(database=Database(path))
    key = server.new_key(loss_max=50)
    server.exchange.place(2, "ETH-USDC-SWAP", "sell", 2000, 1)
    order(server, key, **SWAP, sz="1000")
    order(server, key, **SWAP, px="1990", sz="1000")
    server.run(server.desk.limits.write)
    keys = Keys(Database(path))
    desk = Desk(server.exchange, keys)
    assert desk.limits.result(key.name) == -1
    server.exchange.place(2, "ETH-USDC-SWAP", "sell", 1990, 1)  # the order from before fills
    server.exchange.set_mark("ETH-USDC-SWAP", "1990")
    assert desk.limits.result(key.name) == -1 - 10  # maker pays nothing
    desk.intake.close()
    keys.close()
    server.close()


def test_what_is_not_counted_in_the_limit_is_not_traded(limited: tuple[Server, Key]) -> None:
    server, key = limited
    server.exchange.deploy(_other_quote())
    code, why = order(server, key, instId="USDC-ETH", tdMode="cash", px="0.0005", sz="10")
    assert (code, why) == ("50120", "This API key has a limit of loss in USDC: ETH is not counted.")


def _other_quote() -> Any:
    import exchange_os as xos

    return xos.markets.loads(
        """
[[instrument]]
symbol = "USDC-ETH"
product = "spot"
base = "USDC"
quote = "ETH"
tick_size = "0.000000001"
lot_size = "0.01"
price_max = "1"
qty_max = "100000"
notional_max = "1000"
fees = { maker_ppm = 0, taker_ppm = 0 }
"""
    )


def test_a_key_of_some_instruments_touches_no_other(server: Server) -> None:
    key = server.new_key(instruments={"ETH-USDC"})
    mine = post(
        server, server.ann, "trade/order", SWAP | {"side": "buy", "ordType": "limit", "px": "9", "sz": "1"}
    )
    assert order(server, key, **SPOT, sz="1", px="1900")[0] == "0"
    code, why = order(server, key, **SWAP)
    assert (code, why) == ("50120", "This API key may trade ETH-USDC, and not ETH-USDC-SWAP.")
    number = server.exchange.number_of("ETH-USDC-SWAP")
    assert order(server, key, instIdCode=str(number), tdMode="cross")[0] == "50120"
    named = {"instId": "ETH-USDC-SWAP", "ordId": mine["data"][0]["ordId"]}
    for path in ("cancel-order", "amend-order"):
        assert post(server, key, f"trade/{path}", named | {"newSz": "2"})["data"][0]["sCode"] == "50120"
    for path, content in (
        ("account/set-leverage", {"instId": "ETH-USDC-SWAP", "mgnMode": "cross", "lever": "2"}),
        ("trade/close-position", {"instId": "ETH-USDC-SWAP", "mgnMode": "cross"}),
        ("trade/mass-cancel", {"instType": "SWAP"}),
        ("trade/mass-cancel", {"instType": "SWAP", "instId": "ETH-USDC-SWAP"}),
        ("trade/cancel-all-after", {"timeOut": "10"}),
        ("asset/transfer", {"ccy": "USDC", "amt": "1", "from": "18", "to": "6"}),
        ("users/subaccount/create-subaccount", {"subAcct": "around1"}),
    ):
        answer = post(server, key, path, content)
        code = answer["data"][0].get("sCode", "") if answer["data"] else answer["code"]
        assert code in {"50120", "51023"}, (path, answer)
    assert post(server, key, "trade/mass-cancel", {"instType": "SPOT", "instId": "ETH-USDC"})["code"] == "0"
    assert [each.instrument for each in server.exchange.orders(1)] == ["ETH-USDC-SWAP"]


def test_networks(server: Server) -> None:
    here = server.new_key(addresses={"127.0.0.0/8", "2001:db8::/32"})
    assert server.signed(here, "GET", "/api/v5/account/config")[1]["code"] == "0"
    assert [
        here.admits(each) for each in ("127.1.2.3", "::ffff:127.0.0.1", "2001:db8::7", "128.0.0.1", "")
    ] == [
        True,
        True,
        True,
        False,
        False,
    ]
    there = server.new_key(addresses={"192.0.2.1"})
    status, answer = server.signed(there, "GET", "/api/v5/account/config")
    assert (status, answer["code"]) == (401, "50110")
    for wrong in ({"addresses": {"300.1.1.1"}}, {"loss_max": 0}, {"loss_max": "NaN"}, {"public_key": b"x"}):
        with pytest.raises(InvalidArgument):
            server.new_key(**wrong)
