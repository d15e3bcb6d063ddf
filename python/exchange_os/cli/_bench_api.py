"""`xos bench api`: signed orders over HTTP and WebSocket, from clients in a process of their own."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_PATH = "/api/v5/trade/order"
_BATCH = 20
_LEVELS = 50
_MARKET = """
[[asset]]
symbol = "USDC"
decimals = 6

[[asset]]
symbol = "ETH"
decimals = 18

[[instrument]]
symbol = "ETH-USDC"
product = "spot"
base = "ETH"
quote = "USDC"
tick_size = "0.01"
lot_size = "0.001"
price_max = "100000"
qty_max = "1000"
orders_per_account_max = 1000000
notional_max = "2000000"
fees = { maker_ppm = 200, taker_ppm = 500 }
"""


def order(number: int) -> dict[str, str]:
    """Orders that rest on one side of one book, on some price levels."""
    words = {"instId": "ETH-USDC", "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.001"}
    return {**words, "px": str(1_000 + number % _LEVELS), "clOrdId": f"b{number}"}


def signed(key: dict[str, str], body: bytes) -> bytes:
    """A whole request."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = f"{moment}POST{_PATH}".encode() + body
    digest = hmac.digest(key["secret"].encode(), text, hashlib.sha256)
    head = (
        f"POST {_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"OK-ACCESS-KEY: {key['name']}\r\nOK-ACCESS-PASSPHRASE: {key['passphrase']}\r\n"
        f"OK-ACCESS-TIMESTAMP: {moment}\r\nOK-ACCESS-SIGN: {base64.b64encode(digest).decode()}\r\n\r\n"
    )
    return head.encode() + body


async def singles(
    port: int, key: dict[str, str], count: int, connections: int, rate: int, first: int
) -> dict[str, Any]:
    """Single orders. With a rate each is due at its time, and its latency counts from then; without one they
    are sent as fast as answers come."""
    numbers = iter(range(count))
    latencies: list[float] = []
    wrong = 0
    began = time.perf_counter()

    async def one() -> None:
        nonlocal wrong
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            due = began + number / rate if rate else time.perf_counter()
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            writer.write(signed(key, json.dumps(order(first + number)).encode()))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            said = await reader.readexactly(length)
            latencies.append(time.perf_counter() - due)
            wrong += b'"sCode":"0"' not in said
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return _summary(count, wrong, time.perf_counter() - began, latencies)


async def batches(port: int, key: dict[str, str], count: int, underway: int, first: int) -> dict[str, Any]:
    """Batches of 20 over one WebSocket, so many of them unanswered at a time."""
    import aiohttp

    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://127.0.0.1:{port}/ws/v5/private", compress=0) as socket,
    ):
        moment = str(int(time.time()))
        text = f"{moment}GET/users/self/verify".encode()
        sign = base64.b64encode(hmac.digest(key["secret"].encode(), text, hashlib.sha256)).decode()
        arg = {"apiKey": key["name"], "passphrase": key["passphrase"], "timestamp": moment, "sign": sign}
        await socket.send_str(json.dumps({"op": "login", "args": [arg]}))
        await socket.receive()
        messages = [
            json.dumps(
                {
                    "id": str(batch),
                    "op": "batch-orders",
                    "args": [order(first + batch * _BATCH + place) for place in range(_BATCH)],
                }
            )
            for batch in range(count // _BATCH)
        ]
        sent: dict[str, float] = {}
        latencies: list[float] = []
        wrong = 0
        began = time.perf_counter()
        coming = iter(enumerate(messages))
        for number, message in coming:
            sent[str(number)] = time.perf_counter()
            await socket.send_str(message)
            if len(sent) >= underway:
                break
        while sent:
            said = (await socket.receive()).data
            latencies.append(time.perf_counter() - sent.pop(said.split('"', 4)[3]))
            wrong += _BATCH - said.count('"sCode":"0"')
            if (following := next(coming, None)) is not None:
                sent[str(following[0])] = time.perf_counter()
                await socket.send_str(following[1])
        return _summary(len(messages) * _BATCH, wrong, time.perf_counter() - began, latencies)


def _summary(orders: int, wrong: int, seconds: float, latencies: list[float]) -> dict[str, Any]:
    ordered = sorted(latencies)
    at = {share: ordered[min(len(ordered) - 1, len(ordered) * share // 100)] for share in (50, 99)}
    return {
        "orders": orders,
        "refused": wrong,
        "orders_per_s": round(orders / seconds),
        "p50_ms": round(at[50] * 1_000, 2),
        "p99_ms": round(at[99] * 1_000, 2),
    }


async def measure(directory: Path, orders: int, rate: int, connections: int) -> dict[str, Any]:
    """Serves an exchange in a directory from this process, and lets clients load it one after the other."""
    from aiohttp import web

    from exchange_os.api import Keys, application
    from exchange_os.exchange import Exchange
    from exchange_os.markets import loads

    sys.setswitchinterval(0.000_5)  # as `xos api`
    limits = {"orders_per_account_max": 1_000_000}
    with Exchange.open(directory, limits=limits) as exchange:
        exchange.deploy(loads(_MARKET))
        account = exchange.open_account("bench")
        exchange.deposit(account, "USDC", 10**9)
        keys = Keys()
        key = keys.create(account)
        runner = web.AppRunner(application(exchange, keys, limits=False), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        said = {"name": key.name, "secret": key.secret.decode(), "passphrase": key.passphrase}
        common = {"port": port, "key": said}
        loads_of = {
            "rest_singles": {"kind": "singles", "count": orders, "connections": connections, "rate": 0},
            "rest_singles_at_rate": {
                "kind": "singles",
                "count": min(orders, 5 * rate),
                "connections": connections,
                "rate": rate,
            },
            "ws_batches": {"kind": "batches", "count": 5 * orders, "underway": 16},
        }
        report: dict[str, Any] = {"batch": _BATCH, "rate": rate, "connections": connections}
        first = 0
        for name, load in loads_of.items():
            spent = time.process_time()
            report[name] = await _client({**common, **load, "first": first})
            spent = time.process_time() - spent
            report[name]["server_cpu_us_per_order"] = round(spent * 1e6 / report[name]["orders"], 1)
            first += int(report[name]["orders"])
            gone = exchange.mass_cancel(account)
            if gone != report[name]["orders"] - report[name]["refused"]:
                raise AssertionError(f"{gone} orders rest after {report[name]}")
        await runner.cleanup()
        keys.close()
        return report


async def _client(load: dict[str, Any]) -> dict[str, Any]:
    program = [sys.executable, "-c", "from exchange_os.cli._bench_api import main; main()"]
    client = await asyncio.create_subprocess_exec(
        *program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await client.communicate(json.dumps(load).encode())
    if client.returncode:
        raise RuntimeError(f"the client of the measurement ended with {client.returncode}")
    return dict(json.loads(said))


def main() -> None:
    """Reads what to do as JSON from standard input, and writes what it measured to standard output."""
    wanted = json.load(sys.stdin)
    work = singles if wanted.pop("kind") == "singles" else batches
    print(json.dumps(asyncio.run(work(**wanted))))


if __name__ == "__main__":
    main()
