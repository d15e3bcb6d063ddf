"""Candles out of history: every bar is made of seconds, minutes or hours that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from exchange_os.api import market
from exchange_os.api.codes import Refused
from exchange_os.api.desk import Desk, underlying
from exchange_os.api.keys import now_ms
from exchange_os.api.numbers import decimal_of, limit_of, size, text, word
from exchange_os.api.past_pages import Fields, reading
from exchange_os.exact import EXACT
from exchange_os.history import Row, Source, Store
from exchange_os.results import Instrument

_DAY_S = 86_400
_SHIFT_S = 8 * 3_600
"""Days of bars without `utc` begin at midnight of UTC+8."""
_MONDAY_S = 4 * _DAY_S
"""The first Monday after 1970 began."""
_LIMIT = 300
_ROWS_AT_ONCE = 2_000
_SECONDS_MAX = 2**62
_SHORT = ("1s", "1m", "3m", "5m", "15m", "30m", "1H", "2H", "4H")
_LONG = ("6H", "12H", "1D", "2D", "3D", "1W", "1M", "3M")
BARS = frozenset({*_SHORT, *_LONG, *(f"{bar}utc" for bar in _LONG)})
"""Everything that `bar` may be."""
_UNITS_S = {"s": 1, "m": 60, "H": 3_600, "D": _DAY_S, "W": 7 * _DAY_S}


class Bar:
    """A bar: when the one with a moment begins, and when the next one does. Seconds since 1970."""

    def __init__(self, name: str) -> None:
        if name not in BARS:
            names = ", ".join([*_SHORT, *_LONG])
            raise Refused("51000", f"Parameter bar error: {name[:20]!r}, expected one of {names}.")
        plain = name.removesuffix("utc")
        self._months = int(plain[:-1]) if plain.endswith("M") else 0
        self._span = 0 if self._months else int(plain[:-1]) * _UNITS_S[plain[-1]]
        self._shift = _SHIFT_S if plain in _LONG and plain == name else 0
        self._origin = _MONDAY_S if plain == "1W" else 0
        small = bool(self._span) and self._span < _UNITS_S["H"]
        self.base_s = 3_600 if not small else 60 if self._span >= 60 else 1
        """The kept spans that it is made of."""

    def begin(self, moment_s: int) -> int:
        local = moment_s + self._shift
        if self._months:
            day = datetime.fromtimestamp(local, UTC)
            first = (day.month - 1) // self._months * self._months + 1
            return int(datetime(day.year, first, 1, tzinfo=UTC).timestamp()) - self._shift
        return (local - self._origin) // self._span * self._span + self._origin - self._shift

    def end(self, begin_s: int) -> int:
        """When the bar that begins then is over."""
        if not self._months:
            return begin_s + self._span
        return self.begin(begin_s + (self._months * 31 + 1) * _DAY_S)


def _bars(
    store: Store, source: Source, number: int, bar: Bar, begin_s: int, end_s: int
) -> Iterator[Row | list[int]]:
    """Bars newest first, each as begin, open, high, low, close, volume, value."""
    present: list[int] | None = None
    while True:
        rows = store.candles(source, bar.base_s, number, begin_s, end_s, _ROWS_AT_ONCE)
        for row in rows:
            begin = bar.begin(row.begin_s)
            if present is None or present[0] != begin:
                if present is not None:
                    yield present
                present = [begin, row.open, row.high, row.low, row.close, row.volume, row.value]
            else:
                present[1] = row.open
                present[2], present[3] = max(present[2], row.high), min(present[3], row.low)
                present[5] += row.volume
                present[6] += row.value
        if len(rows) < _ROWS_AT_ONCE:
            break
        end_s = rows[-1].begin_s
    if present is not None:
        yield present


def _found(desk: Desk, fields: Fields, source: Source, each: Instrument, limit: int) -> list[list[str]]:
    bar, moment = Bar(word(fields, "bar", "1m")), now_ms()
    after, before = (int(decimal_of(name, word(fields, name, "-1"))) for name in ("after", "before"))
    limit = limit_of(fields, limit, 100)
    begin_s = 0 if before < 0 else min(before // 1_000, _SECONDS_MAX)
    # A bar that begins before `after` may have kept spans behind it.
    last = bar.begin((after - 1) // 1_000) if 0 < after < 253_000_000_000_000 else None
    end_s = _SECONDS_MAX if last is None else bar.end(last)
    rows: list[list[str]] = []
    if after == 0:
        return rows
    with reading(desk) as store:
        for found in _bars(store, source, each.number, bar, begin_s, end_s):
            assert isinstance(found, list)
            begin_ms = found[0] * 1_000
            if begin_ms <= before and before >= 0:
                break
            if after < 0 or begin_ms < after:
                over = bar.end(found[0]) * 1_000 <= moment
                rows.append(_row(each, source, found, over=over))
            if len(rows) == limit:
                break
    return rows


def _row(each: Instrument, source: Source, found: list[int], *, over: bool) -> list[str]:
    begin_s, *prices, volume, value = found
    shape = [str(begin_s * 1_000), *(text(each.tick_size * ticks) for ticks in prices)]
    confirmed = "1" if over else "0"
    if source is not Source.TRADES:
        return [*shape, confirmed]
    units = EXACT.multiply(each.lot_size, Decimal(volume))
    quote = EXACT.multiply(EXACT.multiply(each.tick_size, each.lot_size), Decimal(value))
    base = units if each.product == "perpetual" else quote
    return [*shape, size(each, units), text(base), text(quote), confirmed]


def candles(desk: Desk, fields: Fields) -> list[list[str]]:
    """Candles of public trades, newest first; a span without a trade has none."""
    each = desk.instrument(fields)
    if desk.history is None:
        return market.candles(desk, fields)
    return _found(desk, fields, Source.TRADES, each, _LIMIT)


def mark_candles(desk: Desk, fields: Fields) -> list[list[str]]:
    """Candles of the mark: begin, open, high, low, close, whether it is over."""
    _refuse_seconds(fields)
    return _found(desk, fields, Source.MARK, desk.instrument(fields), 100)


def index_candles(desk: Desk, fields: Fields) -> list[list[str]]:
    """Candles of the index of an underlying, such as "BTC-USDC"."""
    _refuse_seconds(fields)
    name = word(fields, "instId")
    for each in desk.exchange.instruments():
        if each.product == "perpetual" and underlying(each) == name:
            return _found(desk, fields, Source.INDEX, each, 100)
    raise Refused("51001", f"Instrument ID does not exist: {name[:40]!r} is the underlying of no perpetual.")


def _refuse_seconds(fields: Fields) -> None:
    if word(fields, "bar", "1m") == "1s":
        raise Refused("51000", "Parameter bar error: marks and indices have no bar below 1m.")


def of_channel(desk: Desk, channel: str, about: str) -> list[list[str]]:
    """The newest two candles of a channel such as "mark-price-candle1m", oldest first; none while history is
    unavailable."""
    prefix, answer = next((prefix, answer) for prefix, answer in _CHANNELS if channel.startswith(prefix))
    fields = {"instId": about, "bar": channel.removeprefix(prefix), "limit": "2"}
    try:
        return answer(desk, fields)[::-1]
    except Refused as refused:
        if refused.code != "50001":
            raise
        return []


def is_channel(desk: Desk, channel: str) -> bool:
    """Whether it is one of candles; without history there are only those of trades, up to a day."""
    for prefix, _ in _CHANNELS:
        if channel.startswith(prefix):
            bar = channel.removeprefix(prefix)
            if desk.history is None:
                return prefix == "candle" and bar.removesuffix("utc") in market.BARS_S
            return bar in BARS and not (bar == "1s" and prefix != "candle")
    return False


_CHANNELS = (("candle", candles), ("mark-price-candle", mark_candles), ("index-candle", index_candles))
