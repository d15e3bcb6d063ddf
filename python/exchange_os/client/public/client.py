"""The client of the public interface for plain programs."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack
from urllib.parse import urlsplit

from exchange_os.client.public import endpoints
from exchange_os.client.public.calls import Answer, Caller, Lost, Send, Signer, Steps, Wait, answer_of
from exchange_os.client.public.endpoints import PAGE, NewOrder
from exchange_os.client.public.options import Access, OrderWords
from exchange_os.errors import ApiRefused, ApiUnavailable, InvalidArgument

if TYPE_CHECKING:
    from typing import Self

    from exchange_os.client.public.feeds import Feed
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


class Client:
    """Speaks to `xos api` at a URL. Nothing is sent before a method is called; threads may share it.

    Quantities are whole units, times milliseconds since 1970 UTC. What is refused raises `ApiRefused`; what
    gets no answer is sent again, orders under their client ids, until `ApiUnavailable`.
    """

    def __init__(self, url: str = "http://127.0.0.1:8555", **access: Unpack[Access]) -> None:
        """`key`, `passphrase` and `secret` or `private_key` (Ed25519) for what is private; see `Access`."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidArgument(f"the URL is {url!r}, expected one like http://127.0.0.1:8555")
        self.url, self._access = url.rstrip("/"), access
        self._parts, self._timeout_s = parts, access.get("timeout_s", 10.0)
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._caller = caller_of(access)

    def close(self) -> None:
        """Ends the connection; the next call makes another."""
        with self._lock:
            self._hang_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the market ---

    def server_time_ms(self) -> int:
        """The server's clock."""
        return self._run(endpoints.server_time_ms(self._caller))

    def markets(self) -> list[Market]:
        """All instruments, read anew."""
        return self._run(endpoints.markets(self._caller))

    def market(self, instrument: str) -> Market:
        """Terms of one instrument; `UnknownName` if there is none."""
        return self._run(endpoints.market_of(self._caller, instrument))

    def ticker(self, instrument: str) -> Ticker:
        """Best prices and the last trade."""
        return self._run(endpoints.ticker(self._caller, instrument))

    def book(self, instrument: str, depth: int = 50) -> Book:
        """The best levels, 400 at most."""
        return self._run(endpoints.book(self._caller, instrument, depth))

    def trades(self, instrument: str, limit: int = 100) -> list[MarketTrade]:
        """The newest trades, newest first, 500 at most."""
        return self._run(endpoints.trades(self._caller, instrument, limit))

    def candles(self, instrument: str, bar: str = "1m") -> Iterator[Candle]:
        """Newest first, page by page as far as the server keeps trades. `bar`: 1s to 1D, as in OKX."""
        return self._pages(
            lambda last: endpoints.candles(self._caller, instrument, bar, last and last.begin_ms)
        )

    # --- the account ---

    def balances(self) -> dict[str, AssetBalance]:
        """The trading account, by asset."""
        return self._run(endpoints.balances(self._caller))

    def positions(self) -> list[AccountPosition]:
        """Open positions."""
        return self._run(endpoints.positions(self._caller))

    def set_leverage(self, instrument: str, leverage: int, mode: str = "cross") -> int:
        """Of a perpetual, cross or isolated."""
        return self._run(endpoints.set_leverage(self._caller, instrument, leverage, mode))

    # --- orders ---

    def place(
        self,
        instrument: str,
        side: endpoints.Side,
        qty: Number,
        price: Number | None = None,
        **words: Unpack[OrderWords],
    ) -> Placed:
        """Places an order once, however often it has to be sent."""
        order = NewOrder(instrument=instrument, side=side, qty=qty, price=price, **words)
        return self._run(endpoints.place(self._caller, order))

    def place_many(self, orders: Sequence[NewOrder]) -> list[Placed | ApiRefused]:
        """Up to 20 at once, each for itself: what was placed, or why not."""
        return self._run(endpoints.place_many(self._caller, orders))

    def cancel(self, instrument: str, order_id: str = "", *, client_id: str = "") -> bool:
        """False if it was over or is unknown."""
        return self._run(endpoints.cancel(self._caller, instrument, order_id, client_id))

    def cancel_all(self, instrument: str) -> None:
        """All orders on an instrument."""
        self._run(endpoints.cancel_all(self._caller, instrument))

    def amend(
        self,
        instrument: str,
        order_id: str = "",
        *,
        client_id: str = "",
        price: Number | None = None,
        qty: Number | None = None,
    ) -> Placed:
        """Another price or total quantity, what has filled included."""
        return self._run(endpoints.amend(self._caller, instrument, order_id, client_id, price, qty))

    def order(self, instrument: str, order_id: str = "", *, client_id: str = "") -> OrderState:
        """One order, live or over."""
        return self._run(endpoints.order_of(self._caller, instrument, order_id, client_id))

    def open_orders(self, instrument: str = "") -> Iterator[OrderState]:
        """Those that rest, newest first."""
        return self._pages(
            lambda last: endpoints.open_orders(self._caller, instrument, last.order_id if last else "")
        )

    def past_orders(self, instrument: str = "", *, begin_ms: int | None = None) -> Iterator[OrderState]:
        """Those that are over, newest first; `begin_ms` is about their creation."""
        return self._pages(
            lambda last: endpoints.past_orders(
                self._caller, instrument, last.order_id if last else "", begin_ms
            )
        )

    def fills(self, instrument: str = "", *, begin_ms: int | None = None) -> Iterator[AccountFill]:
        """Newest first, page by page."""
        return self._pages(
            lambda last: endpoints.fills(self._caller, instrument, last and last.trade_id, begin_ms)
        )

    # --- the wallet ---

    def funds(self) -> dict[str, Decimal]:
        """What is available in the funding account, by asset."""
        return self._run(endpoints.funds(self._caller))

    def transfer(
        self, asset: str, amount: Number, sender: str, receiver: str, *, client_id: str = ""
    ) -> Moved:
        """Between `trading` and `funding`, once, however often it has to be sent."""
        return self._run(endpoints.transfer(self._caller, asset, amount, sender, receiver, client_id))

    def withdraw(self, asset: str, amount: Number, address: str, *, client_id: str = "") -> Moved:
        """Out of the funding account, to an address of the account's list, when the delay is over."""
        return self._run(endpoints.withdraw(self._caller, asset, amount, address, client_id))

    def withdrawals(self) -> Iterator[WithdrawalState]:
        """Newest first."""
        return self._pages(lambda last: endpoints.withdrawals(self._caller, last and last.time_ms))

    def cancel_withdrawal(self, number: str) -> bool:
        """False if it no longer waits."""
        return self._run(endpoints.cancel_withdrawal(self._caller, number))

    # --- what is told ---

    def watch_book(self, instrument: str) -> Feed[Book]:
        """The book after every change: iterate over it, and close it or use it with `with`."""
        return self._feed(lambda other: other.watch_book(instrument))

    def watch_trades(self, instrument: str) -> Feed[MarketTrade]:
        """Every trade."""
        return self._feed(lambda other: other.watch_trades(instrument))

    def watch_orders(self) -> Feed[OrderState]:
        """Every change of an order of the account."""
        return self._feed(lambda other: other.watch_orders())

    # --- inside ---

    def _feed(self, begin: Callable[[Any], Any]) -> Feed[Any]:
        from exchange_os.client.public.feeds import Feed

        return Feed(self.url, self._access, begin)

    def _pages(self, page: Callable[[Any], Steps[list[Row]]]) -> Iterator[Row]:
        last: Row | None = None
        while True:
            found = self._run(page(last))
            yield from found
            if len(found) < PAGE:
                return
            last = found[-1]

    def _run(self, steps: Steps[T]) -> T:
        got: Answer | Lost | None = None
        while True:
            try:
                step = steps.send(got)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            if isinstance(step, Wait):
                time.sleep(step.seconds)
                got = None
            else:
                got = self._exchange(step)

    def _exchange(self, send: Send) -> Answer | Lost:
        with self._lock:
            try:
                if self._connection is None:
                    secure = self._parts.scheme == "https"
                    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
                    host = self._parts.hostname or ""
                    self._connection = kind(host, self._parts.port, timeout=self._timeout_s)
                self._connection.request(send.method, send.target, send.body or None, send.headers)
                response = self._connection.getresponse()
                return answer_of(response.status, response.read())
            except (OSError, http.client.HTTPException) as error:
                self._hang_up()
                return Lost(f"{type(error).__name__}: {error}")

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def caller_of(access: Access) -> Caller:
    """What both clients share."""
    signer = Signer(
        access.get("key"), access.get("secret"), access.get("passphrase"), access.get("private_key")
    )
    return Caller(signer, retries=access.get("retries", 3), simulated=access.get("simulated", False))


__all__ = ["ApiRefused", "ApiUnavailable", "Client", "NewOrder"]
