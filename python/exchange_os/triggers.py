"""Orders that wait for a price, brackets, and the views of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar

import msgspec

from exchange_os._core import CommandKind, Flags, PriceSource, Side, Tif
from exchange_os.bounds import flag, whole, whole_or_none
from exchange_os.errors import InvalidArgument, UnknownName
from exchange_os.exact import Number, Scale
from exchange_os.records import commands
from exchange_os.rejects import rejected
from exchange_os.results import OrderResult, Outcome, Receipt
from exchange_os.words import (
    SELF_TRADES,
    SIDES,
    TIFS,
    OrderOptions,
    SelfTradeName,
    SideName,
    TifName,
    code_of,
    misfit,
    short_bytes,
)

if TYPE_CHECKING:
    from typing import Unpack

    from exchange_os import _core
    from exchange_os._core import SelfTrade
    from exchange_os.directory import Directory, Market

SourceName = Literal["last", "mark", "index"]
_SOURCES: dict[object, int] = {
    name: int(source) for source in PriceSource for name in (source.name.lower(), source)
}
_NAMES = {int(source): source.name.lower() for source in PriceSource}
_PPM = Scale(Decimal("0.000001"), "slippage", "millionth")
_COUNTDOWN = Scale(Decimal("0.001"), "countdown", "millisecond")
_SECONDS = Scale(Decimal("0.001"), "time", "millisecond")
_SLIPPAGE: Number = "0.05"
_Row = TypeVar("_Row")
_WaitingRow: TypeAlias = tuple[
    int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, bytes, bool
]


class TriggerOptions(TypedDict, total=False):
    """What an order that waits may say besides its prices and its quantity."""

    tif: TifName | Tif
    """Of the order that follows: without limits "ioc" (the default) or "fok", with limits also "gtc"."""
    post_only: bool
    """Of the order that follows."""
    reduce_only: bool
    """May only shrink a position."""
    self_trade: SelfTradeName | SelfTrade
    """Of the order that follows."""
    venue: str | int
    """The venue that brings the order; 0: the exchange itself."""
    client_id: str | bytes | None
    """Up to 32 bytes; takes effect once, and names the order that follows too."""
    time_ns: int | None
    """Time of the command; None: the wall clock."""


class Waiting(msgspec.Struct, frozen=True):
    """An order that waits. `qty` is None for a whole position and for exits whose entry has not filled.

    It fires at or above `above`, at or below `below`, whichever comes first; `limit_above` and `limit_below`
    are None for a market order. `reached` ones fire as their turn comes.
    """

    order_id: int
    account: int
    instrument: str
    side: str
    qty: Decimal | None
    above: Decimal | None
    below: Decimal | None
    limit_above: Decimal | None
    limit_below: Decimal | None
    source_above: str
    source_below: str
    slippage: Decimal
    tif: str
    flags: int
    entry: int
    client_id: bytes
    reached: bool


class Protection(msgspec.Struct, frozen=True):
    """A market-maker protection: its limits (None: none), and what its last window saw."""

    qty_max: Decimal | None
    delta_max: Decimal | None
    window_s: Decimal
    freeze_s: Decimal
    qty: Decimal
    delta: Decimal
    frozen_until_ns: int | None


class TriggerPlaced(msgspec.Struct, frozen=True):
    """An order waits. The order that follows has the same id."""

    order_id: int
    sequence: int
    time_ns: int
    retry: bool


class TriggerMethods:
    """What `Exchange` can do with orders that wait."""

    _core: _core.Exchange
    _directory: Directory
    _publishing: threading.RLock
    _publish: Callable[[], None]

    def place_trigger(
        self,
        account: int,
        instrument: str | int,
        side: SideName | Side,
        qty: Number | None = None,
        *,
        above: Number | None = None,
        below: Number | None = None,
        limit: Number | None = None,
        limit_below: Number | None = None,
        source: SourceName | PriceSource = "last",
        source_below: SourceName | PriceSource | None = None,
        slippage: Number = _SLIPPAGE,
        **options: Unpack[TriggerOptions],
    ) -> TriggerPlaced:
        """Places an order that waits: it fires when the price is at or above `above`, or at or below `below`.

        A stop-loss of a long position sells `below`, its take-profit sells `above`; with both, the one that
        fires takes the other along (OCO). Without `limit` a market order follows, which may trade `slippage`
        (a part of one, "0.05") away from the price; with `limit`, and `limit_below` where there are both, a
        limit order. `qty` None, with `reduce_only`, is the whole position, whatever it is then. `source` is
        the price that is watched.
        """
        market = self._directory.market(instrument)
        record = self._waiting(CommandKind.PLACE_TRIGGER, account, market, above, below)
        is_market = limit is None and limit_below is None
        if above is not None and below is not None:
            record["price"], record["expires_ns"] = _ticks(market, limit), _ticks(market, limit_below)
        elif limit_below is not None:
            raise InvalidArgument("limit_below is for an order with both above and below")
        else:
            record["price"] = _ticks(market, limit)
        tif = options.get("tif", "ioc" if is_market else "gtc")
        flags = (
            flag("post_only", options.get("post_only", False)) * Flags.POST_ONLY | is_market * Flags.MARKET
        )
        flags |= flag("reduce_only", options.get("reduce_only", False)) * Flags.REDUCE_ONLY
        venue = options.get("venue", 0)
        record |= {
            "side": code_of(SIDES, "side", side),
            "qty": 0 if qty is None else market.qty.count(qty),
            "tif": code_of(TIFS, "tif", tif),
            "flags": int(flags),
            "self_trade": code_of(SELF_TRADES, "self_trade", options.get("self_trade", "none")),
            "venue": venue if type(venue) is int else self._directory.venue(venue),
            "order_id": _words(source, source_below, slippage if is_market else 0),
        }
        row = self._send(self._core.record, record, options.get("client_id"), options.get("time_ns"))
        outcome = _accepted(Outcome(*row))
        return TriggerPlaced(outcome.order_id, outcome.sequence, outcome.time_ns, outcome.retry)

    def amend_trigger(
        self,
        account: int,
        instrument: str | int,
        order_id: int = 0,
        *,
        qty: Number | None = None,
        above: Number | None = None,
        below: Number | None = None,
        limit: Number | None = None,
        limit_below: Number | None = None,
        client_id: str | bytes | None = None,
        time_ns: int | None = None,
    ) -> TriggerPlaced:
        """Changes an order that waits, named by `order_id` or `client_id`; what is left out stays."""
        market = self._directory.market(instrument)
        record = self._waiting(CommandKind.AMEND_TRIGGER, account, market, above, below)
        record |= {
            "order_id": whole("order_id", order_id),
            "qty": 0 if qty is None else market.qty.count(qty),
            "price": _ticks(market, limit),
            "expires_ns": _ticks(market, limit_below),
        }
        outcome = _accepted(Outcome(*self._send(self._core.record, record, client_id, time_ns)))
        return TriggerPlaced(outcome.order_id, outcome.sequence, outcome.time_ns, outcome.retry)

    def bracket(
        self,
        account: int,
        instrument: str | int,
        side: SideName | Side,
        price: Number,
        qty: Number,
        *,
        take_profit: Number | None = None,
        stop_loss: Number | None = None,
        source: SourceName | PriceSource = "last",
        slippage: Number = _SLIPPAGE,
        **options: Unpack[OrderOptions],
    ) -> OrderResult:
        """`place` with exits: market orders on the other side that the fills of this order arm, lot by lot.

        Whichever of `take_profit` and `stop_loss` fires first takes the other along, and what of the entry
        still rests. `triggers` shows the exits; their id is the order's plus 2^52.
        """
        if options.get("display") is not None:
            raise InvalidArgument("a bracket shows all of its quantity: it has no display")
        market, code = self._directory.market(instrument), code_of(SIDES, "side", side)
        above, below = (take_profit, stop_loss) if code == Side.BUY else (stop_loss, take_profit)
        record = self._waiting(CommandKind.PLACE_BRACKET, account, market, above, below)
        flags = (
            flag("post_only", options.get("post_only", False)) * Flags.POST_ONLY
            | flag("market", options.get("market", False)) * Flags.MARKET
        )
        flags |= flag("reduce_only", options.get("reduce_only", False)) * Flags.REDUCE_ONLY
        flags |= flag("protected", options.get("protected", False)) * Flags.PROTECTED
        venue = options.get("venue", 0)
        record |= {
            "side": code,
            "price": market.price.count(price),
            "qty": market.qty.count(qty),
            "tif": code_of(TIFS, "tif", options.get("tif", "gtc")),
            "flags": int(flags),
            "self_trade": code_of(SELF_TRADES, "self_trade", options.get("self_trade", "none")),
            "venue": venue if type(venue) is int else self._directory.venue(venue),
            "expires_ns": options.get("expires_ns", 0),
            "order_id": _words(source, None, slippage),
        }
        row = self._send(self._core.bracket, record, options.get("client_id"), options.get("time_ns"))
        if row[2]:
            raise rejected(row[2], row[8], row[9])
        return OrderResult(market, row)

    def triggers(self, account: int, instrument: str | int | None = None) -> list[Waiting]:
        """The orders of an account that wait, by id."""
        number = None if instrument is None else self._directory.market(instrument).number
        rows = self._core.triggers(whole("account", account))
        if rows is None:
            raise UnknownName(f"account {account} does not exist")
        return [self._shown(row) for row in rows if number is None or row[2] == number]

    def set_protection(
        self,
        account: int,
        instrument: str | int,
        *,
        qty: Number = 0,
        delta: Number = 0,
        window_s: Number = 0,
        freeze_s: Number = 0,
        time_ns: int | None = None,
    ) -> None:
        """Market-maker protection of an account on an instrument, set anew, not frozen; without limits none.

        Once `qty` of orders placed with `protected=True` have traded within a window, or `delta` net of
        bought and sold, those orders leave, before the same incoming order reaches them, and new ones are
        refused for `freeze_s`; 0: until it is set anew.
        """
        market = self._directory.market(instrument)
        window_ms, freeze_ms = _SECONDS.count(window_s), _SECONDS.count(freeze_s)
        if not (0 <= window_ms < 2**32 and 0 <= freeze_ms < 2**32):
            raise InvalidArgument(
                f"window_s and freeze_s are {window_s} and {freeze_s}, expected up to a day"
            )
        record = {
            "kind": int(CommandKind.SET_PROTECTION),
            "account": account,
            "instrument": market.number,
            "qty": market.qty.count(qty),
            "price": market.qty.count(delta),
            "expires_ns": freeze_ms << 32 | window_ms,
        }
        _accepted(Outcome(*self._send(self._core.record, record, None, time_ns)))

    def protection(self, account: int, instrument: str | int) -> Protection | None:
        """The market-maker protection of an account on an instrument; None: it has none."""
        market = self._directory.market(instrument)
        row = self._core.protection(account, market.number)
        if row is None:
            return None
        qty = market.qty.value
        return Protection(
            qty_max=qty(row[0]) if row[0] else None,
            delta_max=qty(row[1]) if row[1] else None,
            window_s=_SECONDS.value(row[2]),
            freeze_s=_SECONDS.value(row[3]),
            qty=qty(row[5]),
            delta=qty(row[6]),
            frozen_until_ns=row[7] if row[7] > self._core.time_ns() else None,
        )

    def cancel_all_after(self, account: int, seconds: Number, *, time_ns: int | None = None) -> Receipt:
        """Starts a countdown after which all resting orders of the account leave: a dead man's switch.

        Call it again before `seconds` have passed, and it starts anew; 0 stops it. Whole milliseconds, a day
        at most. It runs out with the first command at or after its deadline, in logged time; see `tick`.
        """
        record = {
            "kind": int(CommandKind.CANCEL_ALL_AFTER),
            "account": account,
            "qty": _COUNTDOWN.count(seconds),
        }
        outcome = _accepted(Outcome(*self._send(self._core.record, record, None, time_ns)))
        return Receipt(outcome.sequence, outcome.time_ns, outcome.retry)

    def countdown_deadline_ns(self, account: int) -> int | None:
        """When `cancel_all_after` takes the account's orders out, logged time; None: no countdown runs."""
        deadline_ns = self._core.countdown(whole("account", account))
        if deadline_ns is None:
            raise UnknownName(f"account {account} does not exist")
        return deadline_ns or None

    def _shown(self, row: _WaitingRow) -> Waiting:
        market = self._directory.markets[row[2]]
        above, limit_above, source_above, below, limit_below, source_below = row[5:11]
        tif, flags, _, _, slippage_ppm, entry, client_id, reached = row[11:]
        price = market.price.value
        return Waiting(
            order_id=row[0],
            account=row[1],
            instrument=market.symbol,
            side=Side(row[3]).name.lower(),
            qty=market.qty.value(row[4]) if row[4] else None,
            above=price(above) if above else None,
            below=price(below) if below else None,
            limit_above=price(limit_above) if limit_above else None,
            limit_below=price(limit_below) if limit_below else None,
            source_above=_NAMES[source_above],
            source_below=_NAMES[source_below],
            slippage=_PPM.value(slippage_ppm),
            tif=Tif(tif).name.lower(),
            flags=flags,
            entry=entry,
            client_id=client_id.rstrip(b"\0"),
            reached=reached,
        )

    def _waiting(
        self, kind: CommandKind, account: int, market: Market, above: Number | None, below: Number | None
    ) -> dict[str, Any]:
        return {
            "kind": int(kind),
            "account": whole("account", account),
            "instrument": market.number,
            "amount_low": _ticks(market, above),
            "amount_high": _ticks(market, below),
        }

    def _send(
        self,
        send: Callable[[bytes, int | None], _Row],
        fields: dict[str, Any],
        client_id: str | bytes | None,
        time_ns: int | None,
    ) -> _Row:
        record = commands(1)
        try:
            for name, value in fields.items():
                record[name] = value
            if client_id is not None:
                record["client_id"] = short_bytes(client_id, "client id")
            with self._publishing:
                row = send(record.tobytes(), whole_or_none("time_ns", time_ns))
                self._publish()
        except (OverflowError, TypeError, ValueError) as error:
            names = ("account", "price", "qty", "venue", "expires_ns", "order_id")
            given = {name: fields[name] for name in names if name in fields}
            raise misfit(error, given | {"time_ns": time_ns}) from error
        return row


def _ticks(market: Market, price: Number | None) -> int:
    return 0 if price is None else market.price.count(price)


def _words(above: object, below: object, slippage: Number) -> int:
    """The sources of both legs and the slippage, as the record has them."""
    first = code_of(_SOURCES, "source", above)
    second = first if below is None else code_of(_SOURCES, "source_below", below)
    slippage_ppm = _PPM.count(slippage)
    if not 0 <= slippage_ppm < 2**32:
        raise InvalidArgument(f"the slippage is {slippage}, expected a part of one such as 0.05")
    return slippage_ppm << 32 | second << 8 | first


def _accepted(outcome: Outcome) -> Outcome:
    if outcome.reason:
        raise rejected(outcome.reason, outcome.amount, outcome.counter_amount)
    return outcome
