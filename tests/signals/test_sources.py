"""Venue dialects through ccxt, on messages; the recorder and what it plays back."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange_os.errors import AlreadyOpen, Corrupt, InvalidArgument
from exchange_os.signals import recording
from exchange_os.signals.cleaning import clean
from exchange_os.signals.divergence import funding_divergence
from exchange_os.signals.liquidation_price import recorded_tiers
from exchange_os.signals.made_up import at, made_up
from exchange_os.signals.market_data import HOUR_MS, PERPETUAL, SPOT, MarketData
from exchange_os.signals.recording import Recorder, Recording
from exchange_os.signals.sources import dialects
from exchange_os.signals.sources.ccxt_source import CcxtSource

from .conftest import rows
from .venue_messages import BYBIT_TICKER, NOW_MS, VENUES, client_of

ETH = "ETH/USDT"
needs_ccxt = pytest.mark.skipif(
    importlib.util.find_spec("ccxt") is None, reason="ccxt is not installed: the extra `signals` brings it"
)


def source(venue: str, **more: Any) -> CcxtSource:
    return CcxtSource(venue, client_of(venue, **more), clock=lambda: NOW_MS)


def test_a_constructor_touches_nothing() -> None:
    found = CcxtSource("no such venue")
    assert found.venue == "no such venue"
    code = "import sys; import exchange_os.signals.sources.ccxt_source; sys.exit('ccxt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@needs_ccxt
def test_an_unknown_venue_is_refused_when_it_is_asked() -> None:
    with pytest.raises(InvalidArgument, match="no exchange 'no such venue'"):
        CcxtSource("no such venue").funding(ETH)


# --- funding ----------------------------------------------------------------------------------------


@needs_ccxt
@pytest.mark.parametrize(
    ("venue", "interval_s", "rate", "cap"),
    [
        ("binanceusdm", 4 * 3_600, 0.00003793, 0.00375),
        ("bybit", 8 * 3_600, 0.00004617, 0.005),
        ("okx", 4 * 3_600, 0.000024, 0.00375),
        ("hyperliquid", 3_600, 0.0000125, 0.04),
    ],
)
def test_every_venue_s_rate_has_its_interval_and_bounds(
    venue: str, interval_s: int, rate: float, cap: float
) -> None:
    row = source(venue).funding(ETH).row(0, named=True)
    assert (row["rate"], row["interval_s"], row["kind"]) == (rate, interval_s, "estimated")
    assert (row["cap"], row["floor"]) == (cap, -cap)
    assert row["symbol"] == ETH
    assert VENUES[venue][1] in row["source"]
    assert NOW_MS - 1_000 <= row["venue_ms"] <= row["received_ms"] == NOW_MS
    _, problems = clean(MarketData(funding=source(venue).funding(ETH)), NOW_MS)
    assert problems == []


@needs_ccxt
def test_a_perpetual_that_pays_no_funding_gives_no_row() -> None:
    none = {"public/funding-rate": {"code": "0", "msg": "", "data": []}}
    assert source("okx", **none).funding(ETH).is_empty()


@needs_ccxt
def test_binance_s_symbols_without_an_adjustment_settle_each_eight_hours() -> None:
    row = source("binanceusdm", **{"fapi/v1/fundingInfo": []}).funding(ETH).row(0, named=True)
    assert row["interval_s"] == 28_800
    assert row["next_funding_ms"] == 1_786_320_000_000


@needs_ccxt
def test_okx_s_settlement_is_the_first_of_its_two_times() -> None:
    row = source("okx").funding(ETH).row(0, named=True)
    assert row["next_funding_ms"] == 1_786_320_000_000
    assert row["venue_ms"] == NOW_MS - 900, "ccxt's own timestamp is empty"
    assert row["premium"] == -0.00002


def test_an_interval_that_nobody_tells_stays_empty_and_the_row_is_excluded() -> None:
    assert dialects.interval_s("somewhere", {"interval": None}, {}) is None
    frame = rows("funding", {"venue_ms": 1, "rate": 0.1, "kind": "estimated", "interval_s": None})
    kept, problems = clean(MarketData(funding=frame), 10)
    assert kept.funding.is_empty()
    assert [problem.what for problem in problems] == ["interval_missing"]


@needs_ccxt
def test_a_history_is_settled_and_its_interval_is_read_off_its_times() -> None:
    first = 1_786_291_200_000
    entries = [
        {"symbol": "ETHUSDT", "fundingTime": first + i * 4 * HOUR_MS + i % 7, "fundingRate": "0.0001"}
        for i in range(30)
    ]
    found = source("binanceusdm", **{"fapi/v1/fundingRate": entries}).funding_history(ETH, first)
    assert found.height == 30
    assert set(found["kind"]) == {"settled"}
    kept, _ = clean(MarketData(funding=found), first + 200 * HOUR_MS)
    assert set(kept.funding["interval_s"]) == {4 * 3_600}


# --- prices, bars, interest, books ------------------------------------------------------------------


@needs_ccxt
def test_a_perpetual_s_quote_has_mark_and_index(golden: dict[str, Any]) -> None:
    row = source("bybit").prices(ETH, PERPETUAL).row(0, named=True)
    assert (row["mark"], row["index"], row["last"]) == (1922.43, 1923.16, 1922.48)
    expected = golden["bybit_snapshot_2026_08_09"]["ETHUSDT"]["expect"]["basis_mark_bps"]
    assert 10_000 * (row["mark"] / row["index"] - 1) == pytest.approx(expected, abs=1e-4)


@needs_ccxt
def test_okx_tells_mark_and_index_elsewhere_and_its_volume_in_contracts_first() -> None:
    row = source("okx").prices(ETH, PERPETUAL).row(0, named=True)
    assert (row["mark"], row["index"], row["last"]) == (1922.43, 1923.16, 1922.55)
    assert row["base_volume_24h"] == 1_200_000, "ccxt's baseVolume is 12,000,000 contracts of 0.1"
    assert dialects.index_price("bybit", None, {}) is None
    assert dialects.index_price("okx", None, {"info": {}}) is None


@needs_ccxt
def test_bars_are_found_behind_pages_without_any() -> None:
    """A market that opened two days ago, asked for ten: the first pages end before its first bar."""
    known, asked = source("binanceusdm"), list[int]()

    def fetch_ohlcv(_symbol: str, _interval: str, since: int) -> list[list[float]]:
        asked.append(since)
        first = NOW_MS // 60_000 * 60_000 - 2 * 24 * HOUR_MS
        opened = range(max(first, -(-since // 60_000) * 60_000), min(since + 100 * 60_000, NOW_MS), 60_000)
        return [[time_ms, 1.0, 1.0, 1.0, 1.0, 1.0] for time_ms in opened]

    known.client.fetch_ohlcv = fetch_ohlcv
    found = known.candles(ETH, PERPETUAL, "1m", NOW_MS - 10 * 24 * HOUR_MS)
    assert found.height == 2 * 24 * 60
    assert found["venue_ms"].diff().drop_nulls().unique().to_list() == [60_000]
    assert len(asked) == 10 * 24 * 60 // 100 + 1


@needs_ccxt
@pytest.mark.parametrize("venue", ["binanceusdm", "okx", "gate"])
def test_only_closed_bars_come_with_their_close_and_volume_in_coins(venue: str) -> None:
    found = source(venue).candles(ETH, PERPETUAL, "1h", NOW_MS - 2 * HOUR_MS)
    assert found.height == 1
    row = found.row(0, named=True)
    assert row["venue_ms"] == NOW_MS // HOUR_MS * HOUR_MS
    assert row["base_volume"] == 1_000
    assert (row["interval_s"], row["close"]) == (3_600, 1_922.0)


@needs_ccxt
@pytest.mark.parametrize(
    ("venue", "coins"),
    [("binanceusdm", 1_500_000.5), ("bybit", 415_045.325), ("okx", 500_000.0), ("hyperliquid", 671_000.5)],
)
def test_open_interest_is_one_side_in_coins(venue: str, coins: float) -> None:
    assert source(venue).open_interest(ETH)["base_qty"].to_list() == [coins]


def test_bybit_s_single_open_interest_is_taken_as_it_is(golden: dict[str, Any]) -> None:
    two = golden["bybit_snapshot_2026_08_09"]["oi_two_sided_vs_single"]
    assert dialects.base_open_interest("bybit", {"info": BYBIT_TICKER}, 1.0) == two["singleOpenInterest"]
    halved = dialects.base_open_interest(
        "bybit", {"openInterestAmount": two["openInterest"], "info": {}}, 1.0
    )
    assert halved == pytest.approx(two["singleOpenInterest"], abs=0.01)
    assert dialects.base_open_interest("okx", {"info": []}, 0.1) is None


@needs_ccxt
def test_book_sizes_are_coins() -> None:
    okx = source("okx").book(ETH)
    assert okx["base_qty"].to_list() == [6.0, 4.0]
    assert okx["side"].to_list() == ["bid", "ask"]
    assert source("binanceusdm").book(ETH)["base_qty"].to_list() == [5.0, 4.0]


@needs_ccxt
def test_a_snapshot_names_what_is_silent_and_keeps_the_rest() -> None:
    found, silences = source("okx", **{"market/ticker": None}).snapshot(ETH)
    assert [(silence.venue, silence.table) for silence in silences] == [("okx", "prices")]
    assert "no answer for" in silences[0].why
    assert (found.funding.height, found.open_interest.height, found.books.height) == (1, 1, 2)
    assert source("gate").snapshot(ETH)[0].funding.is_empty(), "a venue that says nothing at all"
    assert {silence.table for silence in source("gate").snapshot(ETH)[1]} >= {"funding", "prices", "books"}


@needs_ccxt
def test_a_symbol_that_is_not_listed_or_no_longer_gives_nothing() -> None:
    client = client_of("binanceusdm")
    known = CcxtSource("binanceusdm", client, clock=lambda: NOW_MS)
    assert known.funding("XRP/USDT").is_empty()
    assert known.prices(ETH, SPOT).is_empty()
    client.markets["ETH/USDT:USDT"]["active"] = False
    assert known.funding(ETH).is_empty()
    assert known.candles(ETH, PERPETUAL, "1h", 0).is_empty()
    assert known.open_interest(ETH).is_empty()
    assert known.book(ETH).is_empty()
    assert known.funding_history(ETH, 0).is_empty()


@needs_ccxt
def test_tiers_are_read_where_they_are_in_quote_currency_and_told_to_everybody() -> None:
    data = MarketData(tiers=source("bybit").tiers(ETH))
    kept, problems = clean(data, NOW_MS)
    assert problems == []
    tiers = recorded_tiers(kept, symbol=ETH, venue="bybit", at_ms=NOW_MS)
    assert tiers is not None
    assert [(tier.notional_from, tier.maintenance_rate) for tier in tiers] == [(0, 0.005), (900_000, 0.01)]
    assert tiers[1].deduction == pytest.approx(4_500)
    assert recorded_tiers(kept, symbol=ETH, venue="okx", at_ms=NOW_MS) is None
    assert recorded_tiers(kept, symbol=ETH, venue="bybit", at_ms=NOW_MS - 1) is None
    for venue in ("okx", "hyperliquid"):
        assert source(venue).tiers(ETH).is_empty()


@needs_ccxt
def test_a_maintenance_rate_in_percent_is_found() -> None:
    """Bybit's documents show 0.5 for half a percent beside a leverage of 100."""
    wrong = source("bybit").tiers(ETH).with_columns(pl.col("maintenance_rate") * 100)
    kept, problems = clean(MarketData(tiers=wrong), NOW_MS)
    assert kept.tiers.is_empty()
    assert [problem.what for problem in problems] == ["unit_suspect"]
    second = wrong.with_columns(pl.col("maintenance_rate") / 100)[1:]
    assert recorded_tiers(MarketData(tiers=second), symbol=ETH, venue="bybit", at_ms=NOW_MS) is None


# --- liquidations -----------------------------------------------------------------------------------


def test_golden_sides_of_liquidations(golden: dict[str, Any]) -> None:
    for case in golden["liq_side"]:
        venue = case["venue"].split()[0]
        assert dialects.liquidated(venue, case) == case["liquidated"], case
    assert dialects.liquidated("okx", {"posSide": "net", "side": "buy"}) == "short"
    assert dialects.liquidated("bybit", {}) is None


@pytest.mark.parametrize(
    ("venue", "message", "position", "price", "qty"),
    [
        (
            "binance",
            {
                "e": "forceOrder",
                "o": {"s": "ETHUSDT", "S": "SELL", "q": "2", "p": "1900", "ap": "1901.5", "T": 5},
            },
            "long",
            1_901.5,
            2.0,
        ),
        ("bybit", {"T": 5, "s": "ETHUSDT", "S": "Sell", "v": "3", "p": "1950"}, "short", 1_950.0, 3.0),
        (
            "okx",
            {"posSide": "long", "side": "sell", "bkPx": "1890", "sz": "40", "ts": "5"},
            "long",
            1_890.0,
            4.0,
        ),
    ],
)
def test_a_liquidation_message_becomes_a_row(
    venue: str, message: dict[str, Any], position: str, price: float, qty: float
) -> None:
    row = dialects.liquidation_row(venue, ETH, message, contract_size=0.1, received_ms=9)
    assert (row["position"], row["price"], row["base_qty"]) == (position, price, pytest.approx(qty))
    assert (row["venue_ms"], row["received_ms"]) == (5, 9)
    frame = pl.DataFrame([row])
    assert clean(MarketData(liquidations=frame), 10)[1] == []


def test_unreadable_numbers_are_empty() -> None:
    assert [dialects.number(value) for value in ("", None, "x", [], "1.5", 2)] == [None] * 4 + [1.5, 2.0]


# --- recorder and replayer --------------------------------------------------------------------------


def test_what_is_recorded_is_read_back_in_the_order_of_receipt(tmp_path: Path) -> None:
    data = made_up(days=4)
    recorder = Recorder(tmp_path)
    half = at(2)
    later = {name: frame.filter(pl.col("received_ms") > half) for name, frame in data.items()}
    written = recorder.append(data.as_of(half)) + recorder.append(MarketData(**later))
    assert written == sum(frame.height for _, frame in data.items())
    back = Recording.open(tmp_path).read()
    for name, frame in data.items():
        ordered = frame.sort("received_ms", maintain_order=True)
        assert getattr(back, name).sort(pl.all()).equals(ordered.sort(pl.all())), name
        assert getattr(back, name)["received_ms"].is_sorted()
    assert not list(tmp_path.rglob("*.partial"))


def test_a_signal_says_the_same_of_live_recorded_and_replayed_rows(tmp_path: Path) -> None:
    data = made_up(days=100)
    Recorder(tmp_path).append(data)
    times = [at(95), at(95) + HOUR_MS]
    replayed = Recording.open(tmp_path).replay(step_ms=HOUR_MS, from_ms=times[0], to_ms=times[-1])
    seen = [(at_ms, funding_divergence(known, symbol=ETH, at_ms=at_ms)) for at_ms, known in replayed]
    assert seen == [(at_ms, funding_divergence(data, symbol=ETH, at_ms=at_ms)) for at_ms in times]


@given(st.lists(st.integers(0, 10), min_size=1, max_size=4), st.integers(-1, 11), st.integers(-1, 11))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
def test_a_span_is_read_exactly(
    tmp_path_factory: pytest.TempPathFactory, hours: list[int], begin: int, end: int
) -> None:
    folder = tmp_path_factory.mktemp("recording")
    start = at(0) + 19 * HOUR_MS  # so that midnight lies within
    recorder = Recorder(folder)
    for place, hour in enumerate(hours):
        when = start + hour * HOUR_MS
        recorder.append(MarketData(funding=rows("funding", {"venue_ms": when, "rate": 1e-4 * (place + 1)})))
    limits = start + begin * HOUR_MS, start + end * HOUR_MS
    found = Recording.open(folder).read(from_ms=limits[0], to_ms=limits[1]).funding
    assert sorted(found["venue_ms"]) == sorted(
        start + hour * HOUR_MS for hour in hours if begin <= hour <= end
    )


def test_two_recorders_in_turn_overwrite_nothing(tmp_path: Path) -> None:
    one = MarketData(funding=rows("funding", {"venue_ms": 1_000, "rate": 0.0001}))
    for _ in range(3):
        with Recorder(tmp_path) as recorder:
            recorder.append(one)
    assert Recording.open(tmp_path).read().funding.height == 3
    with Recorder(tmp_path), pytest.raises(AlreadyOpen, match="another recorder"):
        Recorder(tmp_path)


def test_a_recorder_that_asks_every_minute_leaves_few_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "FILE_ROWS", 10)

    def minute(place: int) -> MarketData:
        told = [
            {"venue_ms": at(0) + place * 60_000, "rate": 1e-4, "symbol": name} for name in (ETH, "BTC/USDT")
        ]
        return MarketData(funding=rows("funding", *told))

    for begun in (0, 7):  # the second recorder goes on in the file of the first
        with Recorder(tmp_path) as recorder:
            for place in range(begun, begun + 7):
                assert recorder.append(minute(place)) == 2
    kept = Recording.open(tmp_path)
    assert len(kept.files("funding")) == 3, "28 rows, a file takes no more once it has 10"
    found = kept.read().funding
    assert found["venue_ms"].to_list() == [at(0) + place * 60_000 for place in range(14) for _ in range(2)]
    assert set(kept.read(symbols=["BTC/USDT"]).funding["symbol"]) == {"BTC/USDT"}
    assert kept.read(symbols=["BTC/USDT"]).funding.height == 14
    assert kept.read(symbols=[]).funding.is_empty()


def test_a_damaged_file_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="holds no recording"):
        Recording.open(tmp_path)
    Recorder(tmp_path).append(MarketData(funding=rows("funding", {"venue_ms": 1_000, "rate": 0.0001})))
    (file,) = Recording.open(tmp_path).files("funding")
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(Corrupt) as caught:
        Recording.open(tmp_path).read()
    assert caught.value.file == str(file)
    with pytest.raises(InvalidArgument):
        list(Recording.open(tmp_path).replay(step_ms=0, from_ms=0, to_ms=1))


def test_a_half_written_file_is_not_read(tmp_path: Path) -> None:
    data = MarketData(funding=rows("funding", {"venue_ms": 1_000, "rate": 0.0001}))
    Recorder(tmp_path).append(data)
    (file,) = Recording.open(tmp_path).files("funding")
    file.with_name("2-000001.partial").write_bytes(b"half")
    assert Recording.open(tmp_path).read().funding.height == 1
    unreceived = data.funding.with_columns(received_ms=pl.lit(None, pl.Int64))
    given_data = replace(data, funding=unreceived)
    with Recorder(tmp_path) as recorder, pytest.raises(InvalidArgument, match="never received"):
        recorder.append(given_data)
