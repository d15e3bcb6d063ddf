"""The client of the public interface against the interface itself: typed answers, retries, pages."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.api.conftest import MARKETS

import exchange_os as xos
from exchange_os.api.local import LocalApi
from exchange_os.client import AsyncClient, Client, NewOrder
from exchange_os.client.public import Answer, Lost, Send, Wait, endpoints
from exchange_os.client.public.calls import Caller, Signer, answer_of
from exchange_os.errors import ApiRefused, ApiUnavailable, FloatRefused, Inexact, InvalidArgument, UnknownName

SPOT, SWAP = "ETH-USDC", "ETH-USDC-SWAP"


@pytest.fixture
def api() -> Iterator[LocalApi]:
    with xos.open() as exchange:
        exchange.deploy(xos.markets.loads(MARKETS))
        exchange.set_mark(SWAP, "2000")
        for name in ("ann", "bob"):
            account = exchange.open_account(name)
            exchange.deposit(account, "USDC", 100_000)
            exchange.deposit(account, "ETH", 100)
        with LocalApi(exchange) as running:
            yield running


@pytest.fixture
def exchange(api: LocalApi) -> xos.Exchange:
    return api._exchange


@pytest.fixture
def ann(api: LocalApi) -> Iterator[Client]:
    access = api.access(1, scopes={"read", "trade", "withdraw"})
    with Client(api.url, **access) as client:
        yield client


class Lossy(Client):
    """Loses the answers to the first posts, after the server has acted."""

    losses = 1

    def _exchange(self, send: Send) -> Answer | Lost:
        found = super()._exchange(send)
        if send.method == "POST" and self.losses:
            self.losses -= 1
            return Lost("the cable was pulled")
        return found


@pytest.fixture
def lossy(api: LocalApi) -> Iterator[Lossy]:
    with Lossy(api.url, **api.access(1, scopes={"read", "trade", "withdraw"})) as client:
        yield client


def test_a_constructor_makes_no_network() -> None:
    Client("http://nowhere.invalid:1", key="k", secret="s", passphrase="p")
    AsyncClient("https://nowhere.invalid")
    for url in ("ftp://x", "127.0.0.1:8555", ""):
        with pytest.raises(InvalidArgument, match="expected one like"):
            Client(url)
    with pytest.raises(InvalidArgument, match="either a secret or a private key"):
        Client(key="k")
    with pytest.raises(InvalidArgument, match="has 32 bytes"):
        Client(key="k", private_key=b"short")


def test_the_market_in_whole_units(ann: Client, exchange: xos.Exchange) -> None:
    exchange.place(2, SWAP, "sell", "2001.5", "3")
    exchange.place(1, SWAP, "buy", "2001.5", "1")
    assert [(each.instrument, each.product) for each in ann.markets()] == [
        (SPOT, "spot"),
        (SWAP, "perpetual"),
    ]
    market = ann.market(SWAP)
    assert (market.tick_size, market.lot_size, market.qty_max) == (Decimal("0.01"), Decimal("0.001"), 500)
    assert market.contract == Decimal("0.001")
    ticker = ann.ticker(SWAP)
    assert (ticker.bid, ticker.ask, ticker.ask_qty, ticker.last) == (
        None,
        Decimal("2001.5"),
        2,
        Decimal("2001.5"),
    )
    book = ann.book(SWAP)
    assert [(each.price, each.qty, each.orders) for each in book.asks] == [(Decimal("2001.5"), 2, 1)]
    assert (book.bids, book.sequence) == ((), exchange.sequence)
    (trade,) = ann.trades(SWAP)
    assert (trade.price, trade.qty, trade.side) == (Decimal("2001.5"), 1, "buy")
    (candle,) = ann.candles(SWAP, "1m")
    assert (candle.open, candle.volume) == (Decimal("2001.5"), 1)
    assert abs(ann.server_time_ms() - trade.time_ms) < 60_000
    with pytest.raises(UnknownName, match="NOPE"):
        ann.ticker("NOPE")


def test_an_order_from_placing_to_filling(ann: Client, exchange: xos.Exchange) -> None:
    placed = ann.place(SWAP, "buy", "1.5", 1990, client_id="mine1", tag="grid")
    order = ann.order(SWAP, placed.order_id)
    assert (order.qty, order.price, order.state, order.is_open) == (Decimal("1.5"), 1990, "live", True)
    assert [each.client_id for each in ann.open_orders(SWAP)] == ["mine1"]
    assert ann.amend(SWAP, client_id="mine1", price=1995, qty=2).order_id == placed.order_id
    exchange.place(2, SWAP, "sell", 1995, 2)
    order = ann.order(SWAP, client_id="mine1")
    assert (order.state, order.filled, order.average_price) == ("filled", 2, 1995)
    (fill,) = ann.fills(SWAP)
    assert (fill.qty, fill.price, fill.fee, fill.maker, fill.client_id) == (2, 1995, 0, True, "mine1")
    assert [each.order_id for each in ann.past_orders(SWAP)] == [placed.order_id]
    (position,) = ann.positions()
    assert (position.instrument, position.qty, position.entry_price) == (SWAP, 2, 1995)
    assert ann.balances()["USDC"].total == 100_000
    assert not ann.cancel(SWAP, placed.order_id)
    assert ann.set_leverage(SWAP, 5) == 5
    bought = ann.place(SPOT, "buy", 1, type="market") if exchange.place(2, SPOT, "sell", 2000, 1) else None
    assert bought is not None
    assert ann.order(SPOT, bought.order_id).filled == 1
    assert ann.cancel(SPOT, ann.place(SPOT, "buy", 1, 100).order_id)
    ann.place(SPOT, "buy", 1, 100)
    ann.cancel_all(SPOT)
    assert list(ann.open_orders()) == []


def test_many_at_once_each_for_itself(ann: Client) -> None:
    good = NewOrder(instrument=SPOT, side="buy", qty="0.5", price=1000)
    found = ann.place_many([good, NewOrder(instrument=SPOT, side="buy", qty="1000", price=1999)])
    assert isinstance(found[1], ApiRefused)
    assert found[1].code == "51008"
    assert not isinstance(found[0], ApiRefused)
    assert ann.order(SPOT, found[0].order_id).qty == Decimal("0.5")


def test_what_is_refused(ann: Client, api: LocalApi) -> None:
    with pytest.raises(ApiRefused) as refused:
        ann.place(SPOT, "buy", 1_000, 1_999)
    assert (refused.value.code, refused.value.status) == ("51008", 200)
    with pytest.raises(FloatRefused):
        ann.place(SPOT, "buy", 0.1, 1_999)  # type: ignore[arg-type]
    third = endpoints.Market(SWAP, "perpetual", "", "", *([Decimal(1)] * 4), None, "live", Decimal(3))
    order = NewOrder(instrument=SWAP, side="buy", qty=1, price=1)
    with pytest.raises(Inexact, match="whole number of contracts"):
        endpoints._content(order, third)
    for words in ({"type": "market", "price": 1}, {"type": "limit"}):
        with pytest.raises(InvalidArgument, match="price"):
            ann.place(SPOT, "buy", 1, **words)
    with Client(api.url) as stranger, pytest.raises(InvalidArgument, match="needs an API key"):
        stranger.balances()
    unknown = {"key": "unknown", "secret": "x", "passphrase": "y"}
    with Client(api.url, **unknown) as stranger, pytest.raises(ApiRefused, match="50111"):
        stranger.balances()


def test_pages_are_put_together(ann: Client, exchange: xos.Exchange) -> None:
    for number in range(230):
        exchange.place(1, SPOT if number < 115 else SWAP, "buy", 1000, "0.01", client_id=f"n{number}")
    found = [each.client_id for each in ann.open_orders()]
    assert found == [f"n{number}" for number in reversed(range(230))]
    exchange.place(2, SPOT, "sell", 1000, "1.15")
    assert len({each.order_id for each in ann.fills()}) == 115
    assert len(list(ann.past_orders())) == 115


# --- answers that do not come ---


def test_an_order_whose_answer_is_lost_is_placed_once(lossy: Lossy, exchange: xos.Exchange) -> None:
    placed = lossy.place(SPOT, "buy", 1, 1000)
    assert [10**18 + each.order_id for each in exchange.orders(1)] == [int(placed.order_id)]
    lossy.losses = 1
    assert lossy.amend(SPOT, placed.order_id, price=1001).order_id == placed.order_id
    lossy.losses = 1
    assert lossy.cancel(SPOT, placed.order_id)
    assert exchange.orders(1) == []
    again = lossy.place(SPOT, "buy", 1, 1000, client_id="given")
    with pytest.raises(ApiRefused, match="51016"):  # nothing was lost: it is somebody's mistake
        lossy.place(SPOT, "buy", 1, 1000, client_id="given")
    assert lossy.order(SPOT, client_id="given").order_id == again.order_id


def test_money_whose_answer_is_lost_moves_once(lossy: Lossy, exchange: xos.Exchange) -> None:
    moved = lossy.transfer("USDC", 25, "trading", "funding")
    assert lossy.losses == 0
    assert (moved.amount, lossy.funds()["USDC"]) == (25, 25)
    with pytest.raises(InvalidArgument, match="expected funding and trading"):
        lossy.transfer("USDC", 1, "funding", "savings")
    with pytest.raises(ApiRefused, match="58207"):
        lossy.withdraw("USDC", 1, "0x52908400098527886E0F7030069857D2E4169EE7")
    assert list(lossy.withdrawals()) == []
    with pytest.raises(ApiRefused, match="58215"):
        lossy.cancel_withdrawal("7")


def drive(steps: Any, answers: list[Answer | Lost]) -> tuple[Any, list[str]]:
    """What steps give if a server answers like this, and what they asked and how long they waited."""
    said: list[str] = []
    got: Answer | Lost | None = None
    while True:
        try:
            step = steps.send(got)
        except StopIteration as done:
            return done.value, said
        got = None
        if isinstance(step, Wait):
            said.append(f"wait {step.seconds}")
        else:
            said.append(f"{step.method} {step.target}")
            got = answers.pop(0)


def caller(retries: int = 3) -> Caller:
    return Caller(Signer("key", "secret", "pass", None), retries=retries, simulated=True)


def test_what_may_pass_later_is_asked_again_and_later() -> None:
    time_row = Answer(200, "0", "", [{"ts": "7"}])
    busy, many = Answer(503, "50001", "upgrade", []), Answer(429, "50011", "too many", [])
    found, said = drive(endpoints.server_time_ms(caller()), [Lost("cut"), busy, many, time_row])
    asked = "GET /api/v5/public/time"
    assert (found, said) == (7, [asked, "wait 0.2", asked, "wait 0.4", asked, "wait 2.0", asked])
    with pytest.raises(ApiUnavailable, match="after 2 attempts: 50001 upgrade"):
        drive(endpoints.server_time_ms(caller(1)), [Lost("cut"), busy])
    with pytest.raises(ApiRefused, match="51000"):
        drive(endpoints.server_time_ms(caller()), [Answer(200, "51000", "no", [])])


def test_a_clock_that_is_off_is_set() -> None:
    late = Answer(401, "50102", "expired", [])
    clock, whole = Answer(200, "0", "", [{"ts": "5000"}]), Answer(200, "0", "", [{"details": []}])
    asks = caller()
    found, said = drive(endpoints.balances(asks), [late, clock, whole])
    assert found == {}
    assert said == ["GET /api/v5/account/balance", "GET /api/v5/public/time", "GET /api/v5/account/balance"]
    assert asks.signer.offset_ms < -(10**12)
    with pytest.raises(ApiRefused, match="50102"):
        drive(endpoints.balances(caller()), [late, clock, late])


def test_what_is_no_envelope_is_an_answer_too() -> None:
    for body in (b"<html>", b"[]", b'{"code":1}', b"\xff"):
        answer = answer_of(502, body)
        assert (answer.code, answer.status, answer.data) == ("502", 502, [])


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = Client(f"http://127.0.0.1:{taken.getsockname()[1]}", retries=1)
        with pytest.raises(ApiUnavailable, match="after 2 attempts: ConnectionRefusedError"):
            client.server_time_ms()


def test_a_key_of_ed25519(api: LocalApi) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    access = api.access(1, public_key=private.public_key().public_bytes_raw())
    words = {"key": access["key"], "passphrase": access["passphrase"]}
    with Client(api.url, **words, private_key=private.private_bytes_raw()) as client:
        assert client.balances()["USDC"].total == 100_000


# --- both clients ---


def test_both_clients_offer_the_same() -> None:
    def words(kind: type, keep: Callable[[str], bool]) -> dict[str, list[str]]:
        methods = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(each).parameters) for name, each in methods if keep(name)}

    def public(name: str) -> bool:
        return not name.startswith("_")

    assert words(Client, public) == words(AsyncClient, public)


def test_the_same_with_asyncio(api: LocalApi) -> None:
    async def trade() -> list[Any]:
        async with AsyncClient(api.url, **api.access(1)) as client:
            placed = await client.place(SPOT, "buy", 1, 1000)
            found = [each.order_id async for each in client.open_orders()]
            assert found == [placed.order_id]
            assert await client.cancel(SPOT, placed.order_id)
            with pytest.raises(ApiRefused, match="51008"):
                await client.place(SPOT, "buy", 1_000, 1_999)
            return await asyncio.gather(*(client.ticker(each) for each in (SPOT, SWAP)))

    assert [each.instrument for each in asyncio.run(trade())] == [SPOT, SWAP]


def test_nobody_there_with_asyncio() -> None:
    async def ask() -> None:
        async with AsyncClient("http://127.0.0.1:1", retries=0) as client:
            with pytest.raises(ApiUnavailable, match="after 1 attempts"):
                await client.server_time_ms()
            with pytest.raises(ApiUnavailable):
                await anext(client.watch_orders())

    asyncio.run(ask())
