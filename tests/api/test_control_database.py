"""The control database in SQLite and in PostgreSQL: the same answers from both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text, update
from tests.api.conftest import Server
from tests.api.test_identity import grant, message, post, signed
from tests.history.conftest import postgres, postgres_url

from exchange_os.api import Keys
from exchange_os.api.wallet import Terms
from exchange_os.client import Client
from exchange_os.control import Database
from exchange_os.control.accounts import FUNDING, SUB, OwnAccount, OwnAccounts
from exchange_os.control.tables import API_KEY, METADATA
from exchange_os.control.transfers import Transfer, Transfers
from exchange_os.control.wallets import Session, Wallets
from exchange_os.control.withdrawals import Withdrawal, Withdrawals
from exchange_os.errors import InvalidArgument

__all__ = ["postgres", "postgres_url"]

ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
Open = Callable[[], Database]


@pytest.fixture(params=["sqlite", "postgresql"])
def another(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same database once more."""
    opened: list[Database] = []
    seal = tmp_path / "control.key"

    def make() -> Database:
        sqlite = request.param == "sqlite"
        place = tmp_path / "control.db" if sqlite else str(request.getfixturevalue("postgres_url"))
        opened.append(Database(place, key_file=seal))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def test_migrations_make_what_the_tables_say(another: Open) -> None:
    with another().begin() as run:
        assert compare_metadata(MigrationContext.configure(run), METADATA) == []


def test_several_may_open_it_at_once(another: Open) -> None:
    another()  # a file is made by one
    errors: list[Exception] = []

    def work() -> None:
        try:
            Keys(another()).create(1)
        except Exception as error:  # noqa: BLE001 - a thread has nowhere else to put it
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert errors == []
    assert len(Keys(another()).all()) == 4


def test_keys(another: Open) -> None:
    here, there = Keys(another()), Keys(another())
    words = {"instruments": {"ETH-USDC"}, "loss_max": Decimal("12.50"), "expires_ms": 2**45, "label": "é"}
    made = here.create(2**32 - 1, public_key=bytes(range(1, 33)), addresses={"10.0.0.0/8"}, **words)
    plain = here.create(2)
    assert there.find(made.name) == made
    assert [each.name for each in there.all(2)] == [plain.name]
    assert there.names() == {made.name, plain.name}
    assert here.rotate() == 2
    assert Keys(another()).find(plain.name) == plain
    assert here.revoke(plain.name)
    assert not there.revoke(plain.name)


def test_a_sealed_secret_cannot_be_moved(another: Open) -> None:
    database = another()
    keys = Keys(database)
    first, second = keys.create(1), keys.create(1)
    with database.begin() as run:
        sealed = run.execute(select(API_KEY.c.sealed).where(API_KEY.c.name == first.name)).scalar()
        run.execute(update(API_KEY).where(API_KEY.c.name == second.name).values(sealed=sealed))
    with pytest.raises(InvalidArgument, match="sealed"):
        keys.find(second.name)


def test_a_newer_database_is_refused(another: Open) -> None:
    with another().begin() as run:
        run.execute(text("update alembic_version set version_num = 'v9999'"))
    with pytest.raises(InvalidArgument, match="of another version"):
        another()


def test_nonces_and_sessions(another: Open) -> None:
    here, there = Wallets(another()), Wallets(another())
    nonce = here.new_nonce(0, 10)
    assert there.is_open(nonce, 9)
    assert not there.is_open(nonce, 10)
    assert [each.use_nonce(nonce, 9) for each in (here, there)] == [True, False]
    session = Session(ADDRESS, 7, 100)
    token = here.begin(session, 0)
    assert there.session(token, 99) == session
    assert there.session(token, 100) is None
    assert there.end(token)
    assert here.session(token, 0) is None
    here.add(ADDRESS, 7)
    assert there.account_of(ADDRESS) == 7
    assert [here.take_nonce(ADDRESS, each) for each in (5, 5, 4, 2**63 - 1)] == [True, False, False, True]
    assert there.last_nonce(ADDRESS) == 2**63 - 1


def test_accounts_transfers_and_withdrawals(another: Open) -> None:
    accounts = OwnAccounts(another())
    accounts.add(OwnAccount(2, 1, FUNDING, "", "", 5))
    accounts.add(OwnAccount(3, 1, SUB, "grid01", "a grid", 6))
    found = OwnAccounts(another())
    assert (found.funding_of(1), found.main_of(3), found.is_sub(3)) == (2, 1, True)
    assert found.sub_named(1, "grid01") == OwnAccount(3, 1, SUB, "grid01", "a grid", 6)

    transfers, more = Transfers(another()), {"from": "6", "to": "18"}
    words = {"account": 1, "client_id": "c", "sender": 1, "receiver": 3, "asset": "USDC", "fields": more}
    asked = transfers.ask(Transfer(id=0, amount=Decimal("0.10"), state="pending", created_ms=1, **words))
    assert Transfers(another()).find(1, client_id="c") == asked
    assert transfers.pending() == [asked]
    transfers.end(asked.id, "success")
    assert [each.state for each in transfers.between(1, {3})] == ["success"]

    withdrawals = Withdrawals(another())
    for usable_ms in (5, 9):
        assert withdrawals.allow(1, ADDRESS, usable_ms=usable_ms).usable_ms == 5
    row = {"account": 1, "payer": 2, "asset": "USDC", "address": ADDRESS, "client_id": "", "why": ""}
    row |= {"state": "waiting", "created_ms": 1, "due_ms": 2, "sent_ms": None}
    first, second = (withdrawals.ask(Withdrawal(id=0, amount=Decimal(each), **row)) for each in ("1.5", "2"))
    assert Withdrawals(another()).of(1) == [second, first]
    assert withdrawals.frozen(2, "USDC") == Decimal("3.5")
    assert [withdrawals.cancel(1, first.id) for _ in range(2)] == [True, False]
    assert withdrawals.forbid(1, ADDRESS)
    assert withdrawals.addresses(1) == []


def test_the_interface_over_it(another: Open) -> None:
    """A wallet signs in, grants a key with a limit, moves money and withdraws it."""
    server = Server(database=another())
    server.desk.wallet.terms = Terms(withdrawal_delay_s=0, address_delay_s=0)
    words = message(server).text()
    body = {"message": words, "signature": signed(words)}
    (session,) = post(server, "/api/v1/sign-in", body)[1]["data"]
    assert post(server, "/api/v1/sign-in", body)[0] == 401
    server.exchange.deposit(session["account"], "USDC", 100)
    allowed = {"address": session["wallet"]}
    assert post(server, "/api/v1/withdrawal-addresses", allowed, token=session["token"])[1]["code"] == "0"
    scopes = {"scopes": ["read", "trade", "withdraw"]}
    (made,) = post(server, "/api/v1/keys", scopes, token=session["token"])[1]["data"]
    access: dict[str, Any] = {name: made[name] for name in ("key", "secret", "passphrase")}
    with Client(f"http://127.0.0.1:{server.port}", **access) as client:
        client.transfer("USDC", 40, "trading", "funding")
        number = client.withdraw("USDC", 30, session["wallet"]).id
        server.run(server.desk.wallet.pay)
        assert [(each.id, each.state) for each in client.withdrawals()] == [(number, 2)]
        assert client.funds()["USDC"] == 10
    (granted,) = post(server, "/api/v1/trading-keys", grant(lossMax="1"))[1]["data"]
    assert granted["account"] == session["account"]
    server.run(server.desk.limits.write)
    server.close()
