"""The client of the public interface for asyncio, and its streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from exchange_os.client.public import endpoints, rows
from exchange_os.client.public.calls import Answer, Lost, Send, Steps, Wait, answer_of
from exchange_os.client.public.client import caller_of
from exchange_os.client.public.endpoints import PAGE, NewOrder
from exchange_os.client.public.kept_book import KeptBook, OutOfStep
from exchange_os.client.public.lines import GAP, Line, Subscribed
from exchange_os.client.public.options import Access, OrderWords
from exchange_os.errors import ApiRefused, InvalidArgument

if TYPE_CHECKING:
    from typing import Self

    from exchange_os.client.public.rows import (
        AccountFill,
        AccountPosition,
        AssetBalance,
        Candle,
        Market,
        MarketTrade,
        Moved,
        OrderState,
        Placed,
        Ticker,
        WithdrawalState,
    )
    from exchange_os.exact import Number
    from exchange_os.results import Book

T = TypeVar("T")
Row = TypeVar("Row")


class AsyncClient:
    """As `Client`, for asyncio: methods are awaited, lists by pages are iterated with `async for`.

    Quantities are whole units, times milliseconds since 1970 UTC. What is refused raises `ApiRefused`; what
    gets no answer is sent again, orders under their client ids, until `ApiUnavailable`.
    """

    def __init__(self, url: str = "http://127.0.0.1:8555", **access: Unpack[Access]) -> None:
        """`key`, `passphrase` and `secret` or `private_key` (Ed25519) for what is private; see `Access`."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidArgument(f"the URL is {url!r}, expected one like http://127.0.0.1:8555")
        self.url = url.rstrip("/")
        self._timeout_s, self._retries = access.get("timeout_s", 10.0), access.get("retries", 3)
        self._caller = caller_of(access)
        self._session: aiohttp.ClientSession | None = None
        self._lines: dict[str, Line] = {}

    async def close(self) -> None:
        """Ends all connections; the next call makes another."""
        lines, self._lines = self._lines, {}
        for line in lines.values():
            await line.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- the market ---

    async def server_time_ms(self) -> int:
        """The server's clock."""
        return await self._run(endpoints.server_time_ms(self._caller))

    async def markets(self) -> list[Market]:
        """All instruments, read anew."""
        return await self._run(endpoints.markets(self._caller))

    async def market(self, instrument: str) -> Market:
        """Terms of one instrument; `UnknownName` if there is none."""
        return await self._run(endpoints.market_of(self._caller, instrument))

    async def ticker(self, instrument: str) -> Ticker:
        """Best prices and the last trade."""
        return await self._run(endpoints.ticker(self._caller, instrument))

    async def book(self, instrument: str, depth: int = 50) -> Book:
        """The best levels, 400 at most."""
        return await self._run(endpoints.book(self._caller, instrument, depth))

    async def trades(self, instrument: str, limit: int = 100) -> list[MarketTrade]:
        """The newest trades, newest first, 500 at most."""
        return await self._run(endpoints.trades(self._caller, instrument, limit))

    def candles(self, instrument: str, bar: str = "1m") -> AsyncIterator[Candle]:
        """Newest first, page by page as far as the server keeps trades. `bar`: 1s to 1D, as in OKX."""
        return self._pages(
            lambda last: endpoints.candles(self._caller, instrument, bar, last and last.begin_ms)
        )

    # --- the account ---

    async def balances(self) -> dict[str, AssetBalance]:
        """The trading account, by asset."""
        return await self._run(endpoints.balances(self._caller))

    async def positions(self) -> list[AccountPosition]:
        """Open positions."""
        return await self._run(endpoints.positions(self._caller))

    async def set_leverage(self, instrument: str, leverage: int, mode: str = "cross") -> int:
        """Of a perpetual, cross or isolated."""
        return await self._run(endpoints.set_leverage(self._caller, instrument, leverage, mode))

    # --- orders ---

    async def place(
        self,
        instrument: str,
        side: endpoints.Side,
        qty: Number,
        price: Number | None = None,
        **words: Unpack[OrderWords],
    ) -> Placed:
        """Places an order once, however often it has to be sent."""
        order = NewOrder(instrument=instrument, side=side, qty=qty, price=price, **words)
        return await self._run(endpoints.place(self._caller, order))

    async def place_many(self, orders: Sequence[NewOrder]) -> list[Placed | ApiRefused]:
        """Up to 20 at once, each for itself: what was placed, or why not."""
        return await self._run(endpoints.place_many(self._caller, orders))

    async def cancel(self, instrument: str, order_id: str = "", *, client_id: str = "") -> bool:
        """False if it was over or is unknown."""
        return await self._run(endpoints.cancel(self._caller, instrument, order_id, client_id))

    async def cancel_all(self, instrument: str) -> None:
        """All orders on an instrument."""
        await self._run(endpoints.cancel_all(self._caller, instrument))

    async def amend(
        self,
        instrument: str,
        order_id: str = "",
        *,
        client_id: str = "",
        price: Number | None = None,
        qty: Number | None = None,
    ) -> Placed:
        """Another price or total quantity, what has filled included."""
        return await self._run(endpoints.amend(self._caller, instrument, order_id, client_id, price, qty))

    async def order(self, instrument: str, order_id: str = "", *, client_id: str = "") -> OrderState:
        """One order, live or over."""
        return await self._run(endpoints.order_of(self._caller, instrument, order_id, client_id))

    def open_orders(self, instrument: str = "") -> AsyncIterator[OrderState]:
        """Those that rest, newest first."""
        return self._pages(
            lambda last: endpoints.open_orders(self._caller, instrument, last.order_id if last else "")
        )

    def past_orders(self, instrument: str = "", *, begin_ms: int | None = None) -> AsyncIterator[OrderState]:
        """Those that are over, newest first; `begin_ms` is about their creation."""
        return self._pages(
            lambda last: endpoints.past_orders(
                self._caller, instrument, last.order_id if last else "", begin_ms
            )
        )

    def fills(self, instrument: str = "", *, begin_ms: int | None = None) -> AsyncIterator[AccountFill]:
        """Newest first, page by page."""
        return self._pages(
            lambda last: endpoints.fills(self._caller, instrument, last and last.trade_id, begin_ms)
        )

    # --- the wallet ---

    async def funds(self) -> dict[str, Decimal]:
        """What is available in the funding account, by asset."""
        return await self._run(endpoints.funds(self._caller))

    async def transfer(
        self, asset: str, amount: Number, sender: str, receiver: str, *, client_id: str = ""
    ) -> Moved:
        """Between `trading` and `funding`, once, however often it has to be sent."""
        return await self._run(endpoints.transfer(self._caller, asset, amount, sender, receiver, client_id))

    async def withdraw(self, asset: str, amount: Number, address: str, *, client_id: str = "") -> Moved:
        """Out of the funding account, to an address of the account's list, when the delay is over."""
        return await self._run(endpoints.withdraw(self._caller, asset, amount, address, client_id))

    def withdrawals(self) -> AsyncIterator[WithdrawalState]:
        """Newest first."""
        return self._pages(lambda last: endpoints.withdrawals(self._caller, last and last.time_ms))

    async def cancel_withdrawal(self, number: str) -> bool:
        """False if it no longer waits."""
        return await self._run(endpoints.cancel_withdrawal(self._caller, number))

    # --- what is told ---

    async def watch_book(self, instrument: str) -> AsyncIterator[Book]:
        """The book after every change. What does not fit (sequence or checksum) brings a new snapshot."""
        contract = (await self.market(instrument)).contract
        kept, line = KeptBook(instrument, contract), self._line("public")
        subscribed = await line.subscribe({"channel": "books", "instId": instrument})
        try:
            while True:
                message = await subscribed.get()
                if message is GAP:
                    kept = KeptBook(instrument, contract)
                    continue
                try:
                    changed = kept.take(message)
                except OutOfStep:
                    kept = KeptBook(instrument, contract)
                    await self._skip_to_snapshot(line, subscribed, kept)
                    changed = True
                if changed:
                    yield kept.book()
        finally:
            await line.unsubscribe(subscribed)

    @staticmethod
    async def _skip_to_snapshot(line: Line, subscribed: Subscribed, kept: KeptBook) -> None:
        await line.again(subscribed)
        while True:
            message = await subscribed.get()
            if message is not GAP and message.get("action") == "snapshot":
                kept.take(message)
                return

    async def watch_trades(self, instrument: str) -> AsyncIterator[MarketTrade]:
        """Every trade from now on, each once; after a break those that were missed are asked for."""
        contract = (await self.market(instrument)).contract
        last = max((each.trade_id for each in await self.trades(instrument, 1)), default=0)
        line = self._line("public")
        subscribed = await line.subscribe({"channel": "trades", "instId": instrument})
        try:
            while True:
                message = await subscribed.get()
                if message is GAP:
                    found = await self.trades(instrument, 500)
                    missed = sorted(found, key=lambda each: each.trade_id)
                else:
                    missed = [rows.market_trade(row, contract) for row in message["data"]]
                for each in missed:
                    if each.trade_id > last:
                        last = each.trade_id
                        yield each
        finally:
            await line.unsubscribe(subscribed)

    async def watch_orders(self) -> AsyncIterator[OrderState]:
        """Every change of an order of the account; after a break how all stand that may have changed."""
        await self.markets()
        heard_ms = await self.server_time_ms()
        known = {each.order_id: each async for each in self.open_orders()}
        line = self._line("private")
        subscribed = await line.subscribe({"channel": "orders", "instType": "ANY"})
        try:
            while True:
                message = await subscribed.get()
                if message is GAP:
                    begin_ms, heard_ms = heard_ms, await self.server_time_ms()
                    now = {each.order_id: each async for each in self.open_orders()}
                    for each in await self._missed(known, now, begin_ms):
                        yield each
                    known = now
                    continue
                for row in message["data"]:
                    contract = (await self.market(row["instId"])).contract
                    each = rows.order(row, contract)
                    known[each.order_id] = each
                    heard_ms = max(heard_ms, each.updated_ms or 0)
                    if not each.is_open:
                        del known[each.order_id]
                    yield each
        finally:
            await line.unsubscribe(subscribed)

    async def _missed(
        self, known: dict[str, OrderState], now: dict[str, OrderState], begin_ms: int
    ) -> list[OrderState]:
        """Orders that are new, differ or are over since then, also those that came and went."""
        found = [each for number, each in now.items() if known.get(number) != each]
        gone = [each for number, each in known.items() if number not in now]
        found += [await self.order(each.instrument, each.order_id) for each in gone]
        told = {each.order_id for each in gone}
        brief = [each async for each in self.past_orders(begin_ms=begin_ms)]
        return found + [each for each in brief if each.order_id not in told]

    def _line(self, place: str) -> Line:
        """The connection to a path, made when it is first needed."""
        if place not in self._lines:
            url = f"ws{self.url.removeprefix('http')}/ws/v5/{place}"
            signer = self._caller.signer
            self._lines[place] = Line(url, signer, private=place == "private", retries=self._retries)
        return self._lines[place]

    # --- inside ---

    async def _pages(self, page: Callable[[Any], Steps[list[Row]]]) -> AsyncIterator[Row]:
        last: Row | None = None
        while True:
            found = await self._run(page(last))
            for each in found:
                yield each
            if len(found) < PAGE:
                return
            last = found[-1]

    async def _run(self, steps: Steps[T]) -> T:
        got: Answer | Lost | None = None
        while True:
            try:
                step = steps.send(got)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
                got = None
            else:
                got = await self._exchange(step)

    async def _exchange(self, send: Send) -> Answer | Lost:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(self._timeout_s))
        target = URL(self.url + send.target, encoded=True)
        try:
            async with self._session.request(
                send.method, target, data=send.body or None, headers=send.headers
            ) as response:
                return answer_of(response.status, await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return Lost(f"{type(error).__name__}: {error}")
