"""Public endpoints: time, instruments, books, tickers, trades, candles, prices and funding."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from exchange_os._core import InstrumentState
from exchange_os.api.codes import Refused, Row
from exchange_os.api.desk import TYPES, Desk, underlying
from exchange_os.api.keys import now_ms
from exchange_os.api.numbers import blank, decimal_of, limit_of, ms, size, text, trade_text, word
from exchange_os.api.past import PastTrades, Span
from exchange_os.results import Instrument, Trade

Fields = Mapping[str, Any]

BOOK_LEVELS_MAX = 400
_DAY_MS = 86_400_000
_NOTHING = Decimal(0)
_HOUR_NS = 3_600 * 10**9
_PPM = Decimal(1_000_000)
_STATES = {
    InstrumentState.CONTINUOUS: "live",
    InstrumentState.REDUCE_ONLY: "live",
    InstrumentState.POST_ONLY: "post_only",
    InstrumentState.AUCTION: "preopen",
    InstrumentState.SETTLED: "expired",
}
BARS_S = {
    "1s": 1,
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1H": 3_600,
    "2H": 7_200,
    "4H": 14_400,
}
BARS_S |= {"6H": 21_600, "12H": 43_200, "1D": 86_400}
_EMPTY = (
    "alias auctionEndTime category contTdSwTime ctMult ctType ctVal ctValCcy expTime groupId listTime "
    "maxPlatOILmt openType optType posLmtAmt posLmtPct preMktSwTime seriesId settleCcy stk"
)


def time_now(_desk: Desk, _fields: Fields) -> list[Row]:
    return [{"ts": str(now_ms())}]


def status(_desk: Desk, _fields: Fields) -> list[Row]:
    """No maintenance is planned: an engine that stops says so on every path."""
    return []


def instruments(desk: Desk, fields: Fields) -> list[Row]:
    return [instrument_row(desk, each) for each in desk.instruments(fields)]


def instrument_row(desk: Desk, each: Instrument) -> Row:
    """All keys of an instrument; sizes of a perpetual are contracts of one lot."""
    terms, swap, spot = desk.terms(each), each.product == "perpetual", each.product == "spot"
    most, least = (size(each, each.lot_size * terms[f"qty_{end}_lots"]) for end in ("max", "min"))
    row: Row = blank(_EMPTY)
    row |= {
        "instType": TYPES[each.product],
        "instId": each.symbol,
        "instIdCode": each.number,
        "uly": underlying(each),
        "instFamily": underlying(each),
        "baseCcy": each.base or "",
        "quoteCcy": "" if swap else each.quote,
        "settleCcy": "" if spot else each.quote,
        "tickSz": text(each.tick_size),
        "lotSz": size(each, each.lot_size),
        "minSz": least,
        "lever": str(1_000_000 // terms["initial_margin_ppm"]) if swap else "",
        "state": _STATES.get(each.accepts, "suspend"),
        "ruleType": "normal",
        "instCategory": "1",
        "seriesId": each.question or "",
        "tradeQuoteCcyList": [each.quote] if spot else [],
        "futureSettlement": False,
        "upcChg": [],
    }
    limits = "maxLmtSz maxMktSz maxTwapSz maxIcebergSz maxTriggerSz maxStopSz"
    row |= dict.fromkeys(limits.split(), most) | {"maxLmtAmt": "", "maxMktAmt": ""}
    if swap:
        row |= {"ctType": "linear", "ctVal": text(each.lot_size), "ctMult": "1"}
        row |= {"ctValCcy": underlying(each).split("-", 1)[0]}
    return row


def tickers(desk: Desk, fields: Fields) -> list[Row]:
    found, kept = desk.instruments(fields), desk.exchange.trades_array()
    return [ticker_row(desk, each, PastTrades(each, kept)) for each in found]


def ticker(desk: Desk, fields: Fields) -> list[Row]:
    each = desk.instrument(fields)
    return [ticker_row(desk, each, PastTrades(each, desk.exchange.trades_array()))]


def ticker_row(desk: Desk, each: Instrument, past: PastTrades) -> Row:
    """The best prices now and the trades of 24 hours, as far as trades are kept."""
    book, moment = desk.exchange.book(each.symbol, 1), now_ms()
    day, last_qty = past.since(moment - _DAY_MS), past.last_qty
    row = {"instType": TYPES[each.product], "instId": each.symbol, "ts": str(moment)}
    row |= {"last": text(each.last_price), "lastSz": "" if last_qty is None else size(each, last_qty)}
    for side, levels in (("ask", book.asks), ("bid", book.bids)):
        row |= {f"{side}Px": text(levels[0].price) if levels else ""}
        row |= {f"{side}Sz": size(each, levels[0].qty) if levels else ""}
    first, high, low = (day.open, day.high, day.low) if day else (each.last_price,) * 3
    row |= {"open24h": text(first), "sodUtc0": text(first), "sodUtc8": text(first)}
    row |= {"high24h": text(high), "low24h": text(low)}
    volume, value = (day.volume, day.value) if day else (_NOTHING, _NOTHING)
    row |= {"vol24h": size(each, volume)}
    row |= {"volCcy24h": text(volume if each.product == "perpetual" else value)}
    return row


def books(desk: Desk, fields: Fields) -> list[Row]:
    """The best levels: price, size, "0", orders. `seqId` is the sequence of the log."""
    wanted = word(fields, "sz", "1")
    depth = int(decimal_of("sz", wanted))
    each = desk.instrument(fields)
    book = desk.exchange.book(each.symbol, max(1, min(depth, BOOK_LEVELS_MAX)))
    sides = {
        name: [[text(level.price), size(each, level.qty), "0", str(level.orders)] for level in levels]
        for name, levels in (("asks", book.asks), ("bids", book.bids))
    }
    return [{**sides, "ts": str(now_ms()), "seqId": book.sequence}]


def trades(desk: Desk, fields: Fields) -> list[Row]:
    """Newest first."""
    each = desk.instrument(fields)
    found = desk.exchange.trades(each.symbol, limit_of(fields, 500, 100))
    return [trade_row(each, trade) for trade in reversed(found)]


def trade_row(each: Instrument, trade: Trade) -> Row:
    """A trade as everybody sees it."""
    return {
        "instId": each.symbol,
        "tradeId": trade_text(trade.trade_id),
        "px": text(trade.price),
        "sz": size(each, trade.qty),
        "side": trade.side,
        "source": "0",
        "ts": ms(trade.time_ns),
    }


def candles(desk: Desk, fields: Fields) -> list[list[str]]:
    """Candles of the kept trades, newest first; an interval without a trade has none."""
    each, bar = desk.instrument(fields), word(fields, "bar", "1m").removesuffix("utc")
    if bar not in BARS_S:
        raise Refused("51000", f"Parameter bar error: {bar[:20]!r}, expected one of {', '.join(BARS_S)}.")
    span_ms, moment = BARS_S[bar] * 1_000, now_ms()
    after, before = (int(decimal_of(name, word(fields, name, "-1"))) for name in ("after", "before"))
    past = PastTrades(each, desk.exchange.trades_array())
    spans = past.candles(span_ms, after, before, limit_of(fields, 300, 100))
    return [_candle(each, span, over=span.begin_ms + span_ms <= moment) for span in spans]


def _candle(each: Instrument, span: Span, *, over: bool) -> list[str]:
    shape = [text(price) for price in (span.open, span.high, span.low, span.close)]
    base = span.volume if each.product == "perpetual" else span.value
    traded = [size(each, span.volume), text(base), text(span.value)]
    return [str(span.begin_ms), *shape, *traded, "1" if over else "0"]


def mark_price(desk: Desk, fields: Fields) -> list[Row]:
    return [
        {
            "instType": TYPES[each.product],
            "instId": each.symbol,
            "markPx": text(each.mark_price),
            "ts": str(now_ms()),
        }
        for each in desk.instruments(fields, needs_type="instId" not in fields)
        if each.mark_price is not None
    ]


def index_tickers(desk: Desk, fields: Fields) -> list[Row]:
    """Of an underlying ("BTC-USDC"), by `instId`, or of all that are quoted in `quoteCcy`."""
    name, quote = word(fields, "instId", ""), word(fields, "quoteCcy", "")
    if not name and not quote:
        raise Refused("50015", "Either parameter quoteCcy or instId is required.")
    row: Row = dict.fromkeys(("high24h", "low24h", "open24h", "sodUtc0", "sodUtc8"), "")
    return [
        {"instId": underlying(each), "idxPx": text(each.index_price), **row, "ts": str(now_ms())}
        for each in desk.exchange.instruments()
        if each.index_price is not None and name in {"", underlying(each)} and quote in {"", each.quote}
        if each.product == "perpetual"
    ]


def insurance_fund(desk: Desk, _fields: Fields) -> list[Row]:
    total, asset = text(desk.exchange.insurance_fund()), desk.exchange.assets[0]
    moment = str(now_ms())
    detail = {"balance": total, "ccy": asset, "amt": "", "type": "", "ts": moment, "adlType": ""}
    return [{"total": total, "instType": "SWAP", "instFamily": "", "details": [detail]}]
