"""Our own exchange as a source: recorded through ccxt from a running interface, reported on, served."""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import exchange_os as xos
from exchange_os.errors import InvalidArgument
from exchange_os.signals.liquidation_map import known_liquidation_map
from exchange_os.signals.market_data import PERPETUAL, SPOT, MarketData
from exchange_os.signals.recording import Recorder, Recording
from exchange_os.signals.report import make_report
from exchange_os.signals.sources import own, recorder_round
from exchange_os.signals.sources.ccxt_source import Address, CcxtSource, now_ms

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("ccxt", "aiohttp")),
    reason="ccxt and aiohttp are not installed: the extras `signals` and `api` bring them",
)
ETH = "ETH/USDT"
SWAP = "ETH-USDC-SWAP"
HOUR_NS = 3_600 * 10**9
SEED = 20_261_125


def traded() -> xos.Exchange:
    """Six hours up to now: an oracle, a maker of quotes, a trader who holds, another who owes."""
    chance, exchange = random.Random(SEED), xos.open()
    begun = time.time_ns() // HOUR_NS * HOUR_NS - 6 * HOUR_NS
    exchange.deploy(Path(__file__).with_name("own_venue.toml"), time_ns=begun)
    maker, taker = (exchange.open_account(name, time_ns=begun) for name in ("maker", "taker"))
    exchange.deposit(maker, "USDC", 1_000_000, time_ns=begun)
    exchange.deposit(maker, "ETH", 100, time_ns=begun)
    exchange.deposit(taker, "USDC", 20_000, time_ns=begun)
    middle, ended = 2_000.0, time.time_ns() - 2 * 10**9
    for second, time_ns in enumerate(range(begun, ended, 10**10)):
        middle *= 1 + chance.gauss(0, 0.0005)
        exchange.publish_price("oracle", SWAP, f"{middle:.2f}", time_ns=time_ns)
        exchange.tick(time_ns=time_ns)
        if second % 12 == 0:
            for name in (SWAP, "ETH-USDC"):
                quote(exchange, maker, name, middle, time_ns)
            exchange.place(taker, SWAP, "buy", f"{middle + 3:.2f}", "0.2", tif="ioc", time_ns=time_ns)
            exchange.place(taker, "ETH-USDC", "buy", f"{middle + 3:.2f}", "0.01", tif="ioc", time_ns=time_ns)
    return exchange


def quote(exchange: xos.Exchange, maker: int, name: str, middle: float, time_ns: int) -> None:
    for order in exchange.orders(maker, name):
        exchange.cancel(maker, order.order_id, time_ns=time_ns)
    for step in range(1, 6):
        for side, price in (("buy", middle - 0.2 * step), ("sell", middle + 0.5 + 0.2 * step)):
            exchange.place(maker, name, side, f"{price:.2f}", "0.5", time_ns=time_ns)  # type: ignore[arg-type]


class Serving:
    """An aiohttp application in a thread of its own, on a free port."""

    def __init__(self, make: Any) -> None:
        self._make, self._ready = make, threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        self._ready.wait()

    async def _serve(self) -> None:
        from aiohttp import web

        self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(self._make(), shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


@pytest.fixture(scope="module")
def exchange() -> Iterator[xos.Exchange]:
    with traded() as made:
        yield made


@pytest.fixture(scope="module")
def venue(exchange: xos.Exchange) -> Iterator[str]:
    from exchange_os.api import Keys, application

    serving = Serving(lambda: application(exchange, Keys(), limits=False))
    yield f"mine=okx@{serving.url}"
    serving.close()


@pytest.fixture(scope="module")
def recorded(venue: str, exchange: xos.Exchange, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the recorder wrote: history, a snapshot, positions."""
    folder = tmp_path_factory.mktemp("recording")
    sources = recorder_round.sources_of([venue])
    past = recorder_round.History(sources, [ETH], 1, "1m").ask()
    found = recorder_round.with_positions(recorder_round.ask(sources, [ETH]), exchange, "mine", [ETH])
    assert (past.silences, found.silences) == ((), ())
    with Recorder(folder) as recorder:
        recorder.append(past.data)
        recorder.append(found.data)
    return folder


def test_an_address_is_a_name_an_exchange_and_perhaps_a_place() -> None:
    assert Address.parse("bybit") == Address("bybit", "bybit")
    assert Address.parse("mine=okx@http://h:1/") == Address("mine", "okx", "http://h:1")
    assert Address.parse("okx@https://h") == Address("okx", "okx", "https://h")
    for text in ("", "=okx", "mine=", "okx@", "okx@host:1", "mine=@http://h"):
        with pytest.raises(InvalidArgument, match="a venue is"):
            Address.parse(text)


def test_everything_that_the_interface_says_is_recorded(recorded: Path, exchange: xos.Exchange) -> None:
    data = Recording.open(recorded).read()
    assert set(data.funding["venue"]) == {"mine"}
    estimated = data.funding.filter(pl.col("kind") == "estimated").row(0, named=True)
    told = exchange.funding(SWAP)
    assert told is not None
    assert estimated["rate"] == float(told.predicted_rate)
    assert (estimated["interval_s"], estimated["cap"], estimated["floor"]) == (3_600, 0.04, -0.04)
    settled = data.funding.filter(pl.col("kind") == "settled")
    assert settled["rate"].to_list() == [float(past.rate) for past in told.history]

    swap, spot = (
        data.prices.filter(pl.col("market") == market).row(0, named=True) for market in (PERPETUAL, SPOT)
    )
    market = exchange.instrument(SWAP)
    assert (swap["mark"], swap["index"]) == (float(market.mark_price or 0), float(market.index_price or 0))
    ours = exchange.trades_frame(SWAP)
    assert swap["base_volume_24h"] == pytest.approx(float(ours["qty"].sum()))
    assert spot["mark"] is None

    bars = data.candles.filter(pl.col("market") == PERPETUAL)
    assert bars["base_volume"].sum() == pytest.approx(float(ours["qty"].sum()), rel=0.01)
    assert data.books.filter(pl.col("side") == "bid")["base_qty"].to_list()[1:] == [0.5] * 4


def test_the_positions_of_our_own_venue_make_an_exact_map(recorded: Path, exchange: xos.Exchange) -> None:
    data = Recording.open(recorded).read()
    report = make_report(data, symbol=ETH, at_ms=data.last_ms())
    found = report.signals.liquidations
    assert found is not None
    assert found.model == "exact"
    (held,) = exchange.positions(2)
    assert found.open_interest == float(held.qty)
    assert held.liquidation_price is not None
    assert float(held.liquidation_price) in found.levels
    assert "exact" in next(figure.note for figure in report.figures if figure.id == "liquidation.longs")
    hours = 2 * 3_600_000
    late = known_liquidation_map(data, symbol=ETH, venue="mine", at_ms=data.last_ms() + hours, price=2_000.0)
    assert late is None, "positions of two hours ago are no longer exact"


def test_positions_name_no_account_and_refuse_what_has_none(exchange: xos.Exchange) -> None:
    frame = own.positions(exchange, SWAP, venue="mine", symbol=ETH, received_ms=now_ms())
    assert "account" not in frame.columns
    sides = frame.group_by("position").agg(pl.col("base_qty").sum()).sort("position")
    assert sides["base_qty"][0] == pytest.approx(sides["base_qty"][1])
    with pytest.raises(InvalidArgument, match="is spot"):
        own.positions(exchange, "ETH-USDC", venue="mine", symbol=ETH, received_ms=0)
    with pytest.raises(InvalidArgument, match="one perpetual on BTC is needed, there are 0"):
        own.perpetual_of(exchange, "BTC/USDT")
    answers = recorder_round.Answers(MarketData(), ())
    silent = recorder_round.with_positions(answers, exchange, "mine", ["BTC/USDT"]).silences
    assert [(each.venue, each.table) for each in silent] == [("mine", "positions")]


def test_history_goes_on_where_it_stood(venue: str) -> None:
    history = recorder_round.History(recorder_round.sources_of([venue]), [ETH], 1, "1m")
    first, second = history.ask().data, history.ask().data
    assert (first.funding.height, second.funding.height) == (6, 0)
    assert first.candles.height > 300
    assert second.candles.filter(pl.col("venue_ms") <= first.candles["venue_ms"].max()).is_empty()


def test_a_venue_that_does_not_answer_is_silent() -> None:
    source = CcxtSource(Address.parse("mine=okx@http://127.0.0.1:1"))
    with pytest.raises(Exception, match="okx"):
        source.funding(ETH)


# --- served -----------------------------------------------------------------------------------------


@pytest.fixture
def served(recorded: Path) -> Iterator[tuple[Serving, Any]]:
    from exchange_os.signals import serving

    held = []

    def make() -> Any:
        held.append(serving.Desk.open(str(recorded)))
        return serving.application(held[0])

    running = Serving(make)
    yield running, held[0]
    running.close()
    held[0].close()


def get(running: Serving, path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", f"/api/v1/signals/{path}")
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text[:1] == b"{" else text.decode()
    finally:
        connection.close()


def test_reports_are_served_as_they_are_made(served: tuple[Serving, Any], recorded: Path) -> None:
    running, _ = served
    data = Recording.open(recorded).read()
    expected = make_report(data, symbol=ETH, at_ms=data.last_ms()).as_json()
    assert get(running, "symbols")[1]["data"] == [{"symbol": ETH}]
    assert get(running, f"report?symbol={ETH}")[1] == {"code": "0", "msg": "", "data": [expected]}
    screened = get(running, "screen?top=5")[1]["data"]
    assert [row["symbol"] for row in screened] == [ETH]
    status, page = get(running, f"page?symbol={ETH}")
    assert status == 200
    assert page.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("report", "the parameter symbol is missing"),
        ("report?symbol=XRP/USDT", "nothing is recorded of 'XRP/USDT'"),
        ("report?symbol=ETH/USDT&at_ms=-1", "at_ms is a whole number"),
        ("report?symbol=ETH/USDT&at_ms=5", "nothing is known of ETH/USDT"),
        ("screen?top=0", "top is a whole number from 1"),
        ("stream?symbol=", "the parameter symbol is missing"),
        ("page?symbol=%00", "nothing is recorded of"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(served: tuple[Serving, Any], path: str, message: str) -> None:
    status, answer = get(served[0], path)
    assert (status, answer["code"]) == (400, "51000")
    assert message in answer["msg"]


def test_nothing_recorded_yet_is_unavailable(tmp_path: Path) -> None:
    from exchange_os.signals import serving

    running = Serving(lambda: serving.application(serving.Desk.open(str(tmp_path / "empty"))))
    try:
        status, answer = get(running, f"report?symbol={ETH}")
        assert (status, answer["code"]) == (503, "50001")
        assert get(running, "symbols")[1]["data"] == []
    finally:
        running.close()


def test_a_stream_tells_each_round(served: tuple[Serving, Any], venue: str, exchange: xos.Exchange) -> None:
    running, desk = served
    connection = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=10)
    connection.request("GET", f"/api/v1/signals/stream?symbol={ETH}")
    answer = connection.getresponse()

    def next_report() -> Any:
        while (line := answer.fp.readline()) and not line.startswith(b"data: "):
            pass
        return json.loads(line.removeprefix(b"data: "))

    before = next_report()
    found = recorder_round.ask(recorder_round.sources_of([venue]), [ETH])
    rows = asyncio.run_coroutine_threadsafe(desk.add(found.data), running.loop).result()
    assert rows > 0
    after = next_report()
    assert after["at_ms"] > before["at_ms"]
    connection.close()


def figures_of(serving: subprocess.Popen[str]) -> dict[str, Any]:
    """Of the first report with a liquidation map."""
    assert serving.stdout is not None
    address = serving.stdout.readline().split("http://")[1].partition("/")[0]
    connection = http.client.HTTPConnection(address, timeout=30)
    figures: dict[str, Any] = {}
    while "liquidation.longs" not in figures:
        connection.request("GET", f"/api/v1/signals/report?symbol={ETH}")
        answer = json.loads(connection.getresponse().read())
        figures = {each["id"]: each for row in answer["data"] for each in row["figures"]}
    connection.close()
    return figures


def test_the_command_asks_records_and_serves(venue: str, tmp_path: Path) -> None:
    """`xos signals serve` in a process of its own, with the positions of a server; then the short report."""
    from exchange_os.server import Node, load_keys, make_keys

    keys = tmp_path / "keys.toml"
    make_keys(keys)
    with Node(traded(), load_keys(keys), address="127.0.0.1:0") as node:
        serving = subprocess.Popen(
            [
                *(sys.executable, "-c", "from exchange_os.cli import main; main()", "signals", "serve"),
                *("recording", ETH, "--venue", venue, "--history-days", "1", "--bars", "1m"),
                *("--positions-of", "mine", "--server", node.address, "--keys", str(keys), "--port", "0"),
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            figures = figures_of(serving)
        finally:
            serving.send_signal(signal.SIGTERM)
            serving.communicate()
        assert serving.returncode == 0
    assert figures["liquidation.longs"]["note"] == "exact"
    short = subprocess.run(
        [sys.executable, "-c", "from exchange_os.cli import main; main()", "signals", ETH, "--json"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert json.loads(short.stdout)["symbol"] == ETH
