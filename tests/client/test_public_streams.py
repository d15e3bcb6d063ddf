"""Streams of the public client: books that chain, connections that are cut, orders that are missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.api.conftest import Server

from exchange_os.api.levels import Image
from exchange_os.client import AsyncClient, Client
from exchange_os.client.public import lines
from exchange_os.client.public.kept_book import KeptBook, OutOfStep
from exchange_os.client.public.lines import GAP, Subscribed
from exchange_os.errors import ApiRefused, InvalidArgument
from exchange_os.results import Book

SPOT, SWAP = "ETH-USDC", "ETH-USDC-SWAP"


def access(server: Server) -> dict[str, str]:
    key = server.ann
    return {"key": key.name, "secret": key.secret.decode(), "passphrase": key.passphrase}


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


def streaming(server: Server, work: Callable[[AsyncClient], Awaitable[None]]) -> None:
    async def run() -> None:
        async with AsyncClient(url(server), **access(server)) as client, asyncio.timeout(30):
            await work(client)

    asyncio.run(run())


async def on_thread(work: Callable[..., Any], *words: Any) -> Any:
    return await asyncio.to_thread(work, *words)


async def until(stream: AsyncIterator[Any], wanted: Callable[[Any], bool]) -> Any:
    async for each in stream:
        if wanted(each):
            return each
    raise AssertionError("the stream ended")


def cut(server: Server) -> None:
    """All connections at once, as a broken cable does."""

    def abort() -> None:
        for session in list(server.hub._sessions):
            session._request.transport.abort()

    server.run(abort)


def best(book: Book) -> tuple[Decimal, Decimal]:
    return book.bids[0].price, book.bids[0].qty


def test_a_book_follows(server: Server) -> None:
    exchange = server.exchange
    exchange.place(1, SWAP, "buy", 1990, 1)

    async def work(client: AsyncClient) -> None:
        books = client.watch_book(SWAP)
        first = await anext(books)
        assert (best(first), first.asks) == ((1990, 1), ())
        await on_thread(exchange.place, 1, SWAP, "buy", 1991, 2)
        book = await until(books, lambda each: best(each)[0] == 1991)
        assert book.sequence == exchange.sequence
        with pytest.raises(InvalidArgument, match="watched already"):
            await anext(client.watch_book(SWAP))

    streaming(server, work)


def test_a_book_survives_a_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = server.exchange
    exchange.place(1, SWAP, "buy", 1990, 1)

    async def work(client: AsyncClient) -> None:
        books = client.watch_book(SWAP)
        await anext(books)
        for price in (1991, 1992):
            await on_thread(cut, server)
            await on_thread(exchange.place, 1, SWAP, "buy", price, 1)
            assert await until(books, lambda each, price=price: best(each)[0] == price)

    streaming(server, work)


def test_a_checksum_that_is_another_brings_a_new_snapshot(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = server.exchange
    exchange.place(1, SWAP, "buy", 1990, 1)
    true, lies = Image.checksum, [0]

    def checksum(image: Image) -> int:
        if exchange.book(SWAP, 1).bids[0].price == 1991 and not lies[0]:
            lies[0] = 1
            return true(image) ^ 1
        return true(image)

    monkeypatch.setattr(Image, "checksum", checksum)
    begun: list[str] = []
    asked = lines.Line.again

    async def again(line: lines.Line, found: Subscribed) -> None:
        begun.append("again")
        await asked(line, found)

    monkeypatch.setattr(lines.Line, "again", again)

    async def work(client: AsyncClient) -> None:
        books = client.watch_book(SWAP)
        await anext(books)
        await on_thread(exchange.place, 1, SWAP, "buy", 1991, 1)
        assert await until(books, lambda each: best(each)[0] == 1991)
        await on_thread(exchange.place, 1, SWAP, "buy", 1992, 1)
        assert await until(books, lambda each: best(each)[0] == 1992)

    streaming(server, work)
    assert (lies, begun) == ([1], ["again"])


def message(action: str, before: int, sequence: int, **sides: Any) -> dict[str, Any]:
    row = {"bids": [], "asks": [], "prevSeqId": before, "seqId": sequence, "checksum": 0}
    return {"action": action, "data": [row | sides]}


def test_changes_have_to_chain() -> None:
    kept = KeptBook(SWAP, Decimal("0.001"))
    with pytest.raises(OutOfStep, match="after sequence -1"):
        kept.take(message("update", 4, 5))
    assert kept.take(message("snapshot", -1, 5, bids=[["10", "2000", "0", "1"], ["9", "1000", "0", "1"]]))
    assert kept.take(message("update", 5, 8, bids=[["10", "0", "0", "0"]], asks=[["11", "1", "0", "1"]]))
    assert not kept.take(message("update", 8, 8))
    book = kept.book()
    assert (best(book), book.asks[0].qty, book.sequence) == ((9, 1), Decimal("0.001"), 8)
    with pytest.raises(OutOfStep, match="change of 7"):
        kept.take(message("update", 7, 9))
    with pytest.raises(OutOfStep, match="checksum"):
        kept.take(message("update", 8, 9, checksum=1))


def test_trades_are_told_once_over_a_cut(server: Server) -> None:
    exchange = server.exchange
    exchange.place(2, SPOT, "sell", 2000, 50)
    exchange.place(1, SPOT, "buy", 2000, 1)

    async def work(client: AsyncClient) -> None:
        trades = client.watch_trades(SPOT)
        following = asyncio.ensure_future(anext(trades))
        while not server.hub.has(("trades", SPOT)):
            await asyncio.sleep(0)
        await on_thread(exchange.place, 1, SPOT, "buy", 2000, 2)
        assert (await following).qty == 2
        await on_thread(cut, server)
        for qty in (3, 4):
            await on_thread(exchange.place, 1, SPOT, "buy", 2000, qty)
        assert [(await anext(trades)).qty for _ in range(2)] == [3, 4]
        await on_thread(exchange.place, 1, SPOT, "buy", 2000, 5)
        assert (await anext(trades)).qty == 5

    streaming(server, work)


def test_orders_over_a_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was known ends, one comes and goes, one comes and stays: all are told."""
    exchange = server.exchange

    async def work(client: AsyncClient) -> None:
        orders = client.watch_orders()
        following = asyncio.ensure_future(anext(orders))
        while not any(topic[0] == "orders" for topic in server.hub._heard_by):
            await asyncio.sleep(0)
        await on_thread(exchange.place, 1, SWAP, "buy", 1990, 1)
        first = await following
        assert (first.state, first.qty) == ("live", 1)
        await on_thread(cut, server)
        await on_thread(exchange.cancel, 1, int(first.order_id) - 10**18)
        brief = await on_thread(exchange.place, 1, SWAP, "buy", 1980, 1)
        await on_thread(exchange.cancel, 1, brief.order_id)
        await on_thread(exchange.place, 1, SWAP, "buy", 1970, 1)
        told = {}
        while len(told) < 3:
            each = await anext(orders)
            told[each.price] = each.state
        assert told == {1990: "canceled", 1980: "canceled", 1970: "live"}

    streaming(server, work)


def test_what_the_server_refuses_ends_the_stream(server: Server) -> None:
    async def work(client: AsyncClient) -> None:
        line = client._line("public")
        wrong = await line.subscribe({"channel": "no-such", "instId": SPOT})
        right = await line.subscribe({"channel": "tickers", "instId": SPOT})
        assert await wrong.get() is GAP
        with pytest.raises(ApiRefused, match="60018"):
            await wrong.get()
        assert await right.get() is GAP
        assert (await right.get())["arg"]["channel"] == "tickers"

    streaming(server, work)

    async def stranger() -> None:
        async with AsyncClient(url(server), **(access(server) | {"secret": "x"})) as client:
            line = client._line("private")
            found = await line.subscribe({"channel": "orders", "instType": "ANY"})
            with pytest.raises(ApiRefused, match="60007"):
                await found.get()

    asyncio.run(stranger())


def test_too_much_that_waits_becomes_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "WAITING_MAX", 3)

    async def work() -> list[Any]:
        found = Subscribed({}, 1)
        for number in range(4):
            found.put(number)
        return [await found.get() for _ in range(2)]

    assert asyncio.run(work()) == [GAP, 3]


@pytest.fixture
def plain(server: Server) -> Iterator[Client]:
    with Client(url(server), **access(server)) as client:
        yield client


def test_a_feed_for_plain_programs(server: Server, plain: Client) -> None:
    server.exchange.place(1, SWAP, "buy", 1990, 1)
    with plain.watch_book(SWAP) as books:
        assert best(next(books)) == (1990, 1)
        assert books.next(timeout_s=0.01) is None
        server.exchange.place(1, SWAP, "buy", 1991, 1)
        assert best(next(books))[0] == 1991
    with pytest.raises(StopIteration):
        next(books)
    strange = Client(url(server), **(access(server) | {"secret": "x"}), retries=0)
    with strange.watch_orders() as orders, pytest.raises(ApiRefused, match="50113"):
        next(orders)
