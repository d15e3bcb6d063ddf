"""Signed single orders over REST: `python bench/api.py DIRECTORY [orders] [connections]`.

Closed loop: every connection sends its next order when the last is answered. Client and server are
processes of their own; the exchange is in the process of the server, durable, or in memory if DIRECTORY
is "-". Prints one line.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection

import aiohttp
import msgspec
from aiohttp import web

import exchange_os as xos
from exchange_os.api import Key, Keys, application
from exchange_os.api.signing import signature

MARKET = """
[[asset]]
symbol = "USDC"
decimals = 6

[[question]]
symbol = "RAIN"
text = "Does it rain?"
outcomes = [{ symbol = "RAIN-YES", name = "Yes" }, { symbol = "RAIN-NO", name = "No" }]
tick_size = "0.01"
lot_size = "1"
qty_max = "10000"
notional_max = "10000"
position_max = "10000"
"""
PATH = "/api/v5/trade/order"


def serve(directory: str, started: Connection) -> None:
    """Until the other end of the pipe says stop."""
    asyncio.run(_serve(directory, started))


async def _serve(directory: str, started: Connection) -> None:
    with xos.open(None if directory == "-" else directory) as exchange:
        exchange.deploy(xos.markets.loads(MARKET))
        account = exchange.open_account("bench")
        exchange.deposit(account, "USDC", 1_000_000)
        keys = Keys()
        runner = web.AppRunner(application(exchange, keys, limits=False), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        started.send((runner.addresses[0][1], msgspec.to_builtins(keys.create(account))))
        begun = time.process_time()
        await asyncio.to_thread(started.recv)
        started.send(time.process_time() - begun)
        await runner.cleanup()


async def load(port: int, key: Key, orders: int, connections: int) -> tuple[float, list[float]]:
    """Seconds in all, and the milliseconds of each order, sorted."""
    took: list[float] = []
    left = iter(range(orders))

    async def one(session: aiohttp.ClientSession) -> None:
        for number in left:
            body = msgspec.json.encode(
                {
                    "instId": "RAIN-YES",
                    "side": "buy" if number % 2 else "sell",
                    "ordType": "limit",
                    "px": "0.50",
                    "sz": "1",
                    "stpMode": "cancel_maker",
                }
            )
            stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            begun = time.perf_counter()
            headers = {"OK-ACCESS-KEY": key.name, "OK-ACCESS-PASSPHRASE": key.passphrase}
            headers |= {"OK-ACCESS-TIMESTAMP": stamp, "Content-Type": "application/json"}
            headers |= {"OK-ACCESS-SIGN": signature(key.secret, f"{stamp}POST{PATH}".encode() + body)}
            async with session.post(PATH, data=body, headers=headers) as answer:
                found = await answer.json()
            if found["code"] != "0":
                raise RuntimeError(f"order {number} was refused: {found}")
            took.append((time.perf_counter() - begun) * 1_000)

    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        begun = time.perf_counter()
        await asyncio.gather(*(one(session) for _ in range(connections)))
        return time.perf_counter() - begun, sorted(took)


def main() -> None:
    directory, *counts = sys.argv[1:]
    orders, connections = (int(given) for given in (*counts, "10000", "16")[:2]) if counts else (10_000, 16)
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(directory, there))
    server.start()
    port, plain = here.recv()
    seconds, took = asyncio.run(load(port, msgspec.convert(plain, Key), orders, connections))
    here.send("stop")
    busy = here.recv()
    server.join()
    half, most = took[len(took) // 2], took[len(took) * 99 // 100]
    rate = f"{orders / seconds:,.0f} orders/s over {connections} connections"
    each_us = busy / orders * 1e6  # processor time of all threads of the server
    print(f"{rate}, p50 {half:.2f} ms, p99 {most:.2f} ms; server {each_us:,.0f} us of processor an order")


if __name__ == "__main__":
    main()
