"""What each venue means by what it says: the traps between ccxt's unified answers and our tables.

Every rule here has a test on a message of that venue. A venue without rules of its own is read as ccxt reads
it, and a value that cannot be read safely stays empty, so that cleaning names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

HOUR_S = 3_600
BINANCE_DEFAULT_S = 8 * HOUR_S
"""`fundingInfo` lists adjusted symbols only: what it leaves out settles each 8 h."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to read one venue."""

    quote: str | None = None
    """The quote that its perpetuals have instead of USDT."""
    default_interval_s: int | None = None
    """What an interval is when the venue tells only the exceptions."""
    merge_intervals: bool = False
    """Ask `fetchFundingIntervals` too: the rate itself comes without."""
    open_interest_sides: int = 1
    """2: the venue counts both sides of a contract."""
    candles_in_contracts: bool = False
    """ccxt gives the volume of a perpetual's bar in contracts."""
    tiers_in_contracts: bool = False
    """The floors of its maintenance tiers are contracts, not a notional: they are left out."""
    funding_cap: float | None = None
    """Of the rate per interval, where the venue publishes one for all symbols."""


DIALECTS: dict[str, Dialect] = {
    "binanceusdm": Dialect(default_interval_s=BINANCE_DEFAULT_S, merge_intervals=True),
    "bybit": Dialect(open_interest_sides=2),
    "okx": Dialect(tiers_in_contracts=True),
    "hyperliquid": Dialect(quote="USDC", default_interval_s=HOUR_S, funding_cap=0.04),
    "gate": Dialect(candles_in_contracts=True),
}


def dialect_of(venue: str) -> Dialect:
    return DIALECTS.get(venue, Dialect())


def number(value: Any) -> float | None:
    """A float from what a venue sends; None for empty, absent or unreadable."""
    try:
        return None if value is None or value == "" else float(value)
    except (TypeError, ValueError):
        return None


def whole(value: Any) -> int | None:
    found = number(value)
    return None if found is None else round(found)


def interval_s(venue: str, rate: dict[str, Any], intervals: dict[str, Any]) -> int | None:
    """Seconds of the funding interval, from the first place that tells; None if none does.

    ccxt's `interval` is empty for Binance's rates; there `intervals` (its `fetchFundingIntervals`) has the
    adjusted symbols. Bybit's ticker tells hours. OKX tells this and the next settlement.
    """
    info = rate.get("info") or {}
    told = _hours(rate.get("interval"))
    if told is None:
        told = _hours((intervals.get(rate.get("symbol", "")) or {}).get("interval"))
    if told is None:
        told = number(info.get("fundingIntervalHour")) or number(info.get("fundingIntervalHours"))
    if told is None and venue == "okx":
        this, following = number(info.get("fundingTime")), number(info.get("nextFundingTime"))
        told = (following - this) / 3_600_000 if this and following and following > this else None
    if told is None:
        return dialect_of(venue).default_interval_s
    return round(told * HOUR_S)


def _hours(interval: Any) -> float | None:
    text = str(interval or "")
    return number(text[:-1]) if text.endswith("h") else None


def bounds(venue: str, rate: dict[str, Any], intervals: dict[str, Any]) -> tuple[float | None, float | None]:
    """Cap and floor of the rate per interval, where the venue tells."""
    info = rate.get("info") or {}
    adjusted = (intervals.get(rate.get("symbol", "")) or {}).get("info") or {}
    everywhere = dialect_of(venue).funding_cap
    cap = _first(info.get("maxFundingRate"), info.get("fundingCap"), adjusted.get("adjustedFundingRateCap"))
    floor = _first(info.get("minFundingRate"), adjusted.get("adjustedFundingRateFloor"))
    if cap is None:
        cap = everywhere
    if floor is None and cap is not None:
        floor = -cap
    return cap, floor


def _first(*values: Any) -> float | None:
    return next((found for value in values if (found := number(value)) is not None), None)


def venue_ms(answer: dict[str, Any], received_ms: int) -> int:
    """The venue's time of an answer. OKX's rate carries it only in the raw message; Hyperliquid's nowhere, so
    there it is the time of receipt."""
    info = answer.get("info")
    raw = info.get("ts") if isinstance(info, dict) else None
    return whole(answer.get("timestamp")) or whole(raw) or received_ms


def base_open_interest(venue: str, answer: dict[str, Any], contract_size: float) -> float | None:
    """One side's open interest in coins.

    OKX's amount is in contracts: its raw `oiCcy` is in coins. Bybit counts both sides, but for a message that
    has `singleOpenInterest`. Elsewhere ccxt's amount is contracts or coins with a contract size of 1.
    """
    info = answer.get("info")
    raw: dict[str, Any] = info if isinstance(info, dict) else {}
    single = number(raw.get("singleOpenInterest"))
    if single is not None:
        return single
    coins = number(raw.get("oiCcy"))
    if coins is not None:
        return coins
    amount = number(answer.get("openInterestAmount"))
    if amount is None:
        return None
    return amount * contract_size / dialect_of(venue).open_interest_sides


def base_volume(venue: str, ticker: dict[str, Any], *, of_perpetual: bool) -> float | None:
    """The volume of 24 hours in coins. ccxt's of an OKX perpetual is in contracts: the raw `volCcy24h` is in
    coins there (of a spot market it is in quote currency)."""
    raw = ticker.get("info") or {}
    if venue == "okx" and of_perpetual:
        return number(raw.get("volCcy24h"))
    return number(ticker.get("baseVolume"))


def index_price(venue: str, client: Any, market: dict[str, Any]) -> float | None:
    """Where neither ticker nor funding rate has it: OKX tells it by the underlying."""
    if venue != "okx":
        return None
    name = (market.get("info") or {}).get("uly")
    answer = client.publicGetMarketIndexTickers({"instId": name}) if name else {}
    rows = answer.get("data") or [{}]
    return number(rows[0].get("idxPx"))


LIQUIDATED_BY_ORDER_SIDE = {"buy": "short", "sell": "long"}
"""The side of the closing order: a long is closed by selling."""
LIQUIDATED_BY_POSITION_SIDE = {"buy": "long", "sell": "short"}


def liquidated(venue: str, message: dict[str, Any]) -> str | None:
    """`long` or `short`, from a venue's raw liquidation message.

    Binance and BitMEX tell the side of the order, Bybit the side of the position, OKX names the position.
    """
    if venue == "okx":
        position = str(message.get("posSide") or "").lower()
        if position in {"long", "short"}:
            return position
    side = str(message.get("S") or message.get("side") or "").lower()
    words = LIQUIDATED_BY_POSITION_SIDE if venue == "bybit" else LIQUIDATED_BY_ORDER_SIDE
    return words.get(side)


def liquidation_row(
    venue: str, symbol: str, message: dict[str, Any], *, contract_size: float, received_ms: int
) -> dict[str, Any]:
    """A row of `liquidations` from one raw message: `forceOrder` of Binance, `allLiquidation` of Bybit,
    `liquidation-orders` of OKX.

    OKX's sizes are contracts: left as they are they overstate. Binance tells at most one order a symbol and
    second, so its sums are a lower bound.
    """
    body = message.get("o") if isinstance(message.get("o"), dict) else message
    assert isinstance(body, dict)
    price = _first(body.get("ap"), body.get("bkPx"), body.get("p"))
    qty = _first(body.get("q"), body.get("v"), body.get("sz"))
    told_ms = whole(body.get("T")) or whole(body.get("ts")) or received_ms
    return {
        "venue": venue,
        "symbol": symbol,
        "venue_ms": told_ms,
        "received_ms": max(received_ms, told_ms),
        "source": "raw message",
        "position": liquidated(venue, body),
        "price": price,
        "base_qty": None if qty is None else qty * (contract_size if venue == "okx" else 1.0),
    }
