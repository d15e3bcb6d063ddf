"""Clients that hold connections for nothing, or send what is no HTTP: they end, others are served."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import Any

import aiohttp
import pytest
from tests.api.conftest import Server

from exchange_os.api import server as answering
from exchange_os.api import serving

HEAD = b"GET /api/v5/public/time HTTP/1.1\r\nHost: here\r\n"
POST = b"POST /api/v5/trade/order HTTP/1.1\r\nHost: here\r\nContent-Length: 20\r\n\r\n"


def connected(server: Server) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    made.settimeout(10)
    return made


def until_closed(line: socket.socket) -> bytes:
    said = b""
    while part := line.recv(65_536):
        said += part
    line.close()
    return said


def is_served(server: Server) -> bool:
    begun = time.monotonic()
    status, answer = server.send("GET", "/api/v5/public/time")
    return (status, answer["code"]) == (200, "0") and time.monotonic() - begun < 5


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server whose clients have half a second."""
    monkeypatch.setattr(serving, "HEAD_S", 0.5)
    monkeypatch.setattr(answering, "BODY_S", 0.5)
    running = Server()
    yield running
    running.close()


@pytest.mark.parametrize("said", [b"", b"G", HEAD, HEAD + b"x-header: " + b"a" * 100])
def test_a_head_that_does_not_end_is_not_waited_for(hurried: Server, said: bytes) -> None:
    lines = [connected(hurried) for _ in range(50)]
    for line in lines:
        line.sendall(said)
    assert is_served(hurried)
    assert [until_closed(line) for line in lines] == [b""] * 50


def test_a_head_that_comes_drop_by_drop_is_not_waited_for(hurried: Server) -> None:
    line = connected(hurried)
    begun = time.monotonic()
    line.settimeout(0.05)
    ended = False
    for byte in HEAD * 100:
        try:
            line.sendall(bytes([byte]))
            ended = not line.recv(1)
        except TimeoutError:
            continue
        except ConnectionError:
            ended = True
        if ended:
            break
    assert ended
    assert time.monotonic() - begun < 5
    line.close()


def test_a_body_that_does_not_come_is_answered(hurried: Server) -> None:
    lines = [connected(hurried) for _ in range(20)]
    for line in lines:
        line.sendall(POST + b"{")
    assert is_served(hurried)
    for line in lines:
        head, _, body = until_closed(line).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408")
        assert json.loads(body)["code"] == "50004"


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),
        b"\xff\xfe\xfd /%% HTTP/9\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 2_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    ],
)
def test_what_is_no_http_is_answered_in_json_without_a_trace(server: Server, said: bytes) -> None:
    line = connected(server)
    line.sendall(said)
    head, _, body = until_closed(line).partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0], head
    assert json.loads(body) == {"code": "50000", "msg": "This is no HTTP request.", "data": []}
    assert is_served(server)


def test_a_body_past_the_limit_is_answered_before_it_is_read(server: Server) -> None:
    line = connected(server)
    size = 10 * 2**20
    line.sendall(
        f"POST /api/v5/trade/order HTTP/1.1\r\nHost: here\r\nContent-Length: {size}\r\n\r\n".encode()
    )
    for _ in range(3):
        line.sendall(b"a" * 65_536)
    line.settimeout(20)
    said = line.recv(65_536)
    assert said.startswith(b"HTTP/1.1 413")
    line.close()
    assert is_served(server)


def test_thousands_of_subscriptions_are_bounded_and_others_are_served(server: Server) -> None:
    """40 connections ask for 1,000 channels each: 480 are granted each, and a book is told."""
    address = f"ws://127.0.0.1:{server.port}/ws/v5/public"
    arguments = [{"channel": "tickers", "instId": "ETH-USDC", "n": str(number)} for number in range(1_000)]

    async def greedy(client: aiohttp.ClientSession) -> list[int]:
        async with client.ws_connect(address, max_msg_size=0) as line:
            for at in range(0, 1_000, 250):
                await line.send_str(json.dumps({"op": "subscribe", "args": arguments[at : at + 250]}))
            counts = {"subscribe": 0, "error": 0}
            while sum(counts.values()) < 1_000:
                said = json.loads((await line.receive(timeout=60)).data)
                if said.get("event") in counts:
                    counts[said["event"]] += 1
            return [counts["subscribe"], counts["error"]]

    async def run() -> list[Any]:
        async with aiohttp.ClientSession() as client, client.ws_connect(address) as line:
            book = {"channel": "books", "instId": "ETH-USDC"}
            await line.send_str(json.dumps({"op": "subscribe", "args": [book]}))
            many = asyncio.gather(*(greedy(client) for _ in range(40)))
            told: list[Any] = [json.loads((await line.receive(timeout=60)).data) for _ in range(2)]
            return [*told, await many]

    acknowledged, snapshot, counts = asyncio.run(run())
    assert (acknowledged["event"], snapshot["action"]) == ("subscribe", "snapshot")
    assert counts == [[480, 520]] * 40
    assert is_served(server)
