"""Tables from any exchange that ccxt reaches. Needs the extra `exchange-os[signals]`.

ccxt is imported and the network touched by the first call that asks for data, never by a constructor.
Requests keep ccxt's own rate limit. What a venue does not offer gives an empty table; what it fails to give
is a `Silence`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from exchange_os.errors import InvalidArgument
from exchange_os.signals.market_data import PERPETUAL, SPOT, MarketData, conform, empty
from exchange_os.signals.rates import FundingKind
from exchange_os.signals.sources import dialects
from exchange_os.signals.sources.dialects import Dialect, dialect_of, number

BOOK_LEVELS = 50
PAGE_BARS = 100
"""The fewest bars that a page of any venue covers."""
DOLLARS = ("USDT", "USDC", "USD")


@dataclass(frozen=True, slots=True)
class Silence:
    """A venue did not give a table that it offers."""

    venue: str
    table: str
    why: str


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Address:
    """A venue that speaks as another does, at an address of its own: `mine=okx@http://127.0.0.1:8555`."""

    venue: str
    """What its rows are called."""
    exchange: str
    """ccxt's name of what it speaks."""
    url: str | None = None

    @staticmethod
    def parse(text: str) -> Address:
        """`exchange`, `exchange@url` or `name=exchange@url`; an address begins with http:// or https://."""
        spoken, at, url = text.partition("@")
        name, equals, exchange = spoken.partition("=")
        exchange = exchange if equals else name
        if not name or not exchange or (at and not url.startswith(("http://", "https://"))):
            why = "a venue is 'exchange', or 'name=exchange@http://address' where it has an own address"
            raise InvalidArgument(f"{why}, not '{text}'")
        return Address(name, exchange, url.rstrip("/") if at else None)


class CcxtSource:
    """One venue, by ccxt's name for it (`binanceusdm`, `bybit`, `okx`, ...) or by its `Address`.

    `client` is a ready ccxt exchange, else one without keys is made when first needed. Symbols are ours, as
    "ETH/USDT"; where a venue's perpetual has another quote the row keeps ours and `source` names the venue's.
    """

    def __init__(
        self, venue: str | Address, client: Any | None = None, clock: Callable[[], int] = now_ms
    ) -> None:
        self.address = venue if isinstance(venue, Address) else Address(venue, venue)
        self.venue = self.address.venue
        self._client = client
        self._clock = clock
        self._intervals: dict[str, Any] | None = None

    @property
    def exchange(self) -> str:
        """Whose messages these are: what dialects are read by."""
        return self.address.exchange

    @property
    def dialect(self) -> Dialect:
        return dialect_of(self.exchange)

    @property
    def client(self) -> Any:
        """The ccxt exchange, with its markets loaded."""
        if self._client is None:
            self._client = _made(self.address)
        if not self._client.markets:
            self._client.load_markets()
        return self._client

    def has(self, method: str) -> bool:
        return bool(self.client.has.get(method))

    def market(self, symbol: str, kind: str) -> dict[str, Any] | None:
        """ccxt's market of one of our symbols; None if the venue does not list it, or no longer."""
        return market_of(self.client.markets, self.address, symbol, kind)

    def snapshot(self, symbol: str) -> tuple[MarketData, list[Silence]]:
        """What the venue says now: rates, quotes of both markets, open interest, the book."""
        parts: dict[str, list[pl.DataFrame]] = {}
        silences = []
        questions: list[tuple[str, Callable[[], pl.DataFrame]]] = [
            ("funding", lambda: self.funding(symbol)),
            ("prices", lambda: self.prices(symbol, PERPETUAL)),
            ("prices", lambda: self.prices(symbol, SPOT)),
            ("open_interest", lambda: self.open_interest(symbol)),
            ("books", lambda: self.book(symbol)),
        ]
        for table, ask in questions:
            try:
                answer = ask()
            except InvalidArgument:
                raise  # the question is wrong, not the venue
            except Exception as error:  # noqa: BLE001 -- one silent table must not stop the recorder
                silences.append(Silence(self.venue, table, f"{type(error).__name__}: {error}"))
                continue
            parts.setdefault(table, []).append(answer)
        tables = {table: pl.concat(frames) for table, frames in parts.items()}
        return replace(MarketData(), **tables), silences

    def funding(self, symbol: str) -> pl.DataFrame:
        """The running estimate, with its interval, its bounds and the time of its settlement."""
        market = self.market(symbol, PERPETUAL)
        if market is None:
            return empty("funding")
        if self.dialect.merge_intervals and self._intervals is None:
            self._intervals = self.client.fetch_funding_intervals()
        intervals = self._intervals or {}
        rate = self.client.fetch_funding_rate(market["symbol"])
        received_ms = self._clock()
        if not rate.get("info"):  # a perpetual that pays none
            return empty("funding")
        cap, floor = dialects.bounds(self.exchange, rate, intervals)
        row = {
            **self._common(symbol, market, rate, received_ms),
            "rate": number(rate.get("fundingRate")),
            "interval_s": dialects.interval_s(self.exchange, rate, intervals),
            "kind": FundingKind.ESTIMATED.value,
            "next_funding_ms": dialects.whole(rate.get("fundingTimestamp")),
            "cap": cap,
            "floor": floor,
            "premium": number((rate.get("info") or {}).get("premium")),
        }
        return self._frame("funding", [row])

    def funding_history(self, symbol: str, since_ms: int) -> pl.DataFrame:
        """Settled rates since a time. Intervals are left empty: cleaning reads them off the times."""
        market = self.market(symbol, PERPETUAL)
        if market is None:
            return empty("funding")
        rows, start_ms = [], since_ms
        while True:
            page = self.client.fetch_funding_rate_history(market["symbol"], since=start_ms)
            fresh = [entry for entry in page if int(entry["timestamp"]) >= start_ms]
            for entry in fresh:
                settled = int(entry["timestamp"])
                common = self._common(symbol, market, entry, settled)
                rate = number(entry.get("fundingRate"))
                rows.append({**common, "rate": rate, "kind": FundingKind.SETTLED.value})
            if not fresh:
                return self._frame("funding", rows)
            start_ms = max(int(entry["timestamp"]) for entry in fresh) + 1

    def prices(self, symbol: str, kind: str) -> pl.DataFrame:
        """Quotes; of a perpetual also mark and index, from its funding answer where the ticker lacks them."""
        market = self.market(symbol, kind)
        if market is None:
            return empty("prices")
        ticker = self.client.fetch_ticker(market["symbol"])
        received_ms = self._clock()
        mark, index = self._mark_and_index(market, ticker) if kind == PERPETUAL else (None, None)
        row = {
            **self._common(symbol, market, ticker, received_ms),
            "market": kind,
            "bid": number(ticker.get("bid")),
            "ask": number(ticker.get("ask")),
            "last": number(ticker.get("last")),
            "mark": mark,
            "index": index,
            "base_volume_24h": dialects.base_volume(self.exchange, ticker, of_perpetual=kind == PERPETUAL),
        }
        return self._frame("prices", [row])

    def _mark_and_index(
        self, market: dict[str, Any], ticker: dict[str, Any]
    ) -> tuple[float | None, float | None]:
        """From the ticker, else from where the venue tells them."""
        mark, index = number(ticker.get("markPrice")), number(ticker.get("indexPrice"))
        if index is None:
            rate = self.client.fetch_funding_rate(market["symbol"])
            mark, index = mark or number(rate.get("markPrice")), number(rate.get("indexPrice"))
        if mark is None and self.has("fetchMarkPrice"):
            mark = number(self.client.fetch_mark_price(market["symbol"]).get("markPrice"))
        if index is None:
            index = dialects.index_price(self.exchange, self.client, market)
        return mark, index

    def candles(self, symbol: str, kind: str, interval: str, since_ms: int) -> pl.DataFrame:
        """Closed bars; ccxt's last bar is still open and is left out. Volume in coins."""
        market = self.market(symbol, kind)
        if market is None:
            return empty("candles")
        seconds = int(self.client.parse_timeframe(interval))
        answer = self._bars(market, interval, since_ms)
        received_ms = self._clock()
        coins = _contract_size(market) if kind == PERPETUAL and self.dialect.candles_in_contracts else 1.0
        rows = []
        for opened_ms, open_, high, low, close, volume in answer:
            closed_ms = int(opened_ms) + seconds * 1_000
            if closed_ms > received_ms:
                continue
            rows.append(
                {
                    **self._common(symbol, market, {"timestamp": closed_ms}, closed_ms),
                    "market": kind,
                    "interval_s": seconds,
                    "open": number(open_),
                    "high": number(high),
                    "low": number(low),
                    "close": number(close),
                    "base_volume": None if volume is None else float(volume) * coins,
                }
            )
        return self._frame("candles", rows)

    def _bars(self, market: dict[str, Any], interval: str, since_ms: int) -> list[list[Any]]:
        """Page by page until now. A page without bars may lie before the first one: the next begins later."""
        bars: list[list[Any]] = []
        start_ms, step_ms = since_ms, PAGE_BARS * int(self.client.parse_timeframe(interval)) * 1_000
        while start_ms <= self._clock():
            page = self.client.fetch_ohlcv(market["symbol"], interval, since=start_ms)
            fresh = [bar for bar in page if int(bar[0]) >= start_ms]
            bars += fresh
            start_ms = max(int(bar[0]) for bar in fresh) + 1 if fresh else start_ms + step_ms
        return bars

    def open_interest(self, symbol: str) -> pl.DataFrame:
        market = self.market(symbol, PERPETUAL)
        if market is None or not self.has("fetchOpenInterest"):
            return empty("open_interest")
        answer = self.client.fetch_open_interest(market["symbol"])
        received_ms = self._clock()
        qty = dialects.base_open_interest(self.exchange, answer, _contract_size(market))
        row = {**self._common(symbol, market, answer, received_ms), "base_qty": qty}
        return self._frame("open_interest", [row])

    def tiers(self, symbol: str) -> pl.DataFrame:
        """Maintenance tiers, where the venue tells them without a key and in quote currency."""
        market = self.market(symbol, PERPETUAL)
        if market is None or not self.has("fetchMarketLeverageTiers") or self.dialect.tiers_in_contracts:
            return empty("tiers")
        answer = self.client.fetch_market_leverage_tiers(market["symbol"])
        received_ms = self._clock()
        rows = [
            {
                **self._common(symbol, market, {}, received_ms),
                "notional_from": number(tier.get("minNotional")),
                "maintenance_rate": number(tier.get("maintenanceMarginRate")),
                "leverage_max": number(tier.get("maxLeverage")),
            }
            for tier in answer
        ]
        return self._frame("tiers", rows)

    def book(self, symbol: str, levels: int = BOOK_LEVELS) -> pl.DataFrame:
        """The perpetual's best levels, in coins."""
        market = self.market(symbol, PERPETUAL)
        if market is None:
            return empty("books")
        answer = self.client.fetch_order_book(market["symbol"], levels)
        received_ms = self._clock()
        common = self._common(symbol, market, answer, received_ms)
        size = _contract_size(market)
        rows = [
            {
                **common,
                "market": PERPETUAL,
                "side": side,
                "price": number(level[0]),
                "base_qty": level[1] * size,
            }
            for side, name in (("bid", "bids"), ("ask", "asks"))
            for level in answer[name]
        ]
        return self._frame("books", rows)

    def _common(
        self, symbol: str, market: dict[str, Any], answer: dict[str, Any], received_ms: int
    ) -> dict[str, Any]:
        told = dialects.venue_ms(answer, received_ms)
        return {
            "venue": self.venue,
            "symbol": symbol,
            "venue_ms": told,
            "received_ms": max(received_ms, told),
            "source": f"ccxt {market['symbol']}",
        }

    @staticmethod
    def _frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
        if not rows:
            return empty(table)
        return conform(table, pl.DataFrame(rows, infer_schema_length=None))


def market_of(
    markets: dict[str, Any], address: Address, symbol: str, kind: str = PERPETUAL
) -> dict[str, Any] | None:
    """ccxt's market of one of our symbols. Of a venue with an own address any dollar will do as its quote."""
    base, _, quote = symbol.partition("/")
    if kind == PERPETUAL:
        quote = dialect_of(address.exchange).quote or quote
    others = DOLLARS if address.url is not None and quote in DOLLARS else ()
    for each in (quote, *others):
        found: dict[str, Any] | None = markets.get(
            f"{base}/{each}:{each}" if kind == PERPETUAL else f"{base}/{each}"
        )
        if found and found.get("active") is not False:
            return found
    return None


def _contract_size(market: dict[str, Any]) -> float:
    """Coins a contract; ccxt has amounts of a derivative in contracts."""
    return number(market.get("contractSize")) or 1.0


def _made(address: Address) -> Any:
    try:
        import ccxt  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise InvalidArgument("outside exchanges need ccxt: install exchange-os[signals]") from error
    if address.exchange not in ccxt.exchanges:
        raise InvalidArgument(f"ccxt knows no exchange '{address.exchange}'")
    options: dict[str, Any] = {"enableRateLimit": True}
    if address.url is not None:
        options["urls"] = {"api": {"rest": address.url}}
    return getattr(ccxt, address.exchange)(options)
