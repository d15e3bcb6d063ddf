"""The demonstration: the 2026 World Cup traded from a week before the first match to the final whistle.

`run` plays it on an exchange in a directory, through the public Python interface alone, and proves the
directory afterwards. The same seed and size give the same commands, and so the same state hash.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from exchange_os import AlreadyOpen, CommandKind, Error, Exchange, InvalidArgument, commands
from exchange_os.records import Commands, Events

from .beliefs import Beliefs
from .crypto_takers import CryptoTakers
from .dispute import Dispute, play_dispute
from .draws import Draws, Ints
from .makers import TICK_PPM, Makers
from .netting import NettingRecord
from .order_columns import OrderColumns
from .own_market import OwnMarket, goals_path
from .population import Population
from .price_paths import PPM, UNDERLYINGS, index_path
from .takers import Takers, Touch
from .tape import NO_ASK, NO_BID, Tape
from .tournament_markets import OWN_SYMBOL, Listings
from .tournament_steps import Step, tournament_steps
from .venues import credentials, flagged, forbidden, through_venues, venues_of
from .world_cup import EventKind, Match, TournamentFacts, load_facts, questions

MARKER = "xos-demo.json"
MARKETS = "markets"
_MARKET_FILE = re.compile(r"\d{3}-.*\.toml")
_OWN_FILE = re.compile(
    rf"{re.escape(MARKER)}|(champion|books)\.(png|svg)|head|lock|"
    r"(segment-\d{20}\.xosj|snapshot-\d{20}\.xoss|spare\.\w*)(\.tmp)?"
)
_STREAM = 14
_SETS_SPLIT = 300
_NEAR_END_TICKS = 5
_IN_PLAY_PPM = {30: 120_000, 60: 300_000, 90: 550_000}


@dataclass(frozen=True, slots=True)
class Volume:
    """How much is traded: everything that follows from the size factor."""

    runs: int
    levels: int
    bookmakers: int
    bookmakers_in_turn: int
    grid_hours: int
    in_play_minutes: tuple[int, ...]
    looks: int

    @classmethod
    def of(cls, size: float) -> Volume:
        """1 is the size of `make demo`."""
        if not 0 < size <= 20:
            raise InvalidArgument(f"the size is {size}, expected above 0 and at most 20")
        return cls(
            runs=max(400, min(10_000, int(10_000 * size))),
            levels=1 if size < 0.5 else 2,
            bookmakers=max(2, min(6, round(6 * size))),
            bookmakers_in_turn=1 if size < 0.5 else 2,
            grid_hours=24 if size < 0.2 else 12 if size < 0.5 else 6,
            in_play_minutes=(60,) if size < 0.2 else (30, 60, 90),
            looks=max(12, int(160 * size)),
        )


@dataclass(slots=True)
class Odds:
    """Champion odds through the tournament: a row for each moment, teams as in the facts; parts of a unit."""

    times_ns: list[int] = field(default_factory=list)
    market: list[Ints] = field(default_factory=list)
    model: list[Ints] = field(default_factory=list)


@dataclass(slots=True)
class Played:
    """A demonstration that has been played, before its proofs."""

    seed: int
    size: float
    facts: TournamentFacts
    population: Population
    listings: Listings
    tape: Tape
    netting: NettingRecord
    odds: Odds
    frames: int
    submit_seconds: float
    total_seconds: float
    conservation: dict[str, str]
    house: dict[str, dict[str, str]]
    state_hash: str
    resolved: int
    accounts_by_venue: list[int]
    dispute: Dispute
    forbidden: int
    """Trades between accounts that may not meet."""


Progress = Callable[[int, int, int, str], None]
"""Told after each step: steps done, steps in all, the time, the latest result."""


def prepare(folder: Path) -> None:
    """Makes the directory, or empties that of an earlier demonstration; refuses any other."""
    if folder.exists():
        if not folder.is_dir():
            raise InvalidArgument(f"{folder} is not a directory")
        if any(folder.iterdir()):
            if not (folder / MARKER).is_file():
                raise InvalidArgument(
                    f"{folder} is not empty and was not made by a demonstration (it has no {MARKER}); "
                    "choose another directory"
                )
            stranger = next((path for path in sorted(folder.rglob("*")) if not _is_own(path, folder)), None)
            if stranger is not None:
                raise InvalidArgument(
                    f"{stranger} is not a demonstration's, and replacing the directory would delete it; "
                    "move it away or choose another directory"
                )
            _refuse_if_open(folder)
            shutil.rmtree(folder)
    # An exchange begins in an empty directory: it comes first, what the demonstration adds comes after it.
    Exchange.open(folder).close()
    (folder / MARKETS).mkdir()
    (folder / MARKER).write_text(json.dumps({"made_by": "xos demo", "format": 1}) + "\n", encoding="utf-8")


def _is_own(path: Path, folder: Path) -> bool:
    """Whether a demonstration writes files of this name there."""
    if path.is_symlink():
        return False
    if path.is_dir():
        return path == folder / MARKETS
    own = _MARKET_FILE if path.parent == folder / MARKETS else _OWN_FILE
    return own.fullmatch(path.name) is not None


def _refuse_if_open(folder: Path) -> None:
    """A demonstration that is still running keeps its directory."""
    try:
        Exchange.open(folder).close()
    except AlreadyOpen:
        raise
    except Error:
        return  # whatever else is wrong with it goes with it


def play(
    folder: Path, seed: int, size: float, progress: Progress | None = None, *, durable: bool = True
) -> Played:
    """Plays the tournament on a new exchange in a prepared directory, and closes it."""
    with Exchange.open(folder, durable=durable) as exchange:
        return Tournament(exchange, folder, seed, size).play(progress)


class Tournament:
    """The demonstration on an exchange: its world, its traders, and what came of them so far."""

    def __init__(self, exchange: Exchange, folder: Path, seed: int, size: float) -> None:
        self.began = time.perf_counter()
        self.exchange, self.seed, self.size = exchange, seed, size
        self.volume = Volume.of(size)
        self.facts = load_facts()
        self.questions = {question.key: question for question in questions(self.facts)}
        self.steps = tournament_steps(self.facts, self.volume.grid_hours, self.volume.in_play_minutes)
        self.listings = Listings(exchange, self.facts, folder / MARKETS)
        self.population = Population(seed, len(self.facts.teams))
        self.venue = venues_of(self.population, seed)
        self.flagged = flagged(self.population, self.venue)
        self.forbidden = 0
        self.tape = Tape(self.listings, self.population.count)
        self.beliefs = Beliefs(self.facts, self.listings, self.volume.runs, seed)
        self.makers = Makers(
            self.population, self.tape, self.beliefs, self.volume.bookmakers, self.volume.levels
        )
        self.takers = Takers(seed, self.population, self.tape, self.beliefs)
        self.crypto_takers = CryptoTakers(seed, self.population, self.tape)
        times = [step.at_ns for step in self.steps]
        self.index = {
            underlying.symbol: index_path(underlying, times, Draws(seed, _STREAM + place))
            for place, underlying in enumerate(UNDERLYINGS)
        }
        self.index[OWN_SYMBOL] = goals_path(self.facts, times)
        self.own_market = OwnMarket(seed, self.population, self.tape, self.venue)
        self.netting = NettingRecord()
        self.odds = Odds()
        self.headline = ""
        self.frames = 0
        self.submit_seconds = 0.0
        self.turn = 0

    def play(self, progress: Progress | None) -> Played:
        """All steps, then a snapshot."""
        for place, step in enumerate(self.steps):
            self.step(place, step)
            if progress is not None:
                progress(place + 1, len(self.steps), step.at_ns, self.headline)
        exchange = self.exchange
        dispute = self._dispute()
        exchange.snapshot()
        return Played(
            seed=self.seed,
            size=self.size,
            facts=self.facts,
            population=self.population,
            listings=self.listings,
            tape=self.tape,
            netting=self.netting,
            odds=self.odds,
            frames=self.frames,
            submit_seconds=self.submit_seconds,
            total_seconds=time.perf_counter() - self.began,
            conservation={asset: f"{total:f}" for asset, total in exchange.conservation().items()},
            house={
                name: {asset: f"{amount:f}" for asset, amount in amounts.items()}
                for name, amounts in exchange.house().items()
            },
            state_hash=exchange.state_hash,
            resolved=sum(exchange.question(key).paying is not None for key in self.listings.number),
            accounts_by_venue=np.bincount(self.venue[1:]).tolist(),
            dispute=dispute,
            forbidden=self.forbidden,
        )

    def _dispute(self) -> Dispute:
        """After the final somebody proposes what did not happen."""
        final = self.facts.matches[-1]
        time_ns = self.exchange.time_ns
        found = play_dispute(self.exchange, self.listings.folder, final.penalties is not None, time_ns)
        for kind, count in found.commands.items():
            self.tape.commands[kind] += count
        self.tape.events += found.events
        self.frames += sum(found.commands.values())
        return found

    # --- one step ---

    def step(self, place: int, step: Step) -> None:
        """Everything that happens at one moment."""
        decided = self._decided(step)
        if place == 0:
            self._open_questions(step)
            self._send(self.population.opening(), step.at_ns)
            self._send(self.population.funding(), step.at_ns)
            self._send(credentials(self.population, self.venue, self.seed, step.at_ns), step.at_ns)
        index = {symbol: int(path[place]) for symbol, path in self.index.items()}
        before = {symbol: int(path[max(0, place - 1)]) for symbol, path in self.index.items()}
        which = self._bookmakers(step)
        first = [*decided, self._prices(index)]
        if step.is_news:
            self._send(np.concatenate([*first, self.makers.step_back(which)]), step.at_ns)
            first = []
        if step.opens:
            # Orders expire at the start of a frame and `deploy` hands out no events: the last frame had them.
            if place > 0:
                self._open_questions(step)
            first = [self.takers.split_sets(list(step.opens), _SETS_SPLIT)]
        own_quotes = self.own_market.quotes(index[OWN_SYMBOL])
        self._send(np.concatenate([*first, self.makers.requote(which, index), own_quotes]), step.at_ns)
        self._send(self._takers(step, index, before), step.at_ns)
        self._note_odds(step.at_ns)
        if place % 3 == 0 and len(self.listings.outcomes):
            self.netting.take(self.tape, step.at_ns, self.takers.basket_sellers)

    def _open_questions(self, step: Step) -> None:
        opened = [self.questions[key] for key in step.opens]
        name = opened[0].key if len(opened) == 1 else f"{opened[0].key}-and-{len(opened) - 1}-more"
        begun = time.perf_counter()
        sent = self.listings.list_questions(opened, name, step.at_ns)
        self.submit_seconds += time.perf_counter() - begun
        self.tape.follow_deployments(sent, sum(len(question.outcomes) for question in opened))
        self.frames += sent
        self.beliefs.publish()

    def _decided(self, step: Step) -> list[Commands]:
        """Takes in what has happened; the commands that resolve what is decided."""
        parts = []
        for event in step.events:
            if event.kind is EventKind.FINAL_WHISTLE:
                match = self.facts.match_number(event.match_number or 0)
                self.beliefs.result(match)
                self.headline = headline(match)
            elif event.kind is EventKind.KICK_OFF:
                self.beliefs.in_play(event.match_number or 0, 0)
            if event.outcome is not None:
                self.listings.close_question(event.question)
                batch = commands(1)
                batch["kind"] = CommandKind.RESOLVE_QUESTION
                batch["instrument"] = self.listings.number[event.question]
                batch["order_id"] = self.exchange.number_of(f"{event.question}.{event.outcome}")
                parts.append(batch)
        for number, minutes in step.in_play:
            self.beliefs.in_play(number, _IN_PLAY_PPM[minutes])
        if parts:
            self.listings.refresh()
            self.beliefs.refresh()
        return parts

    def _prices(self, index: dict[str, int]) -> Commands:
        """Index and mark of the perpetuals."""
        perpetuals = [self.listings.perpetual[symbol] for symbol in index]
        batch = commands(2 * len(index))
        batch["kind"] = np.repeat([CommandKind.SET_INDEX, CommandKind.SET_MARK], len(index))
        batch["instrument"] = perpetuals * 2
        batch["price"] = list(index.values()) * 2
        return batch

    def _bookmakers(self, step: Step) -> Ints:
        """Which bookmakers quote afresh: all on news, else some in turn."""
        total = self.volume.bookmakers
        count = total if step.is_news else self.volume.bookmakers_in_turn
        which = (self.turn + np.arange(count)) % total
        self.turn = (self.turn + count) % total
        return np.sort(which)

    def _takers(self, step: Step, index: dict[str, int], before: dict[str, int]) -> Commands:
        takers, looks, touch = self.takers, self.volume.looks, Touch.of(self.tape)
        at_once = OrderColumns()
        parts = [takers.second_thoughts(20)]
        if len(self.listings.outcomes):
            parts.append(takers.merges())
            takers.arbitrage(at_once, touch)
            takers.informed_orders(at_once, touch, 2 * looks)
            takers.fan_orders(at_once, touch, looks // 3 + 1)
            parts.append(takers.noise_orders(touch, looks, step.at_ns))
            if step.is_grid:
                takers.basket_sales(at_once, touch)
                parts.append(takers.set_offers(touch, step.at_ns))
        self.crypto_takers.orders(at_once, touch, index, before, looks // 2)
        self.own_market.take(at_once, index[OWN_SYMBOL], before[OWN_SYMBOL], looks // 8 + 1)
        return np.concatenate([at_once.commands(), *parts])

    def _send(self, batch: Commands, time_ns: int) -> Events:
        if not len(batch):
            return self.exchange.submit(batch, time_ns=time_ns)
        batch = through_venues(batch, self.venue)
        begun = time.perf_counter()
        events = self.exchange.submit(batch, time_ns=time_ns)
        self.submit_seconds += time.perf_counter() - begun
        self.frames += 1
        self.tape.follow(batch, events)
        self.forbidden += forbidden(events, self.venue, self.flagged)
        return events

    def _note_odds(self, time_ns: int) -> None:
        """The middle of the champion market: half way between best bid and best offer. Where one side is
        missing: the end of the scale if the other is next to it, else what it was before."""
        here = self.listings.range_of("champion")
        if not self.listings.is_open[here.start]:
            middle = np.where(
                np.arange(self.listings.team_count) == self.facts.team_index[self.facts.champion], PPM, 0
            )
        else:
            bid, ask = (side[here] for side in self.tape.best())
            before = self.odds.market[-1] if self.odds.market else self.beliefs.champion
            middle = np.where((bid > NO_BID) & (ask < NO_ASK), (bid + ask) * (TICK_PPM // 2), before)
            middle = np.where((bid == NO_BID) & (ask <= _NEAR_END_TICKS), 0, middle)
        self.odds.times_ns.append(time_ns)
        self.odds.market.append(middle)
        self.odds.model.append(self.beliefs.champion)


def headline(match: Match) -> str:
    """A result as a reader knows it: "ARG 3-2 EGY", with extra time and shoot-out."""
    home, away = match.goals
    text = f"{match.home} {home}-{away} {match.away}"
    if match.penalties is not None:
        return f"{text} ({match.penalties[0]}-{match.penalties[1]} pens)"
    return text if match.goals_120 is None else f"{text} (aet)"
