"""How markets that stand change: announced, waited for, taken back, wound down."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from exchange_os._core import CommandKind, MarketKind
from exchange_os.bounds import whole
from exchange_os.commands import CommandMethods
from exchange_os.markets.changes import Update, updates
from exchange_os.markets.load import Loaded, load
from exchange_os.results import Receipt, receipt

if TYPE_CHECKING:
    from exchange_os.directory import Directory

What = Literal["update", "delisting"]


class Change(msgspec.Struct, frozen=True):
    """A change of a market that waits for its logged time; `id` is the sequence that announced it,
    `account` who did (0: the operator), `terms` the new specification as it travels, or nothing."""

    id: int
    what: What
    kind: MarketKind
    market: str
    account: int
    effective_ns: int
    terms: dict[str, Any] | None


class Closing(msgspec.Struct, frozen=True):
    """A delisted market that orders and positions are leaving, and how many positions were settled."""

    market: str
    settled: int


class GovernanceMethods(CommandMethods):
    """What `Exchange` can do with markets that stand."""

    def update(
        self,
        market_file: str | PathLike[str] | Loaded,
        *,
        delay_s: int | None = None,
        account: int = 0,
        time_ns: int | None = None,
    ) -> list[Update]:
        """Announces a change for every market of the file whose terms stand otherwise; what was announced.

        `delay_s` None: the least delay of the exchange. Nothing is sent if the file has an error, or changes
        something that never changes.
        """
        wait_s = self._delay(delay_s)
        found = self._updates(market_file)
        directory = self._directory
        for item in found:
            number = market_number(directory, item.kind, item.symbol)
            who = whole("account", account)
            body = {item.kind: number, "account": who, "delay_s": wait_s, **item.content}
            self.deploy_body(msgspec.msgpack.encode({f"update_{item.kind}": body}), time_ns=time_ns)
        return found

    def _updates(self, market_file: str | PathLike[str] | Loaded) -> list[Update]:
        """What a file would have otherwise than it stands now."""
        loaded = market_file if isinstance(market_file, Loaded) else load(market_file)
        self.__dict__.pop("_directory", None)
        return updates(loaded, self._directory.standing)

    def delist(
        self,
        market: str | int,
        *,
        delay_s: int | None = None,
        account: int = 0,
        time_ns: int | None = None,
    ) -> Receipt:
        """Announces that a spot instrument, a perpetual, a question or a venue is wound down after the delay.

        Until then positions are only reduced, in the last `delisting_auction_s` in an auction; then orders
        leave, and positions are settled at the average price of the last `delisting_window_s`. A question
        pays what it pays when it is void. A venue, by its symbol, whose own instruments are gone brings no
        orders any more.
        """
        kind, number = self._market_of(market)
        return receipt(
            self._command(
                CommandKind.DELIST,
                side=int(kind),
                account=account,
                instrument=number,
                qty=self._delay(delay_s),
                time_ns=time_ns,
            )
        )

    def _market_of(self, market: str | int) -> tuple[MarketKind, int]:
        """What a symbol or a number is: an instrument, a question or a venue, looked for in this order."""
        directory = self._directory
        is_question = market in directory.questions and market not in directory.markets
        is_venue = isinstance(market, str) and market in directory.venues and market not in directory.markets
        if is_venue and not is_question:
            return MarketKind.VENUE, directory.venue(market)
        if is_question:
            return MarketKind.QUESTION, directory.question(market).number
        return MarketKind.INSTRUMENT, directory.market(market).number

    def withdraw_change(self, change: int, *, account: int = 0, time_ns: int | None = None) -> Receipt:
        """Takes back an announced change, named by its id."""
        return receipt(
            self._command(CommandKind.WITHDRAW_CHANGE, account=account, order_id=change, time_ns=time_ns)
        )

    def changes(self) -> list[Change]:
        """What is announced, in the order in which it was."""
        return [self._change(found) for found in self._governance().get("changes", [])]

    def closing(self) -> list[Closing]:
        """Delisted markets that are not closed yet."""
        found = self._governance().get("closing", [])
        return [Closing(self._directory.market(one["instrument"]).symbol, one["settled"]) for one in found]

    def _governance(self) -> dict[str, Any]:
        content: dict[str, Any] = msgspec.msgpack.decode(self._core.governance())
        return content

    def _delay(self, delay_s: int | None) -> int:
        return self._directory.limits["change_delay_s_min"] if delay_s is None else whole("delay_s", delay_s)

    def _change(self, found: dict[str, Any]) -> Change:
        ((what, terms),) = found["change"].items()
        kind = MarketKind(found["kind"])
        delisting = what == "delisting"
        return Change(
            id=found["id"],
            what="delisting" if delisting else "update",
            kind=kind,
            market=market_symbol(self._directory, kind, found["target"]),
            account=found["account"],
            effective_ns=found["effective_ns"],
            terms=None if delisting else terms,
        )


def market_number(directory: Directory, kind: str, symbol: str) -> int:
    """The number of an instrument, a venue or a question."""
    match kind:
        case "venue":
            return directory.venue(symbol)
        case "question":
            return directory.question(symbol).number
    return directory.market(symbol).number


def market_symbol(directory: Directory, kind: MarketKind, number: int) -> str:
    """The symbol of an instrument, a venue or a question."""
    match kind:
        case MarketKind.VENUE:
            return next(name for name, found in directory.venues.items() if found == number and name != found)  # type: ignore[return-value]
        case MarketKind.QUESTION:
            return directory.question(number).symbol
    return directory.market(number).symbol
