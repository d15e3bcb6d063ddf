"""The population of the demonstration on a running server: it trades on, gently, until it is stopped.

The markets are those of the week before the tournament, under names that clients of OKX read. Nothing is kept
beside the log: who starts again finds accounts and positions there, and begins with an empty book.
"""

from __future__ import annotations

from math import isqrt
from pathlib import Path

import numpy as np

from exchange_os import CommandKind, EventKind, Exchange, InvalidArgument, commands
from exchange_os.records import Commands, Events

from .beliefs import Beliefs
from .crypto_takers import CryptoTakers
from .draws import Draws, Ints
from .makers import Makers
from .order_columns import OrderColumns
from .own_market import OwnMarket, goals_path
from .population import ETH, ETH_ATOMS, USD, USD_ATOMS, Population
from .price_paths import HOUR_NS, PPM, UNDERLYINGS
from .takers import Takers, Touch
from .tape import Tape
from .tournament_markets import OUTCOME, OWN_SYMBOL, PERPETUAL, Listings, Symbols
from .venues import credentials, through_venues, venues_of
from .world_cup import TournamentFacts, load_facts, questions

GUEST = "guest"
"""Owner of the account that is there to be tried out."""
_GUEST_ASSETS = ((USD, 100_000 * USD_ATOMS), (ETH, 50 * ETH_ATOMS))
_STREAM, _OWN_SPREAD_PPM = 31, 4_000
_GROUPS = 4
_FORECAST_RUNS = 400
_LOOKS = 12
_BOOKMAKERS, _LEVELS = 4, 1
_FORGOTTEN_AFTER = 1_000_000
"""Sequences after which the tape begins anew: it keeps a place for each."""


class ClientSymbols(Symbols):
    """Names that clients take apart: two parts for spot, three for a perpetual, five for an outcome."""

    spot = "{}-USD"
    perpetual = "{}-USD-SWAP"

    def question(self, key: str) -> str:
        return f"WORLD-CUP-2026-{key.upper().replace('.', '-').replace('_', '-')}"

    def outcome(self, key: str, code: str) -> str:
        return f"{self.question(key)}-{code}"


class LiveTape(Tape):
    """Follows everything that happens: accounts of others are one, and orders count from where it began."""

    def __init__(self, listings: Listings, accounts: int, begin: int) -> None:
        super().__init__(listings, accounts)
        self.begin, self._accounts = begin, accounts

    def hear(self, batch: Commands, events: Events) -> None:
        """What was sent, and what came since: of that and of everybody else."""
        events = events[events["sequence"] > self.begin].copy()
        for name in ("order_id", "counter_order_id"):
            known = events[name] > self.begin
            if name == "counter_order_id":
                known &= events["kind"] == EventKind.TRADE
            events[name][known] -= self.begin
            old = (events[name] > 0) & (events["kind"] == EventKind.TRADE) & ~known
            events[name][old] = 0  # it rested before the tape began, and is nobody's here
        for name in ("account", "counter_account"):
            strange = events[name] > self._accounts
            if name == "counter_account":
                strange &= events["kind"] == EventKind.TRADE
            events[name][strange] = 0
        self.follow(batch, events)


class Street:
    """Everybody who trades."""

    def __init__(self, exchange: Exchange, folder: Path, seed: int) -> None:
        """`exchange` hears of all accounts and operates; `folder` takes the market file."""
        self.exchange, self.seed = exchange, seed
        self._news = exchange.subscribe(kept_max=100_000)
        facts = load_facts()
        folder.mkdir(parents=True, exist_ok=True)
        self.listings = Listings(exchange, facts, folder, ClientSymbols())
        self.population = Population(seed, len(facts.teams))
        self.venue = venues_of(self.population, seed)
        self._open(facts)
        self._draws = Draws(seed + exchange.sequence, _STREAM)
        self.index = self._first_prices(facts)
        self.beliefs = Beliefs(facts, self.listings, _FORECAST_RUNS, seed)
        self._begin()
        self.steps = 0

    def _open(self, facts: TournamentFacts) -> None:
        """Markets, accounts and money, where they do not stand yet."""
        listed = questions(facts)[: 1 + _GROUPS]
        fresh = not self.exchange.account_count
        self.listings.list_questions(list(listed), "up", None)
        if fresh:
            self.exchange.submit(self.population.opening())
        elif self.exchange.account_count < self.population.count or self._owner(1) != "bookmaker-001":
            raise InvalidArgument("the directory has accounts of somebody else; choose another one")
        # Deposits carry keys: who was stopped amid all this goes on from here.
        self.exchange.submit(self.population.funding())
        if fresh:
            vouched = credentials(self.population, self.venue, self.seed, self.exchange.time_ns)
            self.exchange.submit(vouched)

    def _owner(self, account: int) -> str:
        family = self.exchange._core.family(account)
        return "" if family is None else family[0].rstrip(b"\0").decode("utf-8", "replace")

    def guest(self) -> int:
        """The account to be tried out, with money."""
        numbers = range(self.population.count + 1, self.exchange.account_count + 1)
        found = next((number for number in numbers if self._owner(number) == GUEST), None)
        account = self.exchange.open_account(GUEST) if found is None else found
        for asset, atoms in _GUEST_ASSETS:
            batch = commands(1)
            batch["kind"], batch["account"], batch["instrument"] = CommandKind.DEPOSIT, account, asset
            batch["amount_low"], batch["amount_high"] = atoms & (2**64 - 1), atoms >> 64
            batch["client_id"] = f"guest-{asset}".encode()
            self.exchange.submit(batch)
        return account

    def _first_prices(self, facts: TournamentFacts) -> dict[str, int]:
        """The last mark in ticks, or where the walk begins."""
        first = {each.symbol: each.first_price * each.ticks for each in UNDERLYINGS}
        first[OWN_SYMBOL] = int(goals_path(facts, [0])[0])
        for symbol in first:
            each = self.exchange.instrument(self.listings.perpetual[symbol])
            if each.mark_price is not None:
                first[symbol] = int(each.mark_price / each.tick_size)
        return first

    def _begin(self) -> None:
        """Nobody has an order; positions are what the exchange says."""
        count = self.population.count
        self.exchange.submit(self._all_cancelled(np.arange(1, count + 1)))
        for _ in self._news:
            pass
        self.tape = tape = LiveTape(self.listings, count, self.exchange.sequence)
        counted = (PERPETUAL, OUTCOME)
        for account in range(1, count + 1):
            for held in self.exchange.positions(account):
                number = self.exchange.number_of(held.instrument)
                if self.listings.product[number] in counted:
                    lot = self.exchange._directory.market(number).qty
                    tape.position[account, number] = lot.count(held.qty)
        for key, number in self.listings.number.items():
            terms = self.exchange.question(self.listings.symbols.question(key))
            tape.sets[number] = int(terms.sets)
        self.makers = Makers(self.population, tape, self.beliefs, _BOOKMAKERS, _LEVELS)
        self.takers = Takers(self.seed, self.population, tape, self.beliefs)
        self.crypto_takers = CryptoTakers(self.seed, self.population, tape)
        self.own_market = OwnMarket(self.seed, self.population, tape, self.venue)

    @staticmethod
    def _all_cancelled(accounts: Ints) -> Commands:
        batch = commands(len(accounts))
        batch["kind"], batch["side"], batch["account"] = CommandKind.MASS_CANCEL, 2, accounts
        return batch

    # --- one step ---

    def step(self, elapsed_ns: int) -> int:
        """Prices move as in so much time, makers quote afresh, some take; the commands sent."""
        if self.exchange.sequence - self.tape.begin > _FORGOTTEN_AFTER:
            self._begin()
        before = dict(self.index)
        self._walk(elapsed_ns)
        which = np.array([self.steps % _BOOKMAKERS])
        quotes = [self._prices(), self.makers.requote(which, self.index)]
        quotes.append(self.own_market.quotes(self.index[OWN_SYMBOL]))
        sent = self._send(np.concatenate(quotes))
        sent += self._send(self._taken(before))
        self.steps += 1
        return sent

    def _walk(self, elapsed_ns: int) -> None:
        spreads = {each.symbol: each.hourly_spread_ppm for each in UNDERLYINGS} | {
            OWN_SYMBOL: _OWN_SPREAD_PPM
        }
        moves = self._draws.bell(PPM, len(spreads)).tolist()
        share = isqrt(elapsed_ns * PPM // HOUR_NS)
        for move, (symbol, spread_ppm) in zip(moves, spreads.items(), strict=True):
            price = self.index[symbol]
            self.index[symbol] = max(100, price + price * (move * spread_ppm * share // 1_000 // PPM) // PPM)
        drift = self._draws.bell(3, self.makers._tilts.size).reshape(self.makers._tilts.shape)
        self.makers._tilts = np.clip(self.makers._tilts + drift, 800, 1_280)

    def _prices(self) -> Commands:
        numbers = [self.listings.perpetual[symbol] for symbol in self.index]
        batch = commands(2 * len(numbers))
        batch["kind"] = np.repeat([CommandKind.SET_INDEX, CommandKind.SET_MARK], len(numbers))
        batch["instrument"] = numbers * 2
        batch["price"] = list(self.index.values()) * 2
        return batch

    def _taken(self, before: dict[str, int]) -> Commands:
        takers, touch, at_once = self.takers, Touch.of(self.tape), OrderColumns()
        parts = [takers.second_thoughts(20)]
        takers.informed_orders(at_once, touch, _LOOKS)
        takers.fan_orders(at_once, touch, _LOOKS // 3)
        parts.append(takers.noise_orders(touch, _LOOKS, self.exchange.time_ns))
        self.crypto_takers.orders(at_once, touch, self.index, before, _LOOKS)
        self.own_market.take(at_once, self.index[OWN_SYMBOL], before[OWN_SYMBOL], 2)
        return np.concatenate([at_once.commands(), *parts])

    def _send(self, batch: Commands) -> int:
        batch = through_venues(batch, self.venue)
        if len(batch):
            self.exchange.submit(batch)
        events = [part for part in self._news if len(part)]
        if events:
            self.tape.hear(batch, np.concatenate(events))
        return len(batch)
