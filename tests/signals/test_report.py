"""The report: text, JSON and sentences of the same figures; the commands on a recording."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from exchange_os.cli import main as xos
from exchange_os.errors import InvalidArgument
from exchange_os.signals.made_up import at, made_up
from exchange_os.signals.market_data import DAY_MS, HOUR_MS, MarketData
from exchange_os.signals.origin import Figure, Origin
from exchange_os.signals.picture import draw_report, html_page
from exchange_os.signals.recording import Recorder, Recording
from exchange_os.signals.report import Report, ReportSettings, make_report
from exchange_os.signals.screen import screen, split_by_symbol
from exchange_os.signals.sources import recorder_round
from exchange_os.signals.sources.ccxt_source import CcxtSource
from exchange_os.signals.words import say

from .conftest import rows
from .test_divergence import NOW_MS, article
from .test_no_look_ahead import changed_after
from .test_sources import needs_ccxt
from .venue_messages import NOW_MS as MESSAGES_MS
from .venue_messages import client_of

ETH = "ETH/USDT"
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")


@pytest.fixture(scope="module")
def market() -> MarketData:
    return made_up(days=100)


@pytest.fixture(scope="module")
def report(market: MarketData) -> Report:
    return make_report(market, symbol=ETH, at_ms=at(99) + 1_234)


def test_every_part_is_there(report: Report) -> None:
    sections = {figure.id.partition(".")[0] for figure in report.figures}
    assert sections == {
        "funding",
        "divergence",
        "clock",
        "carry",
        "regime",
        "volatility",
        "momentum",
        "strength",
        "levels",
        "liquidation",
        "context",
        "bias",
    }
    assert len({figure.id for figure in report.figures}) == len(report.figures)
    assert report.problems == ()
    assert report.silent == ()


@pytest.mark.parametrize("everything", [False, True])
def test_text_and_json_agree_figure_by_figure(report: Report, everything: bool) -> None:
    told = {row["id"]: row for row in json.loads(json.dumps(report.as_json()))["figures"]}
    lines = [line.split() for line in report.text(everything=everything).splitlines()]
    printed = {words[0]: " ".join(words[1:]) for words in lines if words and words[0] in told}
    assert set(printed) == set(told) if everything else set(printed) < set(told)
    for id_, line in printed.items():
        assert line.startswith(told[id_]["text"]), id_
        assert line.endswith(told[id_]["note"] or told[id_]["venue"]), id_


def test_every_number_of_a_sentence_is_in_the_json(report: Report) -> None:
    told = report.as_json()
    known = {number for row in told["figures"] for number in NUMBER.findall(f"{row['text']} {row['note']}")}
    assert len(told["sentences"]) >= 5
    for sentence in told["sentences"]:
        said = re.sub(r"\(\w+\)", "", sentence["text"])  # the label of a horizon
        assert set(NUMBER.findall(said)) <= known, sentence
        assert all(any(row["id"] == id_ for row in told["figures"]) for id_ in sentence["figures"])


def test_every_figure_says_where_it_is_from(report: Report) -> None:
    for row in report.as_json()["figures"]:
        assert row["venue"], row
        assert row["source"] in {"made up", "walk-forward on closed bars"}
        assert row["formula"]
        assert row["age_ms"] >= 1_234 - 0
        assert row["venue_ms"] + row["age_ms"] == report.at_ms


def test_a_missing_figure_silences_its_sentence() -> None:
    origin = Origin("okx", "x", 0, 0)
    figures = {"a.b": Figure("a.b", 1.0, "bps", "f", origin), "a.c": Figure("a.c", None, "bps", "f", origin)}
    spoken = say("rule", "It is {a.b}.", figures)
    assert spoken is not None
    assert spoken.text == "It is 1.0000 bps."
    assert say("rule", "It is {a.b} and {a.c}.", figures) is None
    assert say("rule", "It is {a.d}.", figures) is None


# --- the article ------------------------------------------------------------------------------------


def test_the_article_as_it_was_printed_is_silenced() -> None:
    found = make_report(article(0.003793), symbol=ETH, at_ms=NOW_MS)
    text = found.text()
    assert "Data conflict: funding of binance does not fit the premium" in text
    assert "quarantined" in text
    for word in ("extreme", "pays", "crowded", "Basis trade on binance"):
        assert word not in text, word


def test_the_article_as_it_was_likely_meant_is_ordinary() -> None:
    found = make_report(article(0.00003793), symbol=ETH, at_ms=NOW_MS)
    figures = {figure.id: figure for figure in found.figures}
    assert figures["funding.binance.per_year"].text() == "4.1533 % a year"
    assert figures["divergence.spread_per_year"].text() == "1.5253 % a year"
    assert figures["divergence.rating"].value == "normal"
    net = [figures[f"carry.binance.net_{label}"].value for label in ("next", "7d", "30d")]
    assert all(isinstance(value, float) and value < 0 for value in net)
    said = [sentence.text for sentence in found.sentences]
    assert "binance pays 0.1393 bps per 8 h more than okx (1.5253 % a year): normal." in said
    assert "No basis trade earns its four fills back within the horizons shown." in said
    assert "crowded" not in found.text()


# --- bad input and time -----------------------------------------------------------------------------


def test_problems_and_silent_venues_are_named(market: MarketData) -> None:
    silent = market.funding.filter(~((pl.col("venue") == "okx") & (pl.col("received_ms") > at(60))))
    broken = silent.with_columns(
        pl.when((pl.col("venue") == "bybit") & (pl.col("kind") == "estimated"))
        .then(pl.lit(None, pl.Int64))
        .otherwise("interval_s")
        .alias("interval_s")
    )
    found = make_report(replace(market, funding=broken), symbol=ETH, at_ms=at(99))
    assert found.silent == ("bybit", "okx")
    assert any("bybit" in str(problem) and "interval_missing" in str(problem) for problem in found.problems)
    text = found.text()
    assert "silent: bybit, okx" in text
    assert "interval_missing" in text
    assert "Funding cannot be rated" in text


def test_a_report_does_not_change_with_the_future(market: MarketData) -> None:
    at_ms = at(95) + 5
    whole = make_report(market, symbol=ETH, at_ms=at_ms)
    for other in (changed_after(market, at_ms), market.as_of(at_ms)):
        assert make_report(other, symbol=ETH, at_ms=at_ms).as_json() == whole.as_json()


def test_the_map_says_whose_tiers_it_reads(market: MarketData) -> None:
    def note(data: MarketData) -> str:
        found = make_report(data, symbol=ETH, at_ms=at(99))
        return next(figure.note for figure in found.figures if figure.id == "liquidation.longs")

    tier = {"venue_ms": at(50), "notional_from": 0.0, "maintenance_rate": 0.02, "leverage_max": 20.0}
    assert "assumed tiers" in note(market)
    assert "tiers of binance" in note(replace(market, tiers=rows("tiers", tier)))


def test_a_symbol_that_nobody_knows_is_refused(market: MarketData) -> None:
    with pytest.raises(InvalidArgument, match="nothing is known of XRP/USDT"):
        make_report(market, symbol="XRP/USDT", at_ms=at(99))
    with pytest.raises(InvalidArgument, match="nothing is known"):
        make_report(market, symbol=ETH, at_ms=at(-1))


def test_one_table_alone_gives_what_it_can(market: MarketData) -> None:
    for table in ("candles", "funding", "prices", "open_interest"):
        alone = MarketData(**{table: getattr(market, table)})
        text = make_report(alone, symbol=ETH, at_ms=at(99)).text()
        assert text.startswith("ETH/USDT at ")
    venue = make_report(market, symbol=ETH, at_ms=at(99), settings=ReportSettings(venue="okx"))
    assert venue.signals.bars is not None
    assert venue.signals.bars.venue == "okx"


def test_recorded_markets_have_a_report_with_a_judged_bias(three_venues: MarketData) -> None:
    found = make_report(three_venues, symbol=ETH, at_ms=three_venues.last_ms() - 8 * HOUR_MS)
    assert found.signals.bias is not None
    assert found.signals.bias.evaluation is not None
    figures = {figure.id: figure for figure in found.figures}
    assert figures["bias.brier"].value == pytest.approx(0.2487, abs=5e-4)
    assert figures["divergence.rating"].value == "elevated"
    assert found.signals.divergence.samples == 269


# --- pictures ---------------------------------------------------------------------------------------


def test_pictures_are_written_and_the_page_needs_nothing_else(
    report: Report, market: MarketData, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    png, svg = tmp_path / "a.png", tmp_path / "a.svg"
    assert draw_report(report, market, png)
    assert draw_report(report, market, svg)
    assert png.read_bytes()[:4] == b"\x89PNG"
    page = html_page(report, market)
    assert page.count("<svg") == 1
    assert not re.search(r"""(?:src|href)=["']https?:""", page)
    for row in report.as_json()["figures"]:
        assert f"<td>{row['id']}</td>" in page


# --- screening --------------------------------------------------------------------------------------


def test_a_screen_ranks_the_widest_first_and_quarantined_last(market: MarketData) -> None:
    wide = market.funding.filter(pl.col("symbol") == ETH).with_columns(
        symbol=pl.lit("WIDE/USDT"),
        rate=pl.when(pl.col("venue") == "okx").then(pl.col("rate") + 0.0004).otherwise("rate"),
    )
    prices = market.prices.filter(pl.col("symbol") == ETH)
    odd = wide.with_columns(
        symbol=pl.lit("ODD/USDT"),
        rate=pl.when((pl.col("venue") == "okx") & (pl.col("received_ms") == at(99)))
        .then(pl.lit(0.05))
        .otherwise("rate"),
    )
    data = replace(
        market,
        funding=pl.concat([market.funding, wide, odd]),
        prices=pl.concat([market.prices, prices.with_columns(symbol=pl.lit("ODD/USDT"))]),
    )
    found = screen(data, at_ms=at(99))
    assert found[0].symbol == "WIDE/USDT"
    assert {row.symbol for row in found} == {ETH, "BTC/USDT", "WIDE/USDT", "ODD/USDT"}
    assert (found[-1].symbol, str(found[-1].rating)) == ("ODD/USDT", "quarantined")
    assert [row.symbol for row in screen(data.of_symbol(ETH), at_ms=at(99))] == [ETH]


def test_splitting_keeps_every_row(market: MarketData) -> None:
    parts = split_by_symbol(market)
    assert list(parts) == ["BTC/USDT", ETH]
    for table, frame in market.items():
        assert sum(getattr(part, table).height for part in parts.values()) == frame.height


# --- commands ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(market: MarketData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("recording")
    Recorder(place).append(market)
    return place


def run(*arguments: object) -> Result:
    return CliRunner().invoke(xos, ["signals", *map(str, arguments)])


def test_the_report_command_prints_the_report(folder: Path, market: MarketData, tmp_path: Path) -> None:
    expected = make_report(market, symbol=ETH, at_ms=market.last_ms())
    assert run("report", folder, ETH).output == expected.text() + "\n"
    assert run("report", folder, ETH, "--all").output == expected.text(everything=True) + "\n"
    told = json.loads(run("report", folder, ETH, "--json").output)
    assert told == json.loads(json.dumps(expected.as_json()))
    page = tmp_path / "page.html"
    assert run("report", folder, ETH, "--html", page, "--picture", tmp_path / "a.svg").exit_code == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    early = json.loads(run("report", folder, ETH, "--at", "2024-01-20T08:00", "--json").output)
    assert early["at"] == "2024-01-20 08:00:00 UTC"


def test_what_cannot_be_reported_is_refused(folder: Path, tmp_path: Path) -> None:
    empty = run("report", tmp_path, ETH)
    assert (empty.exit_code, "holds no recording" in empty.output) == (3, True)
    assert run("report", folder, "XRP/USDT").exit_code == 3
    assert run("report", folder, ETH, "--at", "yesterday").exit_code == 2
    refused = json.loads(run("report", folder, "XRP/USDT", "--json").output)
    assert refused["error"]["name"] == "InvalidArgument"


def test_the_screen_command_ranks(folder: Path) -> None:
    lines = run("screen", folder).output.splitlines()
    assert lines[0].split()[:2] == ["symbol", "rating"]
    assert len(lines) == 3
    told = json.loads(run("screen", folder, "--json", "--top", 1).output)
    assert len(told["symbols"]) == 1
    assert told["symbols"][0]["symbol"] == lines[1].split()[0]


def test_the_evaluate_command_judges(tmp_path: Path) -> None:
    from .test_bias import eight_hours

    data = eight_hours(made_up(days=300))
    Recorder(tmp_path).append(data)
    told = json.loads(run("evaluate", tmp_path, ETH, "--venue", "okx", "--json").output)
    assert told["calls"] > 300
    assert told["trials"] == 2
    text = run("evaluate", tmp_path, ETH, "--venue", "okx").output
    assert "base_rate_brier" in text
    assert len(text.splitlines()) > 20
    few = run("evaluate", tmp_path, ETH, "--venue", "okx", "--interval-s", 3_600)
    assert (few.exit_code, "too few to judge" in few.output) == (3, True)


@needs_ccxt
def test_recording_an_unknown_venue_is_refused(tmp_path: Path) -> None:
    for more in ([], ["--history-days", "1"]):
        refused = run("record", tmp_path, ETH, "--venue", "nowhere", *more)
        assert (refused.exit_code, "knows no exchange 'nowhere'" in refused.output) == (3, True)


@needs_ccxt
def test_the_record_command_appends_and_names_who_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sources(venues: tuple[str, ...]) -> list[CcxtSource]:
        silent = {"okx": {"market/ticker": None}}
        clients = {venue: client_of(venue, **silent.get(venue, {})) for venue in venues}
        return [CcxtSource(venue, clients[venue], clock=lambda: MESSAGES_MS) for venue in venues]

    monkeypatch.setattr(recorder_round, "sources_of", sources)
    monkeypatch.setattr(recorder_round, "now_ms", lambda: MESSAGES_MS)
    arguments = ["record", tmp_path, ETH, "--venue", "bybit", "--venue", "okx", "--history-days", 1]
    told: dict[str, Any] = json.loads(run(*arguments, "--json").output)
    recorded = Recording.open(tmp_path).read()
    assert told["rows"] == sum(frame.height for _, frame in recorded.items()) > 5
    assert any(line.startswith("okx prices") for line in told["silent"])
    found = make_report(recorded, symbol=ETH, at_ms=recorded.last_ms())
    figures = {figure.id: figure.text() for figure in found.figures}
    assert figures["funding.bybit.per_year"] == "5.0556 % a year"
    assert figures["funding.okx.per_year"] == "5.2560 % a year"
    assert figures["clock.bybit"] == "2.5503 h to funding"
    assert figures["carry.bybit.basis"].endswith("bps")


def test_replaying_four_years_of_funding_gives_every_window(four_years: pl.DataFrame, tmp_path: Path) -> None:
    from exchange_os.signals.divergence import DivergenceSettings, funding_divergence
    from exchange_os.signals.rates import FundingKind

    Recorder(tmp_path).append(MarketData(funding=four_years))
    recording = Recording.open(tmp_path)
    last = recording.read().last_ms() - DAY_MS
    settings = DivergenceSettings(kind=FundingKind.SETTLED)
    ratings = [
        str(funding_divergence(known, symbol=ETH, at_ms=at_ms, settings=settings).rating)
        for at_ms, known in recording.replay(step_ms=30 * DAY_MS, from_ms=last - 600 * DAY_MS, to_ms=last)
    ]
    assert len(ratings) == 21
    assert "unknown" not in ratings
    assert "normal" in ratings
