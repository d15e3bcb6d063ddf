"""The wallet over HTTP: funding account, transfers, sub-accounts, deposits and withdrawals."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import Server

import exchange_os as xos
from exchange_os.api import Key, Keys
from exchange_os.api.desk import Desk
from exchange_os.api.moves import Moves
from exchange_os.api.wallet import Terms
from exchange_os.control import Database
from exchange_os.control.addresses import address_of, checksummed
from exchange_os.control.withdrawals import Withdrawal, Withdrawals
from exchange_os.errors import InvalidArgument

ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
OTHER = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
ALL = {"read", "trade", "withdraw"}


def get(server: Server, key: Key, path: str) -> Any:
    return server.signed(key, "GET", f"/api/v5/{path}")[1]


def post(server: Server, key: Key, path: str, **content: Any) -> Any:
    return server.signed(key, "POST", f"/api/v5/{path}", content)[1]


def moved(server: Server, key: Key, amount: str, **more: str) -> Any:
    """From trading to funding, unless told otherwise."""
    return post(
        server, key, "asset/transfer", **({"ccy": "USDC", "amt": amount, "from": "18", "to": "6"} | more)
    )


@pytest.fixture
def payee(server: Server) -> Key:
    """A key of Ann that may withdraw, with one address on her list and money in her funding account."""
    server.desk.wallet.terms = Terms(withdrawal_delay_s=0, address_delay_s=0)
    server.desk.wallet.withdrawals.allow(1, ADDRESS, usable_ms=0)
    key = server.new_key(scopes=ALL)
    assert moved(server, key, "1000")["code"] == "0"
    return key


def numbers(row: Any) -> list[Decimal]:
    return [Decimal(row[name]) for name in ("bal", "frozenBal", "availBal")]


def pay(server: Server) -> None:
    server.run(server.desk.wallet.pay)


def withdrawn(server: Server, key: Key, amount: str, **more: str) -> Any:
    content = {"ccy": "USDC", "amt": amount, "dest": "4", "toAddr": ADDRESS, "chain": "USDC-Exchange"} | more
    return post(server, key, "asset/withdrawal", **content)


def test_nothing_lies_in_a_wallet_that_was_never_used(server: Server) -> None:
    rows = get(server, server.ann, "asset/balances")["data"]
    assert rows == [{"ccy": ccy, "bal": "0", "frozenBal": "0", "availBal": "0"} for ccy in ("USDC", "ETH")]
    assert get(server, server.ann, "asset/bills") == {"code": "0", "msg": "", "data": []}
    answer = moved(server, server.ann, "1", **{"from": "6", "to": "18"})
    assert (answer["code"], answer["msg"]) == (
        "58350",
        "Insufficient balance: the funding account has no USDC.",
    )


def test_there_and_back_with_bills(server: Server) -> None:
    answer = moved(server, server.ann, "250.5", clientId="first")
    (row,) = answer["data"]
    assert row | {"transId": ""} == {
        "transId": "",
        "ccy": "USDC",
        "clientId": "first",
        "from": "18",
        "amt": "250.5",
        "to": "6",
    }
    assert moved(server, server.ann, "100", **{"from": "6", "to": "18"})["code"] == "0"
    assert server.exchange.balance(1, "USDC").total == Decimal("99849.5")
    (balance,) = get(server, server.ann, "asset/balances?ccy=USDC")["data"]
    assert numbers(balance) == [Decimal("150.5"), 0, Decimal("150.5")]
    rows = get(server, server.ann, "asset/bills")["data"]
    assert [(row["type"], Decimal(row["balChg"]), Decimal(row["bal"])) for row in rows] == [
        ("131", -100, Decimal("150.5")),
        ("130", Decimal("250.5"), Decimal("250.5")),
    ]
    by_type = get(server, server.ann, "asset/bills?type=130")["data"]
    assert [Decimal(row["balChg"]) for row in by_type] == [Decimal("250.5")]
    (state,) = get(server, server.ann, "asset/transfer-state?clientId=first")["data"]
    assert (state["state"], state["amt"], state["transId"]) == ("success", "250.5", row["transId"])
    assert server.exchange.conservation() == {"USDC": 0, "ETH": 0}


def test_a_transfer_that_the_engine_refuses_has_failed(server: Server) -> None:
    answer = moved(server, server.ann, "100001", clientId="toomuch")
    assert answer["code"] == "51008"
    assert "100001" in answer["msg"].replace("_", "")
    (state,) = get(server, server.ann, "asset/transfer-state?clientId=toomuch")["data"]
    assert state["state"] == "failed"
    assert moved(server, server.ann, "1", clientId="toomuch")["msg"] == (
        "Parameter clientId error: toomuch was used before."
    )


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"amt": "0"}, "51000", "expected a number above 0"),
        ({"amt": "-1"}, "51000", "expected a number above 0"),
        ({"amt": "NaN"}, "51000", "no decimal number"),
        ({"amt": "0.0000001"}, "51121", ""),
        ({"amt": ""}, "50014", "amt can not be empty"),
        ({"ccy": "BTC"}, "51001", "BTC"),
        ({"from": "7"}, "51000", "Parameter from error"),
        ({"to": "18"}, "51000", "where the money comes from"),
        ({"type": "9"}, "51000", "Parameter type error"),
        ({"type": "1", "subAcct": "nobody"}, "59510", "does not exist"),
        ({"type": "3"}, "51000", "for keys of sub-accounts"),
        ({"clientId": "a b"}, "51000", "letters and digits"),
        ({"ccy": ["USDC"]}, "51000", "expected a text"),
    ],
)
def test_bad_transfers(server: Server, changed: dict[str, Any], code: str, words: str) -> None:
    content = {"ccy": "USDC", "amt": "1", "from": "18", "to": "6"} | changed
    status, answer = server.signed(server.ann, "POST", "/api/v5/asset/transfer", content)
    assert (status, answer["code"], answer["data"]) == (200, code, [])
    assert words in answer["msg"]
    assert server.exchange.balance(1, "USDC").total == 100_000


def test_sub_accounts(server: Server) -> None:
    (made,) = post(
        server, server.ann, "users/subaccount/create-subaccount", subAcct="grid01", label="a grid"
    )["data"]
    assert post(server, server.ann, "users/subaccount/create-subaccount", subAcct="grid01")["code"] == "59606"
    assert post(server, server.ann, "users/subaccount/create-subaccount", subAcct="no")["code"] == "59601"
    post(server, server.ann, "users/subaccount/create-subaccount", subAcct="grid02")
    rows = get(server, server.ann, "users/subaccount/list")["data"]
    assert [(row["subAcct"], row["label"]) for row in rows] == [("grid02", ""), ("grid01", "a grid")]
    to_sub = {"type": "1", "subAcct": "grid01", "to": "18"}
    assert moved(server, server.ann, "500", **to_sub)["code"] == "0"
    number = int(made["uid"])
    assert server.exchange.balance(number, "USDC").total == 500
    (whole,) = get(server, server.ann, "account/subaccount/balances?subAcct=grid01")["data"]
    assert [Decimal(row["cashBal"]) for row in whole["details"]] == [500]
    between = {"ccy": "USDC", "amt": "200", "from": "18", "to": "6"}
    between |= {"fromSubAccount": "grid01", "toSubAccount": "grid02"}
    assert post(server, server.ann, "asset/subaccount/transfer", **between)["code"] == "0"
    (funds,) = get(server, server.ann, "asset/subaccount/balances?subAcct=grid02&ccy=USDC")["data"]
    assert numbers(funds) == [200, 0, 200]
    back = {"type": "2", "subAcct": "grid02", "from": "6", "to": "18"}
    assert moved(server, server.ann, "200", **back)["code"] == "0"
    own = server.run(lambda: server.keys.create(number))
    assert moved(server, own, "300", type="3", to="18")["code"] == "0"
    assert server.exchange.balance(1, "USDC").total == 100_000
    rows = get(server, server.ann, "asset/subaccount/bills")["data"]
    assert [(row["subAcct"], row["type"], row["amt"]) for row in rows] == [
        ("grid01", "1", "300"),
        ("grid02", "1", "200"),
        ("grid02", "0", "200"),
        ("grid01", "0", "500"),
    ]
    assert post(server, own, "users/subaccount/create-subaccount", subAcct="deeper1")["code"] == "59604"


def test_deposits_are_what_the_operator_credited(server: Server) -> None:
    server.exchange.deposit(1, "USDC", "12.5")
    own = "urn:exchange-os:account:1"
    rows = get(server, server.ann, "asset/deposit-history")["data"]
    assert [(row["ccy"], Decimal(row["amt"]), row["to"], row["state"]) for row in rows] == [
        ("USDC", Decimal("12.5"), own, "2"),
        ("ETH", 100, own, "2"),
        ("USDC", 100_000, own, "2"),
    ]
    only = get(server, server.ann, f"asset/deposit-history?ccy=USDC&limit=1&depId={rows[0]['depId']}")["data"]
    assert only == rows[:1]
    (where,) = get(server, server.ann, "asset/deposit-address?ccy=USDC")["data"]
    assert (where["addr"], where["chain"]) == (own, "USDC-Exchange")
    assert get(server, server.ann, "asset/deposit-history?before=99999999999999")["data"] == []
    assert get(server, server.ann, "asset/deposit-history?after=soon")["code"] == "51000"


def test_a_withdrawal_waits_and_is_paid_once(server: Server, payee: Key) -> None:
    server.desk.wallet.terms = Terms(withdrawal_delay_s=3_600, address_delay_s=0)
    (late,) = withdrawn(server, payee, "300", clientId="later")["data"]
    (balance,) = get(server, payee, "asset/balances?ccy=USDC")["data"]
    assert numbers(balance) == [1000, 300, 700]
    pay(server)
    assert get(server, payee, "asset/withdrawal-history")["data"][0]["state"] == "0"
    over = moved(server, payee, "701", **{"from": "6", "to": "18"})
    assert (over["code"], over["msg"]) == ("58350", "Insufficient balance: 700.000000 USDC is available.")
    assert post(server, payee, "asset/cancel-withdrawal", wdId=late["wdId"])["data"] == [
        {"wdId": late["wdId"]}
    ]
    assert post(server, payee, "asset/cancel-withdrawal", wdId=late["wdId"])["code"] == "58220"
    server.desk.wallet.terms = Terms(withdrawal_delay_s=0, address_delay_s=0)
    (now,) = withdrawn(server, payee, "1000")["data"]
    pay(server)
    pay(server)
    assert post(server, payee, "asset/cancel-withdrawal", wdId=now["wdId"])["code"] == "58216"
    rows = get(server, payee, "asset/withdrawal-history")["data"]
    assert [(row["wdId"], row["state"], row["to"]) for row in rows] == [
        (now["wdId"], "2", ADDRESS),
        (late["wdId"], "-2", ADDRESS),
    ]
    (balance,) = get(server, payee, "asset/balances?ccy=USDC")["data"]
    assert numbers(balance) == [0, 0, 0]
    assert [row["type"] for row in get(server, payee, "asset/bills")["data"]] == ["2", "130"]
    assert server.exchange.house()["external"]["USDC"] == -(200_000 - 1_000)


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"toAddr": OTHER}, "58207", "is not on the list"),
        ({"toAddr": OTHER.replace("d359", "D359")}, "58221", "wrong checksum"),
        ({"toAddr": "0x1234"}, "58221", "40 hexadecimal digits"),
        ({"toAddr": ADDRESS.lower().replace("0x", "")}, "58221", "is no address"),
        ({"toAddr": ""}, "50014", "toAddr"),
        ({"amt": "1000.000001"}, "58350", "has 1000.000000 USDC to withdraw"),
        ({"ccy": "ETH"}, "51000", "Parameter chain error"),
        ({"chain": "USDC-TRC20"}, "51000", "expected USDC-Exchange"),
        ({"fee": "1"}, "51000", "expected 0"),
        ({"dest": "3"}, "51000", "expected 4"),
        ({"dest": "5"}, "51000", "Parameter dest error"),
    ],
)
def test_bad_withdrawals(server: Server, payee: Key, changed: dict[str, str], code: str, words: str) -> None:
    answer = withdrawn(server, payee, "1", **changed)
    assert (answer["code"], answer["data"]) == (code, [])
    assert words in answer["msg"]
    assert get(server, payee, "asset/withdrawal-history")["data"] == []


def test_an_address_that_is_new_waits(server: Server, payee: Key) -> None:
    server.desk.wallet.withdrawals.allow(1, OTHER, usable_ms=2**42)
    assert f"from {2**42} ms on" in withdrawn(server, payee, "1", toAddr=OTHER)["msg"]
    assert server.desk.wallet.withdrawals.forbid(1, ADDRESS)
    assert withdrawn(server, payee, "1")["code"] == "58207"


def test_withdrawing_needs_its_own_scope(server: Server, payee: Key) -> None:
    for path in ("asset/withdrawal", "asset/cancel-withdrawal"):
        status, answer = server.signed(server.ann, "POST", f"/api/v5/{path}", {"wdId": "1"})
        assert (status, answer["code"]) == (401, "50120")
        assert "lacks the scope withdraw" in answer["msg"]
    only = server.new_key(scopes={"withdraw"})
    assert withdrawn(server, only, "1", clientId="mine")["code"] == "0"
    assert withdrawn(server, only, "1", clientId="mine")["code"] == "51000"
    assert server.signed(only, "POST", "/api/v5/asset/transfer", {})[0] == 401


def test_bob_does_not_see_or_stop_what_is_anns(server: Server, payee: Key) -> None:
    server.desk.wallet.terms = Terms(withdrawal_delay_s=3_600)
    (asked,) = withdrawn(server, payee, "7", clientId="secretname")["data"]
    post(server, server.ann, "users/subaccount/create-subaccount", subAcct="annssub1")
    (sent,) = moved(server, server.ann, "5", type="1", subAcct="annssub1", clientId="annstransfer")["data"]
    bob = server.run(lambda: server.keys.create(2, scopes=ALL))
    assert post(server, bob, "asset/cancel-withdrawal", wdId=asked["wdId"])["code"] == "58215"
    for path in (
        "asset/withdrawal-history",
        f"asset/withdrawal-history?wdId={asked['wdId']}",
        "asset/bills",
        "asset/subaccount/bills",
        "users/subaccount/list",
    ):
        assert get(server, bob, path)["data"] == []
    assert all(row["to"].endswith(":2") for row in get(server, bob, "asset/deposit-history")["data"])
    for path in (f"transId={sent['transId']}", "clientId=annstransfer"):
        assert get(server, bob, f"asset/transfer-state?{path}")["code"] == "58129"
    for path in ("account/subaccount/balances", "asset/subaccount/balances"):
        assert get(server, bob, f"{path}?subAcct=annssub1")["code"] == "59510"
    for kind in ("1", "2"):
        assert moved(server, bob, "1", type=kind, subAcct="annssub1")["code"] == "59510"
    assert withdrawn(server, bob, "1")["code"] == "58207"
    assert get(server, payee, "asset/withdrawal-history")["data"][0]["state"] == "0"


def test_money_of_a_simulated_account_does_not_leave(server: Server) -> None:
    play = server.exchange.open_account("ann", simulated=True)
    server.exchange.deposit(play, "USDC", 50)
    key = server.run(lambda: server.keys.create(play, scopes=ALL))
    simulated = {"x-simulated-trading": "1"}
    content = {"ccy": "USDC", "amt": "50", "from": "18", "to": "6"}
    path = "/api/v5/asset/transfer"
    assert server.signed(key, "POST", path, content)[1]["code"] == "50101"
    assert server.signed(key, "POST", path, content, **simulated)[1]["code"] == "0"
    content = {"ccy": "USDC", "amt": "1", "dest": "4", "toAddr": ADDRESS, "chain": "USDC-Exchange"}
    assert server.signed(key, "POST", "/api/v5/asset/withdrawal", content, **simulated)[1]["code"] == "58204"
    rows = server.signed(key, "GET", "/api/v5/asset/currencies", **simulated)[1]["data"]
    assert [row["canWd"] for row in rows] == [False, False]


# --- breaks ---


def waiting(number: int = 0, **changed: Any) -> Withdrawal:
    words = {
        "id": number,
        "account": 1,
        "payer": 2,
        "asset": "USDC",
        "amount": Decimal(40),
        "address": ADDRESS,
    }
    words |= {"client_id": "", "state": "waiting", "why": "", "created_ms": 1, "due_ms": 5, "sent_ms": None}
    return Withdrawal(**(words | changed))


@pytest.fixture
def till() -> Any:
    exchange = xos.open()
    exchange.deploy(xos.markets.loads('[[asset]]\nsymbol = "USDC"\ndecimals = 6\n'))
    for _ in range(2):
        exchange.deposit(exchange.open_account("ann"), "USDC", 100)
    database = Database()
    yield exchange, Withdrawals(database)
    database.close()
    exchange.close()


async def at_once(work: Any) -> Any:
    return work()


async def body_of_a_break(exchange: xos.Exchange, withdrawals: Withdrawals) -> None:
    """Sent, and stopped before that was written down: the engine answers again, nothing is paid twice."""
    made = withdrawals.ask(waiting())
    assert await withdrawals.pay(exchange, at_once, 4) == 0

    async def breaks(work: Any) -> Any:
        work()
        raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError):
        await withdrawals.pay(exchange, breaks, 5)
    assert withdrawals.of(1)[0].state == "sending"
    assert not withdrawals.cancel(1, made.id)
    assert await withdrawals.pay(exchange, at_once, 6) == 1
    assert exchange.balance(2, "USDC").total == 60
    refused = withdrawals.ask(waiting(amount=Decimal(61)))
    assert await withdrawals.pay(exchange, at_once, 6) == 0
    found = withdrawals.find(1, refused.id)
    assert found is not None
    assert found.state == "failed"
    assert "60" in found.why
    assert withdrawals.frozen(2, "USDC") == 0
    day_ms = exchange.limits["client_id_retention_ns"] // 1_000_000
    lost = withdrawals.ask(waiting(state="sending", sent_ms=1))
    assert await withdrawals.pay(exchange, at_once, 1 + day_ms) == 0
    found = withdrawals.find(1, lost.id)
    assert found is not None
    assert found.state == "unclear"
    assert withdrawals.frozen(2, "USDC") == 40
    assert exchange.balance(2, "USDC").total == 60


def test_a_break_while_it_is_paid(till: tuple[xos.Exchange, Withdrawals]) -> None:
    asyncio.run(body_of_a_break(*till))


def test_wallets_are_found_again(tmp_path: Path) -> None:
    server = Server(database=Database(tmp_path / "control.db"))
    moved(server, server.ann, "10")
    post(server, server.ann, "users/subaccount/create-subaccount", subAcct="grid01")
    exchange = server.exchange
    before = exchange.account_count
    keys = Keys(Database(tmp_path / "control.db"))
    desk = Desk(exchange, keys)
    assert desk.wallet.accounts.funding_of(1) == before - 1
    found = desk.wallet.accounts.sub_named(1, "grid01")
    assert found is not None
    assert (found.account, desk.wallet.accounts.main_of(found.account)) == (before, 1)
    assert [each.amount for each in desk.wallet.moves.of({before - 1})] == [10_000_000]
    desk.intake.close()
    keys.close()
    server.close()


def test_what_reaches_back_beyond_what_is_known_is_refused() -> None:
    exchange = xos.open(events_kept_max=2)
    exchange.deploy(xos.markets.loads('[[asset]]\nsymbol = "USDC"\ndecimals = 6\n'))
    account = exchange.open_account("ann")
    for amount in (1, 2, 3):
        exchange.deposit(account, "USDC", amount)
    server = Server(reopened=exchange)
    answer = server.signed(server.ann, "GET", "/api/v5/asset/deposit-history")
    assert (answer[0], answer[1]["code"]) == (503, "50001")
    assert "ask with before=" in answer[1]["msg"]
    known = Moves(exchange).known_after_ns // 1_000_000
    status, answer = server.signed(server.ann, "GET", f"/api/v5/asset/deposit-history?before={known}")
    assert (status, answer["code"]) == (200, "0")
    server.close()


def test_checksums_of_addresses() -> None:
    for right in (ADDRESS, OTHER, "0x8617E340B3D01FA5F11F306F4090FD50E238070D"):
        assert checksummed(bytes.fromhex(right[2:])) == right
        assert address_of(right) == address_of(right.lower()) == right
    with pytest.raises(InvalidArgument, match="no address"):
        address_of(OTHER + "00")
