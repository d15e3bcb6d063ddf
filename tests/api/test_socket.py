"""WebSocket: subscribers are told, what is wrong gets its code, and one user never hears the other."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from tests.api.conftest import Server

from exchange_os.api.keys import Key
from exchange_os.api.levels import checksum
from exchange_os.api.signing import signature

ORDER = {"instId": "ETH-USDC", "tdMode": "cash", "side": "buy", "ordType": "limit", "px": "2000", "sz": "1"}


class Socket:
    """A connection of a client."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, op: str, args: list[Any], **words: Any) -> None:
        await self.socket.send_str(json.dumps({"op": op, "args": args, **words}))

    async def next(self) -> Any:
        message = await self.socket.receive(timeout=10)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return json.loads(message.data) if message.data != "pong" else "pong"

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        while not wanted(message := await self.next()):
            pass
        return message

    async def subscribe(self, **arg: str) -> Any:
        await self.send("subscribe", [arg])
        return await self.until(lambda said: said.get("event") in {"subscribe", "error"})

    async def order(self, op: str, args: list[Any]) -> Any:
        await self.send(op, args, id="7")
        return await self.until(lambda said: said.get("op") == op)

    async def log_in(self, key: Key, timestamp: Any = None, **changed: Any) -> Any:
        timestamp = timestamp if timestamp is not None else str(int(time.time()))
        sign = signature(key.secret, f"{timestamp}GET/users/self/verify".encode())
        arg = {"apiKey": key.name, "passphrase": key.passphrase, "timestamp": timestamp, "sign": sign}
        await self.send("login", [arg | changed])
        return await self.next()


@asynccontextmanager
async def connected(server: Server, place: str, key: Key | None = None) -> AsyncIterator[Socket]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://127.0.0.1:{server.port}/ws/v5/{place}", max_msg_size=0) as raw,
    ):
        socket = Socket(raw)
        if key is not None:
            assert (await socket.log_in(key))["code"] == "0"
        yield socket


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 60))


def test_a_book_is_rebuilt_from_snapshot_and_changes(server: Server) -> None:
    """The chain of sequences is whole, checksums fit, and what is rebuilt is the book of the exchange."""

    async def work() -> None:
        exchange = server.exchange
        exchange.place(1, "ETH-USDC", "buy", "1999", "1")
        async with connected(server, "public") as socket:
            assert (await socket.subscribe(channel="books", instId="ETH-USDC"))["arg"]["channel"] == "books"
            book: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
            last = -1
            for step in range(6):
                message = await socket.next()
                assert message["arg"] == {"channel": "books", "instId": "ETH-USDC"}
                assert message["action"] == ("snapshot" if step == 0 else "update")
                (row,) = message["data"]
                assert row["prevSeqId"] == last
                assert row["bids"] or row["asks"]
                last = row["seqId"]
                for side, levels in book.items():
                    for price, size, _, _ in row[side]:
                        levels[price] = size
                        if size == "0.0000":
                            del levels[price]
                bids = [[p, s] for p, s in sorted(book["bids"].items(), reverse=True)]
                asks = [[p, s] for p, s in sorted(book["asks"].items())]
                assert row["checksum"] == checksum(bids, asks)
                stands = exchange.book("ETH-USDC", 400)
                assert [p for p, _ in bids] == [f"{level.price:f}" for level in stands.bids]
                assert [p for p, _ in asks] == [f"{level.price:f}" for level in stands.asks]
                if step == 4:
                    exchange.mass_cancel(1)
                else:
                    exchange.place(1, "ETH-USDC", "buy", str(1900 + step), "1")
                    exchange.place(2, "ETH-USDC", "sell", str(2100 + step), "1.5")

    run(work)


def test_the_checksum_of_known_levels() -> None:
    """Sides in turn, bid first; the longer one goes on alone; the number is signed."""
    import zlib

    bids, asks = [["3366.1", "7"], ["3366", "6"]], [["3366.8", "9"], ["3368", "8"]]
    plain = zlib.crc32(b"3366.1:7:3366.8:9:3366:6:3368:8")
    assert checksum(bids, asks) % 2**32 == plain
    assert -(2**31) <= checksum(bids, asks) < 2**31
    longer = zlib.crc32(b"3366.1:7:3366.8:9:3368:8")
    assert checksum(bids[:1], asks) % 2**32 == longer


def test_public_channels(server: Server) -> None:
    async def work() -> None:
        exchange = server.exchange
        async with connected(server, "public") as socket:
            for channel in ("tickers", "trades", "books5", "bbo-tbt"):
                assert (await socket.subscribe(channel=channel, instId="ETH-USDC"))["event"] == "subscribe"
            assert (await socket.subscribe(channel="mark-price", instId="ETH-USDC-SWAP"))[
                "event"
            ] == "subscribe"
            assert (await socket.subscribe(channel="instruments", instType="SWAP"))["event"] == "subscribe"
            assert (await socket.subscribe(channel="status"))["event"] == "subscribe"
            exchange.place(1, "ETH-USDC", "buy", "2000", "1")
            exchange.place(2, "ETH-USDC", "sell", "2000", "0.25")
            exchange.set_mark("ETH-USDC-SWAP", "2100")
            wanted = {"tickers", "trades", "books5", "bbo-tbt", "mark-price"}
            rows: dict[str, Any] = {}

            def seen(message: Any) -> bool:
                if "data" in message:
                    rows[message["arg"]["channel"]] = message["data"][0]
                done = rows.get("mark-price", {}).get("markPx") == "2100.00"
                done = done and rows.get("bbo-tbt", {}).get("bids", [[0, 0]])[0][1:2] == ["0.7500"]
                done = done and rows.get("books5", {}).get("bids", [[0, 0]])[0][1:2] == ["0.7500"]
                return bool(done and rows.keys() >= wanted and rows["tickers"]["last"] == "2000.00")

            await socket.until(seen)
            assert rows["trades"] | {"ts": "", "seqId": 0} == {
                "instId": "ETH-USDC",
                "tradeId": "1000000001",
                "px": "2000.00",
                "sz": "0.2500",
                "side": "sell",
                "ts": "",
                "count": "1",
                "source": "0",
                "seqId": 0,
            }
            assert rows["books5"]["bids"] == [["2000.00", "0.7500", "0", "1"]]
        async with connected(server, "business") as socket:
            await socket.subscribe(channel="candle1m", instId="ETH-USDC")
            candle = (await socket.next())["data"][0]
            assert (candle[1:6], len(candle)) == (["2000.00"] * 4 + ["0.2500"], 9)
            await socket.subscribe(channel="trades-all", instId="ETH-USDC")
            exchange.place(2, "ETH-USDC", "sell", "2000", "0.25")
            told = await socket.until(lambda said: said.get("arg", {}).get("channel") == "trades-all")
            assert told["data"][0]["sz"] == "0.2500"

    run(work)


def test_the_life_of_an_order_is_told_to_its_owner_alone(server: Server) -> None:
    async def work() -> None:
        async with (
            connected(server, "private", server.ann) as ann,
            connected(server, "private", server.bob) as bob,
        ):
            for socket in (ann, bob):
                assert (await socket.subscribe(channel="orders", instType="ANY"))["event"] == "subscribe"
                assert (await socket.subscribe(channel="fills"))["event"] == "subscribe"
            placed = await ann.order("order", [{**ORDER, "clOrdId": "mine", "tag": "t"}])
            assert (placed["id"], placed["code"], placed["msg"]) == ("7", "0", "")
            number = placed["data"][0]["ordId"]
            amended = await ann.order(
                "amend-order", [{"instId": "ETH-USDC", "ordId": number, "newSz": "2", "reqId": "r"}]
            )
            assert amended["data"][0]["reqId"] == "r"
            sold = await bob.order("batch-orders", [{**ORDER, "side": "sell", "sz": "0.5"}])
            assert sold["data"][0]["sCode"] == "0"
            pulled = await ann.order("cancel-order", [{"instId": "ETH-USDC", "clOrdId": "mine"}])
            assert pulled["data"][0]["sCode"] == "0"
            again = await ann.order("cancel-order", [{"instId": "ETH-USDC", "clOrdId": "mine"}])
            assert (again["code"], again["msg"], again["data"][0]["sCode"]) == ("1", "", "51401")
            await ann.socket.send_str("ping")
            await bob.socket.send_str("ping")
        # What was told is kept by the client library until it is read.

    async def told() -> None:
        async with (
            connected(server, "private", server.ann) as ann,
            connected(server, "private", server.bob) as bob,
        ):
            for socket in (ann, bob):
                await socket.subscribe(channel="orders", instType="ANY")
                await socket.subscribe(channel="fills")
            server.exchange.place(1, "ETH-USDC", "buy", "2000", "1", client_id="ann1")
            server.exchange.place(2, "ETH-USDC", "sell", "2000", "0.5", client_id="bob1")
            server.exchange.cancel(1, client_id="ann1")
            states: dict[str, list[Any]] = {"ann": [], "bob": []}
            for name, socket in (("ann", ann), ("bob", bob)):
                last = "canceled" if name == "ann" else "filled"
                fills = 0
                while not states[name] or states[name][-1]["state"] != last or not fills:
                    message = await socket.next()
                    (row,) = message["data"]
                    assert row["clOrdId"] == f"{name}1"
                    if message["arg"]["channel"] == "fills":
                        assert row["fillSz"] == "0.5000"
                        fills += 1
                    else:
                        states[name].append(row)
            assert [row["state"] for row in states["ann"]] == ["live", "partially_filled", "canceled"]
            assert [row["state"] for row in states["bob"]] == ["live", "filled"]
            assert [row["fillFee"] for row in states["ann"]] == ["0", "-0.200000", "0"]
            assert [bool(row["tradeId"]) for row in states["ann"]] == [False, True, False]
            assert [row["accFillSz"] for row in states["ann"]] == ["0.0000", "0.5000", "0.5000"]

    run(work)
    run(told)


def test_account_and_positions_are_told_as_they_change(server: Server) -> None:
    async def work() -> None:
        exchange = server.exchange
        async with connected(server, "private", server.ann) as ann:
            await ann.subscribe(channel="account")
            snapshot = await ann.next()
            assert (snapshot["eventType"], snapshot["arg"]) == ("snapshot", {"channel": "account"})
            await ann.subscribe(channel="positions", instType="SWAP", instId="ETH-USDC-SWAP")
            assert (await ann.next())["data"] == []
            await ann.subscribe(channel="balance_and_position")
            assert (await ann.next())["data"][0]["posData"] == []
            exchange.place(1, "ETH-USDC-SWAP", "buy", "2000", "1")
            exchange.place(2, "ETH-USDC-SWAP", "sell", "2000", "1")
            held = await ann.until(lambda said: said["arg"]["channel"] == "positions")
            assert (held["data"][0]["pos"], held["arg"]["instId"]) == ("1000", "ETH-USDC-SWAP")
            exchange.place(1, "ETH-USDC-SWAP", "sell", "2000", "1")
            exchange.place(2, "ETH-USDC-SWAP", "buy", "2000", "1")
            flat = await ann.until(
                lambda said: said["arg"]["channel"] == "positions" and said["data"][0]["pos"] == "0"
            )
            assert {flat["data"][0][name] for name in ("avgPx", "imr", "mmr", "upl", "liqPx")} == {""}

    run(work)


@pytest.mark.parametrize(
    ("place", "message", "code"),
    [
        ("public", "{", "60012"),
        ("public", "7", "60012"),
        ("public", '{"op":7,"args":[]}', "60012"),
        ("public", '{"op":"dance","args":[{}]}', "60019"),
        ("public", '{"op":"subscribe","args":{}}', "60013"),
        ("public", '{"op":"subscribe","args":[7]}', "60013"),
        ("public", '{"op":"subscribe","args":[{"channel":"none","instId":"ETH-USDC"}]}', "60018"),
        ("public", '{"op":"subscribe","args":[{"channel":"books","instId":"NONE"}]}', "60018"),
        ("public", '{"op":"subscribe","args":[{"channel":"books"}]}', "60013"),
        ("public", '{"op":"subscribe","args":[{"channel":"candle1m","instId":"ETH-USDC"}]}', "64001"),
        ("public", '{"op":"subscribe","args":[{"channel":"books-l2-tbt","instId":"ETH-USDC"}]}', "60011"),
        ("private", '{"op":"subscribe","args":[{"channel":"orders","instType":"ANY"}]}', "60011"),
        ("public", "[" * 20_000, "60012"),
    ],
)
def test_what_is_wrong_gets_its_code_and_nothing_else_happens(
    server: Server, place: str, message: str, code: str
) -> None:
    async def work() -> None:
        async with connected(server, place) as socket:
            await socket.socket.send_str(message)
            said = await socket.next()
            assert (said["event"], said["code"]) == ("error", code)
            assert "Traceback" not in said["msg"]
            await socket.socket.send_str("ping")
            assert await socket.next() == "pong"

    run(work)


def test_one_bad_argument_leaves_the_others(server: Server) -> None:
    async def work() -> None:
        async with connected(server, "public") as socket:
            args = [{"channel": "none"}, {"channel": "trades", "instId": "ETH-USDC"}]
            await socket.send("subscribe", args, id="x")
            assert [(await socket.next())["event"] for _ in args] == ["error", "subscribe"]
            await socket.send("unsubscribe", args[1:])
            assert (await socket.next())["event"] == "unsubscribe"

    run(work)


def test_logins(server: Server) -> None:
    """Three forms of time verify; what is late, unknown or signed otherwise does not."""

    async def work() -> None:
        now = int(time.time())
        for timestamp in (str(now), now, f"{now}.125"):
            async with connected(server, "private") as socket:
                said = await socket.log_in(server.ann, timestamp)
                assert said == {"event": "login", "code": "0", "msg": "", "connId": said["connId"]}
        for changed, timestamp, code in (
            ({}, str(now - 40), "60006"),
            ({}, "nan", "60006"),
            ({}, "soon", "60004"),
            ({"apiKey": "nobody"}, None, "60005"),
            ({"passphrase": "other"}, None, "60009"),
            ({"sign": "AAAA"}, None, "60007"),
        ):
            async with connected(server, "private") as socket:
                assert (await socket.log_in(server.ann, timestamp, **changed))["code"] == code
                said = await socket.order("order", [ORDER])
                assert (said["code"], said["data"]) == ("60011", [])
        assert server.exchange.orders(1) == []

    run(work)


def test_subscriptions_end_at_their_limit(server: Server) -> None:
    async def work() -> None:
        async with connected(server, "public") as socket:
            args = [{"channel": "trades", "instId": "ETH-USDC", "n": str(n)} for n in range(481)]
            for begin in range(0, 481, 100):
                await socket.send("subscribe", args[begin : begin + 100])
            events = [(await socket.next()).get("code", "") for _ in args]
            assert events == [""] * 480 + ["60014"]

    run(work)


def test_a_message_past_the_limit_and_bad_utf8_end_the_connection_alone(server: Server) -> None:
    async def work() -> None:
        async with connected(server, "public") as other:
            for message in (b"x" * 65_537, b"\xff\xfe"):
                async with connected(server, "public") as socket:
                    await socket.socket._writer.send_frame(message, aiohttp.WSMsgType.TEXT)
                    ended = await socket.socket.receive(timeout=10)
                    assert ended.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
            await other.socket.send_str('"ping"')
            assert await other.next() == "pong"

    run(work)


def test_one_that_does_not_read_is_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is on what waits in memory; the other connection goes on."""
    monkeypatch.setattr("exchange_os.api.session.BACKLOG_BYTES_MAX", 200_000)

    async def work() -> None:
        async with connected(server, "public") as other:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
            writer.write(
                b"GET /ws/v5/public HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            await reader.readuntil(b"\r\n\r\n")
            arg = b'{"n":"' + b"y" * 990 + b'"}'
            said = b'{"op":"unsubscribe","args":[' + b",".join([arg] * 60) + b"]}"
            frame = b"\x81\xfe" + len(said).to_bytes(2, "big") + b"\0\0\0\0" + said

            async def flood() -> None:
                for _ in range(10_000):
                    writer.write(frame)
                    await writer.drain()

            with pytest.raises(ConnectionError):
                await asyncio.wait_for(flood(), 50)
            await other.socket.send_str("ping")
            assert await other.next() == "pong"
            writer.close()

    run(work)


def test_mass_cancel_takes_out_what_is_named(server: Server) -> None:
    async def work() -> None:
        server.exchange.place(1, "ETH-USDC", "buy", "1900", "1")
        server.exchange.place(1, "ETH-USDC-SWAP", "buy", "1900", "1")
        server.exchange.place(2, "ETH-USDC", "buy", "1900", "1")
        async with connected(server, "private", server.ann) as socket:
            said = await socket.order("mass-cancel", [{"instType": "SPOT"}])
            assert said["data"] == [{"result": True}]
        assert [order.instrument for order in server.exchange.orders(1)] == ["ETH-USDC-SWAP"]
        assert len(server.exchange.orders(2)) == 1

    run(work)


def test_a_key_that_is_revoked_ends_its_connections(server: Server) -> None:
    key = server.new_key()

    async def listens() -> None:
        async with (
            connected(server, "private", key) as mine,
            connected(server, "private", server.bob) as other,
        ):
            await mine.subscribe(channel="account")
            await other.subscribe(channel="account")
            server.run(lambda: server.keys.revoke(key.name))
            said = await mine.until(lambda said: said.get("event") == "error")
            assert (said["code"], said["msg"]) == (
                "60009",
                "Login failed: the API key was revoked or is over.",
            )
            while (await mine.socket.receive(timeout=10)).type is aiohttp.WSMsgType.TEXT:
                pass
            assert (await other.next())["arg"]["channel"] == "account"
            assert not other.socket.closed

    asyncio.run(listens())


def test_algo_orders_are_told_to_their_owner_alone(server: Server) -> None:
    exchange = server.exchange
    exchange.place(2, "ETH-USDC-SWAP", "sell", "2000", "3")
    exchange.place(1, "ETH-USDC-SWAP", "buy", "2000", "3")
    stop = {
        "instId": "ETH-USDC-SWAP",
        "tdMode": "cross",
        "side": "sell",
        "ordType": "conditional",
        "sz": "3000",
    }
    stop |= {"slTriggerPx": "1900", "slOrdPx": "-1", "slTriggerPxType": "mark", "algoClOrdId": "mystop"}

    async def run() -> tuple[list[Any], list[Any]]:
        async with (
            connected(server, "business", server.ann) as ann,
            connected(server, "business", server.bob) as bob,
        ):
            for each in (ann, bob):
                assert (await each.subscribe(channel="orders-algo", instType="SWAP"))["event"] == "subscribe"
                assert (await each.subscribe(channel="algo-advance", instType="ANY"))["event"] == "subscribe"
            path = "/api/v5/trade/order-algo"
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(None, lambda: server.signed(server.ann, "POST", path, stop))
            assert answer[1]["code"] == "0", answer
            told = [await ann.until(lambda said: "data" in said)]
            exchange.place(2, "ETH-USDC-SWAP", "buy", "1899", "3")
            exchange.set_mark("ETH-USDC-SWAP", "1899")
            told.append(await ann.until(lambda said: "data" in said))
            await bob.socket.send_str("ping")
            return told, [await bob.next()]

    told, bobs = asyncio.run(run())
    live, fired = (each["data"][0] for each in told)
    assert told[0]["arg"] == {"channel": "orders-algo", "instType": "SWAP"}
    assert (live["state"], live["algoClOrdId"], live["slTriggerPx"]) == ("live", "mystop", "1900.00")
    assert (live["ordType"], live["slTriggerPxType"], live["tdMode"]) == ("conditional", "mark", "cross")
    assert (fired["state"], fired["algoId"], fired["ordId"]) == ("effective", live["algoId"], live["algoId"])
    assert bobs == ["pong"]


def test_open_interest_and_price_limits_are_told_as_they_change(server: Server) -> None:
    exchange = server.exchange

    async def run() -> list[Any]:
        async with connected(server, "public") as line:
            first = []
            for channel in ("open-interest", "price-limit"):
                await line.send("subscribe", [{"channel": channel, "instId": "ETH-USDC-SWAP"}])
                first.append(await line.until(lambda said: "data" in said))
            exchange.place(2, "ETH-USDC-SWAP", "sell", "2000", "3")
            exchange.place(1, "ETH-USDC-SWAP", "buy", "2000", "3")
            return [*first, await line.until(lambda said: said["data"][0].get("oi") == "3000")]

    interest, limits, later = (each["data"][0] for each in asyncio.run(run()))
    assert (interest["oi"], later["oiCcy"], later["instType"]) == ("0", "3.000", "SWAP")
    assert (limits["sellLmt"], limits["enabled"]) == ("0.01", False)
