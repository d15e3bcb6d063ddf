"""ccxt, unmodified but for its address, trades on the API."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest
from tests.api.conftest import both_faces

from exchange_os.api.wallet import Terms

pytestmark = both_faces


@pytest.fixture
def clients(server: Any) -> Any:
    made = [
        ccxt.okx(
            {
                "apiKey": key.name,
                "secret": key.secret.decode(),
                "password": key.passphrase,
                "urls": {"api": {"rest": f"http://127.0.0.1:{server.port}"}},
                "enableRateLimit": False,
            }
        )
        for key in (server.ann, server.bob)
    ]
    for client in made:
        client.load_markets()
    yield made
    for client in made:
        client.session.close()


def test_markets(clients: Any) -> None:
    markets = clients[0].markets
    assert set(markets) == {"ETH/USDC", "ETH/USDC:USDC"}
    spot, swap = markets["ETH/USDC"], markets["ETH/USDC:USDC"]
    assert (spot["precision"]["price"], spot["precision"]["amount"]) == (0.01, 0.0001)
    assert (swap["contractSize"], swap["linear"], swap["precision"]["amount"]) == (0.001, True, 1)
    assert clients[0].currencies["ETH"]["code"] == "ETH"


def test_spot_order_from_place_to_fill(server: Any, clients: Any) -> None:
    ann, bob = clients
    placed = ann.create_order("ETH/USDC", "limit", "buy", 0.5, 2000)
    assert ann.fetch_order(placed["id"], "ETH/USDC")["status"] == "open"
    assert ann.fetch_order_book("ETH/USDC")["bids"] == [[2000, 0.5, 0]]
    assert bob.fetch_open_orders("ETH/USDC") == []

    sold = bob.create_order("ETH/USDC", "market", "sell", 0.2)
    assert bob.fetch_order(sold["id"], "ETH/USDC")["status"] == "closed"
    part = ann.fetch_order(placed["id"], "ETH/USDC")
    assert (part["filled"], part["remaining"], part["average"]) == (0.2, 0.3, 2000)
    mine, theirs = ann.fetch_my_trades("ETH/USDC")[0], bob.fetch_my_trades("ETH/USDC")[0]
    assert (mine["amount"], mine["price"], mine["takerOrMaker"]) == (0.2, 2000, "maker")
    assert mine["fee"] == {"cost": 0.08, "currency": "USDC"}
    assert (theirs["side"], theirs["fee"]["cost"]) == ("sell", 0.2)

    ann.cancel_order(placed["id"], "ETH/USDC")
    assert ann.fetch_open_orders() == []
    assert ann.fetch_order(placed["id"], "ETH/USDC")["status"] == "canceled"
    assert ann.fetch_balance()["ETH"]["total"] == 100.2
    assert str(server.exchange.balance(server.accounts[0], "ETH").total) == "100.200000000000000000"
    assert [o["id"] for o in bob.fetch_closed_orders("ETH/USDC")] == [sold["id"]]


def test_perpetual_position(server: Any, clients: Any) -> None:
    ann, bob = clients
    ann.set_leverage(5, "ETH/USDC:USDC", {"mgnMode": "cross"})
    ann.create_order("ETH/USDC:USDC", "limit", "buy", 1500, 2000, {"tdMode": "cross"})
    bob.create_order("ETH/USDC:USDC", "limit", "sell", 1500, 2000, {"tdMode": "cross", "timeInForce": "IOC"})
    (position,) = ann.fetch_positions()
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("long", 1500, 2000)
    assert (position["contractSize"], position["markPrice"]) == (0.001, 2000)
    assert bob.fetch_positions(["ETH/USDC:USDC"])[0]["side"] == "short"
    assert str(server.exchange.positions(server.accounts[0])[0].qty) == "1.500"


def test_amend_and_batch(clients: Any) -> None:
    ann, _ = clients
    first, second = ann.create_orders(
        [
            {"symbol": "ETH/USDC", "type": "limit", "side": "buy", "amount": 0.1, "price": 1900},
            {"symbol": "ETH/USDC", "type": "limit", "side": "buy", "amount": 0.1, "price": 1800},
        ]
    )
    ann.edit_order(first["id"], "ETH/USDC", "limit", "buy", 0.3, 1950)
    assert ann.fetch_order_book("ETH/USDC")["bids"] == [[1950, 0.3, 0], [1800, 0.1, 0]]
    ann.cancel_orders([first["id"], second["id"]], "ETH/USDC")
    assert ann.fetch_open_orders() == []


def test_errors_are_ccxts_own(clients: Any) -> None:
    ann, bob = clients
    with pytest.raises(ccxt.OrderNotFound):
        ann.cancel_order("1000000000000000999", "ETH/USDC")
    with pytest.raises(ccxt.InsufficientFunds):
        ann.create_order("ETH/USDC", "limit", "buy", 500, 2000)
    with pytest.raises(ccxt.InvalidOrder):
        ann.create_order("ETH/USDC", "market", "buy", 1)
    placed = ann.create_order("ETH/USDC", "limit", "buy", 0.5, 2000)
    with pytest.raises(ccxt.OrderNotFound):
        bob.cancel_order(placed["id"], "ETH/USDC")
    ann.secret = "wrong"
    with pytest.raises(ccxt.AuthenticationError):
        ann.fetch_balance()


def test_public_reading(server: Any, clients: Any) -> None:
    ann, bob = clients
    ann.create_order("ETH/USDC", "limit", "buy", 1, 2000)
    bob.create_order("ETH/USDC", "market", "sell", 1)
    assert ann.fetch_ticker("ETH/USDC")["last"] == 2000
    assert ann.fetch_trades("ETH/USDC")[0]["side"] == "sell"
    (candle,) = ann.fetch_ohlcv("ETH/USDC", "1m")
    assert (candle[1:5], candle[5]) == ([2000, 2000, 2000, 2000], 1)
    assert ann.fetch_status()["status"] == "ok"
    assert abs(ann.fetch_time() - server.exchange.time_ns // 1_000_000) < 60_000


def test_the_wallet(server: Any) -> None:
    address = "0x52908400098527886E0F7030069857D2E4169EE7"
    server.desk.wallet.terms = Terms(withdrawal_delay_s=0)
    server.desk.wallet.withdrawals.allow(1, address, usable_ms=0)
    key = server.new_key(scopes={"read", "trade", "withdraw"})
    words = {"apiKey": key.name, "secret": key.secret.decode(), "password": key.passphrase}
    ann = ccxt.okx(
        {**words, "urls": {"api": {"rest": f"http://127.0.0.1:{server.port}"}}, "enableRateLimit": False}
    )
    moved = ann.transfer("USDC", 100, "trading", "funding")
    assert ann.fetch_transfer(moved["id"], "USDC")["status"] == "ok"
    assert ann.fetch_balance({"type": "funding"})["USDC"]["free"] == 100
    assert [each["amount"] for each in ann.fetch_deposits("USDC")] == [100_000]
    assert ann.fetch_deposit_address("USDC")["address"] == "urn:exchange-os:account:1"
    with pytest.raises(ccxt.InsufficientFunds):
        ann.withdraw("USDC", 101, address, {"network": "Exchange", "fee": 0})
    asked = ann.withdraw("USDC", 5, address, {"network": "Exchange", "fee": 0})
    server.run(server.desk.wallet.pay)
    (paid,) = ann.fetch_withdrawals("USDC")
    assert (paid["id"], paid["status"], paid["addressTo"]) == (asked["id"], "ok", address)
    bills = ann.fetch_ledger("USDC", None, None, {"method": "privateGetAssetBills"})
    assert [(each["direction"], each["amount"], each["after"]) for each in bills] == [
        ("in", 100, 100),
        ("out", -5, 95),
    ]
    ann.session.close()
