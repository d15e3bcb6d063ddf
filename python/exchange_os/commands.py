"""The single commands of an exchange, each with its typed answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exchange_os._core import CommandKind, Flags, InstrumentState, SelfTrade, Side, Tif
from exchange_os.bounds import flag, not_zero, whole, whole_or_none
from exchange_os.errors import UnknownName
from exchange_os.exact import Number
from exchange_os.publishing import Publishing
from exchange_os.rejects import rejected
from exchange_os.results import Cancelled, OrderResult, Outcome, Preview, Receipt, receipt
from exchange_os.words import (
    MARGIN_MODES,
    SELF_TRADES,
    SIDES,
    STATES,
    TIFS,
    MarginModeName,
    OrderOptions,
    SelfTradeName,
    SideName,
    StateName,
    TifName,
    Words,
    code_of,
    misfit,
    short_bytes,
)

if TYPE_CHECKING:
    from typing import Unpack

    from exchange_os import _core
    from exchange_os.directory import Directory, Market

_POST_ONLY, _REDUCE_ONLY, _MARKET = int(Flags.POST_ONLY), int(Flags.REDUCE_ONLY), int(Flags.MARKET)
_PROTECTED = int(Flags.PROTECTED)
_BOTH_SIDES = 2
_PLAIN = frozenset({str, int, Side})


class CommandMethods(Publishing):
    """The writing half of `Exchange`, one command at a time."""

    _core: _core.Exchange
    _directory: Directory

    # --- orders ---

    def place(
        self,
        account: int,
        instrument: str | int,
        side: SideName | Side,
        price: Number,
        qty: Number,
        **options: Unpack[OrderOptions],
    ) -> OrderResult:
        """Places an order; raises `Rejected` if the engine refuses it. See `OrderOptions` for the rest.

        `price` is the limit; of a market order (`market=True`, with tif "ioc" or "fok") the protection price.
        """
        result = self._order(account, instrument, side, price, qty, options)
        row = result.row
        if row[2]:
            raise rejected(row[2], row[8], row[9])
        return result

    def try_place(
        self,
        account: int,
        instrument: str | int,
        side: SideName | Side,
        price: Number,
        qty: Number,
        **options: Unpack[OrderOptions],
    ) -> OrderResult:
        """As `place`, but a reject is a result: `accepted` is False and `rejection` says why."""
        return self._order(account, instrument, side, price, qty, options)

    def buy(
        self, account: int, instrument: str | int, price: Number, qty: Number, **options: Unpack[OrderOptions]
    ) -> OrderResult:
        """`place` on the buy side."""
        return self.place(account, instrument, "buy", price, qty, **options)

    def sell(
        self, account: int, instrument: str | int, price: Number, qty: Number, **options: Unpack[OrderOptions]
    ) -> OrderResult:
        """`place` on the sell side."""
        return self.place(account, instrument, "sell", price, qty, **options)

    def _order(
        self,
        account: int,
        instrument: str | int,
        side: SideName | Side,
        price: Number,
        qty: Number,
        options: OrderOptions,
    ) -> OrderResult:
        """The hot path: a plain order looks up two words and two known numbers, and nothing else."""
        try:
            if instrument.__class__ not in _PLAIN or side.__class__ not in _PLAIN:
                raise TypeError  # a bool or a float would equal a known number
            found, code = self._directory.markets[instrument], SIDES[side]
        except (KeyError, TypeError):
            found, code = self._directory.market(instrument), code_of(SIDES, "side", side)
        if account.__class__ is not int:
            account = whole("account", account)
        ticks, lots = found.price.count(price), found.qty.count(qty)
        display = _shown_lots(found, options) if options else 0
        try:
            if not options and not self._subscriptions:
                place = self._core.place  # no argument tuple to build
                return OrderResult(
                    found, place(account, found.number, code, ticks, lots, 0, 0, 0, 0, 0, None, None)
                )
            words = self._words(**options)
            with self._publishing:
                row = self._core.place(account, found.number, code, ticks, lots, *words, display)
                self._publish()
            return OrderResult(found, row)
        except (OverflowError, TypeError) as error:
            given: dict[str, object] = {"account": account, "price": ticks, "qty": lots, "display": display}
            given |= {"venue": options.get("venue")}
            given |= {"expires_ns": options.get("expires_ns"), "time_ns": options.get("time_ns")}
            raise misfit(error, given) from error

    def _words(
        self,
        tif: TifName | Tif = "gtc",
        post_only: bool = False,
        reduce_only: bool = False,
        market: bool = False,
        protected: bool = False,
        self_trade: SelfTradeName | SelfTrade = "none",
        venue: str | int = 0,
        expires_ns: int = 0,
        display: Number | None = None,  # noqa: ARG002 - the caller counts it in lots
        client_id: str | bytes | None = None,
        time_ns: int | None = None,
    ) -> Words:
        """tif, flags, self_trade, venue, expires_ns, client_id, time_ns as the record has them."""
        flags = flag("post_only", post_only) * _POST_ONLY
        flags |= flag("reduce_only", reduce_only) * _REDUCE_ONLY | flag("market", market) * _MARKET
        flags |= flag("protected", protected) * _PROTECTED
        return (
            code_of(TIFS, "tif", tif),
            flags,
            code_of(SELF_TRADES, "self_trade", self_trade),
            venue if type(venue) is int else self._directory.venue(venue),
            whole("expires_ns", expires_ns),
            None if client_id is None else short_bytes(client_id, "client id"),
            whole_or_none("time_ns", time_ns),
        )

    def preview(
        self,
        account: int,
        instrument: str | int,
        side: SideName | Side,
        price: Number,
        qty: Number,
        **options: Unpack[OrderOptions],
    ) -> Preview:
        """What `place` would do now, without placing anything: levels of the book count as they stand."""
        found, asset = self._directory.market(instrument), self._directory.asset(1)
        ticks, lots, display = found.price.count(price), found.qty.count(qty), _shown_lots(found, options)
        code, words = code_of(SIDES, "side", side), self._words(**options)[:5]
        try:
            row = self._core.preview(
                whole("account", account), found.number, code, ticks, lots, *words, display
            )
        except OverflowError as error:
            given = {"price": ticks, "qty": lots, "display": display, "venue": options.get("venue")}
            raise misfit(error, given) from error
        if row is None:
            raise UnknownName(f"account {account!r} does not exist")
        return Preview.of(found, asset.amount.value, row)

    def amend(
        self,
        account: int,
        instrument: str | int,
        order_id: int = 0,
        *,
        price: Number | None = None,
        qty: Number | None = None,
        display: Number | None = None,
        post_only: bool = False,
        client_id: str | bytes | None = None,
        time_ns: int | None = None,
    ) -> OrderResult:
        """Changes the price or the total quantity (what has filled included) of a resting order, and how much
        an iceberg shows at a time.

        The order is named by `order_id` or by the `client_id` with which it was placed. A smaller quantity
        or another display keeps its place in the queue, everything else loses it.
        """
        found = self._directory.market(instrument)
        ticks = 0 if price is None else not_zero(found.price.count(price), "price")
        lots = 0 if qty is None else not_zero(found.qty.count(qty), "quantity")
        shown = 0 if display is None else not_zero(found.qty.count(display), "display")
        id_bytes = None if client_id is None else short_bytes(client_id, "client id")
        flags = flag("post_only", post_only) * _POST_ONLY
        account, order_id = whole("account", account), whole("order_id", order_id)
        time_ns = whole_or_none("time_ns", time_ns)
        try:
            with self._publishing:
                words = ticks, lots, flags, id_bytes, time_ns, shown
                row = self._core.amend(account, found.number, order_id, *words)
                self._publish()
        except (OverflowError, TypeError) as error:
            raise misfit(error, {"price": ticks, "qty": lots, "display": shown}) from error
        if row[2]:
            raise rejected(row[2], row[8], row[9])
        return OrderResult(found, row)

    def cancel(
        self,
        account: int,
        order_id: int = 0,
        *,
        client_id: str | bytes | None = None,
        time_ns: int | None = None,
    ) -> Cancelled:
        """Takes out a resting order, named by `order_id` or by the `client_id` with which it was placed."""
        row = self._command(
            CommandKind.CANCEL, account=account, order_id=order_id, client_id=client_id, time_ns=time_ns
        )
        market = self._directory.markets[row.instrument]
        return Cancelled(row.order_id, market.symbol, market.qty.value(row.qty))

    def mass_cancel(
        self,
        account: int,
        instrument: str | int | None = None,
        *,
        side: SideName | Side | None = None,
        time_ns: int | None = None,
    ) -> int:
        """Takes out the resting orders of an account, on one instrument or all, and says how many."""
        number = 0 if instrument is None else self._directory.market(instrument).number
        code = _BOTH_SIDES if side is None else code_of(SIDES, "side", side)
        return self._command(
            CommandKind.MASS_CANCEL, side=code, account=account, instrument=number, time_ns=time_ns
        ).qty

    # --- accounts and money ---

    def open_account(self, owner: str | bytes, *, simulated: bool = False, time_ns: int | None = None) -> int:
        """Opens a margin account for an owner (an address or a customer id, up to 32 bytes); its number.
        A simulated one has worthless money, which cannot leave, and trades on simulated venues alone."""
        side, owner_id = int(flag("simulated", simulated)), short_bytes(owner, "owner")
        return self._command(CommandKind.OPEN_ACCOUNT, side=side, client_id=owner_id, time_ns=time_ns).account

    def open_isolated(self, account: int, instrument: str | int, *, time_ns: int | None = None) -> int:
        """Opens the isolated account of an account on a perpetual; its number. Its orders pull their margin
        from the account, and what is left when it has neither position nor order goes back."""
        found = self._core.family(whole("account", account))
        if found is None:
            raise UnknownName(f"account {account!r} does not exist")
        return self._command(
            CommandKind.OPEN_ACCOUNT,
            instrument=self._directory.market(instrument).number,
            order_id=account,
            client_id=found[0].rstrip(b"\0"),
            time_ns=time_ns,
        ).account

    def deposit(
        self,
        account: int,
        asset: str | int,
        amount: Number,
        *,
        client_id: str | bytes | None = None,
        time_ns: int | None = None,
    ) -> Receipt:
        """Credits an account from outside."""
        return self._move(CommandKind.DEPOSIT, account, asset, amount, client_id, time_ns)

    def withdraw(
        self,
        account: int,
        asset: str | int,
        amount: Number,
        *,
        client_id: str | bytes | None = None,
        time_ns: int | None = None,
    ) -> Receipt:
        """Pays out of an account to outside."""
        return self._move(CommandKind.WITHDRAW, account, asset, amount, client_id, time_ns)

    def transfer(
        self,
        account: int,
        to: int,
        asset: str | int,
        amount: Number,
        *,
        client_id: str | bytes | None = None,
        time_ns: int | None = None,
    ) -> Receipt:
        """Moves money to another account of the same owner: what could be withdrawn can be moved."""
        return self._move(
            CommandKind.TRANSFER, account, asset, amount, client_id, time_ns, to=whole("to", to)
        )

    def split(
        self,
        account: int,
        question: str | int,
        qty: Number,
        *,
        client_id: str | bytes | None = None,
        time_ns: int | None = None,
    ) -> Receipt:
        """Pays one unit a share and receives `qty` of every outcome."""
        return self._sets(CommandKind.SPLIT_SET, account, question, qty, client_id, time_ns)

    def merge(
        self,
        account: int,
        question: str | int,
        qty: Number,
        *,
        client_id: str | bytes | None = None,
        time_ns: int | None = None,
    ) -> Receipt:
        """Gives `qty` of every outcome and receives one unit a share."""
        return self._sets(CommandKind.MERGE_SET, account, question, qty, client_id, time_ns)

    def set_leverage(
        self, account: int, instrument: str | int, leverage: int, *, time_ns: int | None = None
    ) -> Receipt:
        """Chooses the leverage on a perpetual: what stands there needs 1 / leverage; 0: no choice."""
        number, kind = self._directory.market(instrument).number, CommandKind.SET_LEVERAGE
        qty = whole("leverage", leverage)
        return receipt(self._command(kind, account=account, instrument=number, qty=qty, time_ns=time_ns))

    def set_margin_mode(self, account: int, mode: MarginModeName, *, time_ns: int | None = None) -> Receipt:
        """Chooses how the perpetuals of an account are margined: each for itself, or in scenarios."""
        code, kind = code_of(MARGIN_MODES, "mode", mode), CommandKind.SET_MARGIN_MODE
        return receipt(self._command(kind, side=code, account=account, time_ns=time_ns))

    # --- what the operator and the oracle say ---

    def tick(self, *, time_ns: int | None = None) -> Receipt:
        """Lets time pass."""
        return receipt(self._command(CommandKind.TICK, time_ns=time_ns))

    def set_mark(self, instrument: str | int, price: Number, *, time_ns: int | None = None) -> Receipt:
        """Sets the mark price, which margin and bands use."""
        return self._set_price(CommandKind.SET_MARK, instrument, price, time_ns)

    def set_index(self, instrument: str | int, price: Number, *, time_ns: int | None = None) -> Receipt:
        """Sets the index price."""
        return self._set_price(CommandKind.SET_INDEX, instrument, price, time_ns)

    def publish_price(
        self,
        publisher: str | int,
        instrument: str | int,
        price: Number,
        *,
        external: Number | None = None,
        published_ns: int | None = None,
        time_ns: int | None = None,
    ) -> Receipt:
        """A source of the instrument tells its index price, and perhaps the price of an external perpetual.

        `published_ns` is the publisher's own time, later than its last one; None: `time_ns`, or now.
        """
        number, market = self._directory.publisher(publisher), self._directory.market(instrument)
        told_ns = time_ns if published_ns is None else published_ns
        return receipt(
            self._command(
                CommandKind.PUBLISH_PRICE,
                account=number,
                instrument=market.number,
                price=market.price.count(price),
                qty=0 if external is None else market.price.count(external),
                expires_ns=time.time_ns() if told_ns is None else told_ns,
                time_ns=time_ns,
            )
        )

    def restart(self, *, time_ns: int | None = None) -> Receipt:
        """Prices count when they are told anew. Opening a directory with oracles says it by itself."""
        return receipt(self._command(CommandKind.RESTART, time_ns=time_ns))

    def set_instrument_state(
        self, instrument: str | int, state: StateName | InstrumentState, *, time_ns: int | None = None
    ) -> Receipt:
        """Opens, restricts or halts an instrument."""
        code = code_of(STATES, "state", state)
        number = self._directory.market(instrument).number
        return receipt(
            self._command(CommandKind.SET_INSTRUMENT_STATE, side=code, instrument=number, time_ns=time_ns)
        )

    # --- inside ---

    def _command(
        self,
        kind: CommandKind,
        *,
        side: int = 0,
        account: int = 0,
        instrument: int = 0,
        order_id: int = 0,
        price: int = 0,
        qty: int = 0,
        amount: int = 0,
        client_id: str | bytes | None = None,
        digest: bytes | None = None,
        expires_ns: int = 0,
        time_ns: int | None = None,
    ) -> Outcome:
        id_bytes = digest if client_id is None else short_bytes(client_id, "client id")
        account, order_id = whole("account", account), whole("order_id", order_id)
        numbers = account, instrument, order_id, price, qty, amount
        time_ns = whole_or_none("time_ns", time_ns)
        try:
            with self._publishing:
                row = self._core.command(kind, side, *numbers, id_bytes, expires_ns, time_ns)
                self._publish()
        except (OverflowError, TypeError) as error:
            given = {"price": price, "qty": qty, "amount": amount, "expires_ns": expires_ns}
            raise misfit(error, given) from error
        outcome = Outcome(*row)
        if outcome.reason:
            raise rejected(outcome.reason, outcome.amount, outcome.counter_amount)
        return outcome

    def _move(
        self,
        kind: CommandKind,
        account: int,
        asset: str | int,
        amount: Number,
        client_id: str | bytes | None,
        time_ns: int | None,
        to: int = 0,
    ) -> Receipt:
        found = self._directory.asset(asset)
        outcome = self._command(
            kind,
            account=account,
            instrument=found.number,
            order_id=to,
            amount=found.amount.count(amount),
            client_id=client_id,
            time_ns=time_ns,
        )
        return receipt(outcome, found.amount.value(outcome.counter_amount))

    def _sets(
        self,
        kind: CommandKind,
        account: int,
        question: str | int,
        qty: Number,
        client_id: str | bytes | None,
        time_ns: int | None,
    ) -> Receipt:
        terms = self._directory.question(question)
        return receipt(
            self._command(
                kind,
                account=account,
                instrument=terms.number,
                qty=terms.qty.count(qty),
                client_id=client_id,
                time_ns=time_ns,
            )
        )

    def _set_price(
        self, kind: CommandKind, instrument: str | int, price: Number, time_ns: int | None
    ) -> Receipt:
        market = self._directory.market(instrument)
        return receipt(
            self._command(kind, instrument=market.number, price=market.price.count(price), time_ns=time_ns)
        )


def _shown_lots(market: Market, options: OrderOptions) -> int:
    """Lots that an iceberg shows at a time; 0: all of them."""
    display = options.get("display")
    return 0 if display is None else not_zero(market.qty.count(display), "display")
