"""What stands on an exchange, read from the engine itself: typed objects and polars frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from exchange_os._core import EventKind, InstrumentState, PriceStatus, SelfTrade, Side, Tif
from exchange_os.bounds import whole
from exchange_os.debts import DebtViews
from exchange_os.errors import EventsGone, InvalidArgument, UnknownName
from exchange_os.records import Events, events_from_bytes
from exchange_os.results import (
    AdlReceipt,
    AdlStanding,
    Balance,
    Book,
    Funding,
    FundingInterval,
    Instrument,
    Liquidation,
    Order,
    Position,
    Question,
    RiskSummary,
    Source,
    Trade,
    levels_of,
    rate_of,
    trades_from,
)
from exchange_os.scenarios import ScenarioRisk, risk_of

if TYPE_CHECKING:
    import polars as pl

    from exchange_os import _core
    from exchange_os.directory import Directory, Market

_CHUNK = 4_096
_SIDES = {int(side): side.name.lower() for side in Side}
_TIFS = {int(tif): tif.name.lower() for tif in Tif}
_SELF_TRADES = {int(mode): mode.name.lower() for mode in SelfTrade}


class Views(DebtViews):
    """The reading half of `Exchange`."""

    _core: _core.Exchange
    _directory: Directory

    # --- where it stands ---

    @property
    def sequence(self) -> int:
        """Of the last command."""
        return self._core.sequence()

    @property
    def time_ns(self) -> int:
        """Of the last command, nanoseconds since 1970 UTC of logged time."""
        return self._core.time_ns()

    @property
    def state_hash(self) -> str:
        """BLAKE3 of the canonical state, in hexadecimal. Sequence and time are not part of it."""
        return self._core.state_hash().hex()

    @property
    def account_count(self) -> int:
        """Accounts are numbered from 1 to this."""
        return self._core.account_count()

    @property
    def limits(self) -> dict[str, int]:
        """The declared limits."""
        return dict(self._directory.limits)

    @property
    def assets(self) -> tuple[str, ...]:
        """Symbols, the settlement asset first."""
        return _symbols(self._directory.assets)

    @property
    def venues(self) -> tuple[str, ...]:
        """Symbols of the deployed venues, number 1 first; number 0 is the exchange itself."""
        return _symbols(self._directory.venues)

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Symbols of the underlyings of scenario margin, number 1 first."""
        return tuple(symbol for symbol, _ in self._directory.underlyings)

    # --- instruments and questions ---

    def instrument(self, instrument: str | int) -> Instrument:
        """An instrument as it stands."""
        market = self._directory.market(instrument)
        row = self._core.instrument(market.number) or (0, 0, 0, 0, 0, None, 0)
        state, accepts, mark, index, last, status, lots = row
        return Instrument(
            number=market.number,
            symbol=market.symbol,
            product=market.product,
            base=market.base.symbol if market.base else None,
            quote=market.quote.symbol,
            question=self._directory.questions[market.question].symbol if market.question else None,
            tick_size=market.price.step,
            lot_size=market.qty.step,
            state=InstrumentState(state),
            accepts=InstrumentState(accepts),
            price_status=None if status is None else PriceStatus(status),
            mark_price=market.price.value(mark) if mark else None,
            index_price=market.price.value(index) if index else None,
            last_price=market.price.value(last) if last else None,
            open_interest=market.qty.value(lots),
        )

    def funding(self, instrument: str | int) -> Funding | None:
        """Funding of a perpetual as it stands; None where it has none."""
        market = self._directory.market(instrument)
        row = self._core.funding(market.number)
        if row is None:
            return None
        interval_h, premium, predicted, samples, ends_ns, is_settling, past = row
        return Funding(
            interval_h=interval_h,
            premium=None if premium is None else rate_of(premium),
            predicted_rate=None if predicted is None else rate_of(predicted),
            samples=samples,
            ends_ns=ends_ns,
            is_settling=is_settling,
            history=[
                FundingInterval(
                    time_ns=time_ns,
                    premium=rate_of(premium),
                    rate=rate_of(rate),
                    index_price=market.price.value(index),
                )
                for time_ns, premium, rate, index in past
            ],
        )

    def sources(self, instrument: str | int) -> list[Source]:
        """What each publisher of an instrument told last, in the order of its oracle."""
        market = self._directory.market(instrument)
        names = {number: name for name, number in self._directory.publishers.items() if isinstance(name, str)}
        return [
            Source(
                publisher=names[publisher],
                weight=weight,
                price=market.price.value(price) if price else None,
                external=market.price.value(external) if external else None,
                published_ns=published_ns,
            )
            for publisher, weight, price, external, published_ns in self._core.sources(market.number)
        ]

    def instruments(self) -> list[Instrument]:
        """All instruments, outcomes included."""
        return [self.instrument(symbol) for symbol in _symbols(self._directory.markets)]

    def question(self, question: str | int) -> Question:
        """A question as it stands."""
        terms = self._directory.question(question)
        sets, paying, shares, settled, added = self._core.question(terms.number) or (0, 0, [], False, 0)
        payouts = {
            outcome: terms.unit * share / 1_000_000
            for outcome, share in zip(terms.outcomes, shares, strict=False)
        }
        return Question(
            number=terms.number,
            symbol=terms.symbol,
            text=terms.text,
            outcomes=terms.outcomes,
            unit=terms.unit,
            sets=terms.qty.value(sets),
            paying=self._directory.markets[paying].symbol if paying else None,
            payouts=payouts,
            settled=settled,
            any_other=terms.any_other,
            outcomes_max=terms.outcomes_max,
            being_added=self._directory.markets[added].symbol if added else None,
        )

    def questions(self) -> list[Question]:
        """All questions."""
        return [self.question(symbol) for symbol in _symbols(self._directory.questions)]

    def number_of(self, instrument: str | int) -> int:
        """The number of an instrument, as records carry it."""
        return self._directory.market(instrument).number

    def price_ticks(self, instrument: str | int, price: Decimal | int | str) -> int:
        """A price in ticks, exact or refused."""
        return self._directory.market(instrument).price.count(price)

    def qty_lots(self, instrument: str | int, qty: Decimal | int | str) -> int:
        """A quantity in lots, exact or refused."""
        return self._directory.market(instrument).qty.count(qty)

    # --- one account ---

    def balance(self, account: int, asset: str | int) -> Balance:
        """Of one account in one asset, zero included."""
        found = self._directory.asset(asset)
        total, held = self._of(account, self._core.balance, found.number)
        return Balance(account, found.symbol, found.amount.value(total), found.amount.value(held))

    def balances(self, account: int) -> list[Balance]:
        """Every asset of which the account has something."""
        assets = self._directory.assets
        return [
            Balance(
                account,
                assets[number].symbol,
                assets[number].amount.value(total),
                assets[number].amount.value(held),
            )
            for number, total, held in self._of(account, self._core.balances)
        ]

    def positions(self, account: int) -> list[Position]:
        """Every instrument on which the account has a position or resting orders."""
        positions = []
        rows = self._of(account, self._core.positions)
        for number, lots, cost, realised, unrealised, buys, sells, maintenance, liquidation in rows:
            market = self._directory.markets[number]
            money, qty = market.quote.amount.value, market.qty.value
            values = (qty(lots), money(cost), money(realised), money(unrealised), qty(buys), qty(sells))
            price = None if liquidation is None else market.price.value(liquidation)
            positions.append(Position(account, market.symbol, *values, money(maintenance), price))
        return positions

    def orders(self, account: int, instrument: str | int | None = None) -> list[Order]:
        """The resting orders of an account, by order id."""
        number = None if instrument is None else self._directory.market(instrument).number
        rows = self._of(account, self._core.orders)
        return [self._resting(row) for row in rows if number is None or row[2] == number]

    def order(self, order_id: int) -> Order | None:
        """A resting order, or None if no such order rests."""
        row = self._core.order(whole("order_id", order_id))
        return None if row is None else self._resting(row)

    def risk(self, account: int) -> RiskSummary:
        """Equity and requirements of an account, in the settlement asset."""
        asset = self._directory.asset(1)
        money = asset.amount.value
        equity, initial, maintenance, reserves, headroom, withdrawable, worst, whole = self._of(
            account, self._core.risk
        )
        return RiskSummary(
            account=account,
            asset=asset.symbol,
            equity=money(equity),
            initial_margin=money(initial),
            maintenance_margin=money(maintenance),
            order_reserves=money(reserves),
            headroom=money(headroom),
            withdrawable=money(withdrawable),
            questions={self._directory.questions[number].symbol: money(value) for number, value in worst},
            equity_for_maintenance=money(whole),
        )

    def scenario_risk(self, account: int) -> ScenarioRisk:
        """The margin mode of an account, and what its perpetuals lose in each scenario."""
        return risk_of(account, self._of(account, self._core.scenario_risk), self._directory)

    def parent(self, account: int) -> int | None:
        """The account that pays for an isolated account; None: it is not isolated."""
        _, isolated, _ = self._of(account, self._core.family)
        return None if isolated is None else int(isolated[0])

    def isolated_accounts(self, account: int) -> dict[str, int]:
        """The isolated accounts of an account, by perpetual."""
        _, _, own = self._of(account, self._core.family)
        return {self._directory.market(number).symbol: child for number, child in own}

    # --- the market ---

    def book(self, instrument: str | int, depth: int = 10) -> Book:
        """The best `depth` levels of both sides."""
        market = self._directory.market(instrument)
        sequence, bids, asks = self._core.book(market.number, whole("depth", depth))
        return Book(market.symbol, sequence, levels_of(market, bids), levels_of(market, asks))

    def book_with_implied(self, instrument: str | int, depth: int = 10) -> Book:
        """The best `depth` levels of both sides as an incoming order finds them.

        `implied` of a level is what all other outcomes of the question offer together, on top of `qty`; it is
        0 for any other instrument.
        """
        market = self._directory.market(instrument)
        sequence, bids, asks = self._core.book_with_implied(market.number, whole("depth", depth))
        return Book(market.symbol, sequence, levels_of(market, bids), levels_of(market, asks))

    def trades(self, instrument: str | int | None = None, limit: int | None = None) -> list[Trade]:
        """Recent trades, oldest first, as far as they are kept (`trades_kept_max`)."""
        array = self.trades_array(instrument)
        if limit is not None:
            array = array[max(0, len(array) - whole("limit", limit)) :]
        by_number = {
            int(number): self._directory.markets[int(number)] for number in np.unique(array["instrument"])
        }
        if len(by_number) == 1:
            return list(trades_from(array, *by_number.values()))
        return [trade for row in range(len(array)) for trade in self._trade(array[row : row + 1], by_number)]

    def trades_array(self, instrument: str | int | None = None) -> Events:
        """Recent trades as events."""
        array = events_from_bytes(self._core.trades_kept())
        if instrument is None:
            return array
        return cast(Events, array[array["instrument"] == self._directory.market(instrument).number])

    def events(self, since_sequence: int = 0) -> Iterator[Events]:
        """Recent events of commands from `since_sequence` on, in order of execution, as arrays.

        They come from the bounded memory of this exchange (`events_kept_max`); 0 means from the oldest kept.
        `EventsGone` if events of `since_sequence` or later have left it.
        """
        since_sequence = whole("since_sequence", since_sequence)
        gone_to, data = self._core.events_kept()
        if 0 < since_sequence <= gone_to:
            raise EventsGone(
                f"events from sequence {since_sequence} on are asked for, those up to {gone_to} are no "
                "longer kept; open with a larger events_kept_max, or read the log"
            )
        kept = events_from_bytes(data)
        kept = kept[kept["sequence"] >= since_sequence] if since_sequence else kept
        return (kept[begin : begin + _CHUNK] for begin in range(0, len(kept), _CHUNK))

    # --- liquidation ---

    def liquidations(self) -> list[Liquidation]:
        """Accounts in liquidation."""
        money = self._directory.assets[1].amount
        return [
            Liquidation(
                account,
                money.value(equity),
                money.value(maintenance),
                next_visit_ns,
                clock and clock[0],
                clock and money.value(clock[1]),
            )
            for account, next_visit_ns, equity, maintenance, clock in self._core.liquidations()
        ]

    def insurance_fund(self) -> Decimal:
        """The insurance fund's balance in the settlement asset: a ledger account like any other."""
        none = self._directory.assets[1].amount.value(0)
        return self.house().get("insurance", {}).get(self.assets[0], none)

    def adl_standings(self, instrument: str | int, side: str, qty: Decimal | int | str) -> list[AdlStanding]:
        """What each long ("buy") or short would give if `qty` of the other side had to be closed now."""
        market = self._directory.market(instrument)
        if side not in ("buy", "sell"):
            raise InvalidArgument(f'side is {side!r}, expected "buy" or "sell"')
        rows = self._core.deleveraging(market.number, side == "buy", market.qty.count(qty))
        return [
            AdlStanding(
                account=account,
                position=market.qty.value(lots),
                first=market.qty.value(first),
                leverage=Decimal(leverage_ppm).scaleb(-6),
                share=market.qty.value(share),
                queue_rank=rank,
                candidates=candidates,
            )
            for account, lots, first, leverage_ppm, share, rank, candidates in rows
        ]

    def adl_receipts(self, account: int | None = None, since_sequence: int = 0) -> list[AdlReceipt]:
        """Receipts of deleveraging among the kept events, of one account or of all."""
        from exchange_os import receipts

        if account is not None and not 1 <= whole("account", account) <= self.account_count:
            raise UnknownName(f"account {account!r} does not exist; the newest is {self.account_count}")
        found = (events[events["kind"] == EventKind.DELEVERAGED] for events in self.events(since_sequence))
        chosen = (events if account is None else events[events["account"] == account] for events in found)
        return [
            row for events in chosen for row in receipts.receipts_of(cast(Events, events), self._directory)
        ]

    # --- the whole ---

    def house(self) -> dict[str, dict[str, Decimal]]:
        """The house accounts, such as "insurance" or "venue front": asset -> amount, without zeros."""
        questions = self._directory.questions
        names: dict[str, Callable[[int], str]] = {
            "venue": lambda number: self.venues[number - 1] if number else "0",
            "deployer": lambda number: self._directory.markets[number].symbol,
            "clearing": lambda number: self._directory.markets[number].symbol,
            "question": lambda number: questions[number].symbol,
            "bonds": lambda number: questions[number].symbol,
        }
        house: dict[str, dict[str, Decimal]] = {}
        for kind, number, asset_number, amount in self._core.house():
            asset = self._directory.assets[asset_number]
            # Instruments that are reserved for outcomes have no name, and hold nothing.
            if amount:
                name = f"{kind} {names[kind](number)}" if kind in names else kind
                house.setdefault(name, {})[asset.symbol] = asset.amount.value(amount)
        return house

    def conservation(self) -> dict[str, Decimal]:
        """For every asset the sum over all accounts and house accounts: always zero."""
        sums = {}
        for number, users, house in self._core.conservation():
            asset = self._directory.assets[number]
            sums[asset.symbol] = asset.amount.value(users + house)
        return sums

    # --- frames ---

    def balances_frame(self, account: int | None = None) -> pl.DataFrame:
        """Balances of one account or of all: account, asset, total, held, free."""
        from exchange_os import tables

        return tables.balances(self._directory, self._accounts(account, self._core.balances))

    def positions_frame(self, account: int | None = None) -> pl.DataFrame:
        """Positions of one account or of all: account, instrument, qty, cost, realised, buys, sells."""
        from exchange_os import tables

        return tables.positions(self._directory, self._accounts(account, self._core.positions))

    def orders_frame(self, account: int | None = None) -> pl.DataFrame:
        """Resting orders of one account or of all."""
        from exchange_os import tables

        return tables.orders(self._directory, self._accounts(account, self._core.orders))

    def trades_frame(self, instrument: str | int | None = None) -> pl.DataFrame:
        """Recent trades, oldest first."""
        from exchange_os import tables

        return tables.trades(self._directory, self.trades_array(instrument))

    def book_frame(self, instrument: str | int, depth: int = 10) -> pl.DataFrame:
        """One row for each level: side, price, qty, orders."""
        from exchange_os import tables

        market = self._directory.market(instrument)
        _, bids, asks = self._core.book(market.number, whole("depth", depth))
        return tables.book(market, bids, asks)

    def events_frame(self, since_sequence: int = 0) -> pl.DataFrame:
        """Recent events as they are, in ticks, lots and atoms."""
        from exchange_os import frames

        parts = list(self.events(since_sequence))
        return frames.events(np.concatenate(parts) if parts else events_from_bytes(b""))

    # --- inside ---

    def _accounts(self, account: int | None, read: Any) -> Iterator[tuple[int, Any]]:
        chosen = range(1, self.account_count + 1) if account is None else (account,)
        return ((number, self._of(number, read)) for number in chosen)

    def _of(self, account: int, read: Any, *rest: int) -> Any:
        found = read(whole("account", account), *rest)
        if found is None:
            raise UnknownName(f"account {account!r} does not exist; the newest is {self.account_count}")
        return found

    def _resting(self, row: Any) -> Order:
        order_id, account, number, side, price, qty, remaining, tif, flags, *more = row
        self_trade, venue, expires, client, display, shown = more
        market = self._directory.markets[number]
        return Order(
            order_id=order_id,
            account=account,
            instrument=market.symbol,
            side=_SIDES[side],
            price=market.price.value(price),
            qty=market.qty.value(qty),
            remaining=market.qty.value(remaining),
            tif=_TIFS[tif],
            flags=flags,
            self_trade=_SELF_TRADES[self_trade],
            venue=venue,
            expires_ns=expires,
            client_id=client.rstrip(b"\0"),
            display=market.qty.value(display) if display else None,
            shown=market.qty.value(shown),
        )

    @staticmethod
    def _trade(row: Events, by_number: dict[int, Market]) -> tuple[Trade, ...]:
        return trades_from(row, by_number[int(row["instrument"][0])])


def _symbols(table: dict[str | int, Any]) -> tuple[str, ...]:
    return tuple(key for key in table if isinstance(key, str))
