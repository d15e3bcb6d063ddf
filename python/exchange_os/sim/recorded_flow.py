"""The flow of the demonstration as it was sent, to be sent again to other books.

Every world gets the same frames, so that order ids, which are sequences, are the same everywhere. What does
not belong to a world is sent for account 0, which there is none of: it is refused and nothing happens.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exchange_os import CommandKind, Exchange, Tif
from exchange_os.records import Commands, Events

from .demo import Progress, Tournament
from .draws import Flags, Ints
from .makers import TICK_PPM
from .order_columns import BUY
from .tournament_markets import OUTCOME, UNIT_TICKS

if TYPE_CHECKING:
    from .population import Population
    from .tournament_markets import Listings

_OWNED = (
    CommandKind.PLACE,
    CommandKind.AMEND,
    CommandKind.CANCEL,
    CommandKind.MASS_CANCEL,
    CommandKind.SPLIT_SET,
    CommandKind.MERGE_SET,
)
_PATIENCE_TICKS = 25


@dataclass(frozen=True, slots=True)
class Frame:
    """A batch as it was sent, or one deployment; with the outcomes that were open then."""

    time_ns: int | None
    batch: Commands | None
    body: bytes
    outcomes: Ints


@dataclass(slots=True)
class Flow:
    """Everything that was sent, in order, and by whom."""

    frames: list[Frame] = field(default_factory=list)
    population: Population | None = None
    listings: Listings | None = None

    def for_accounts(self, kept: Flags) -> Iterator[Frame]:
        """The frames, in which the orders of accounts that are not `kept` (by number) are nobody's."""
        for frame in self.frames:
            if frame.batch is None:
                yield frame
                continue
            batch = frame.batch.copy()
            foreign = np.isin(batch["kind"], _OWNED) & ~kept[batch["account"]]
            batch["account"][foreign] = 0
            yield Frame(frame.time_ns, batch, b"", frame.outcomes)


class _Recording(Exchange):
    """An exchange that remembers what it was sent."""

    flow: Flow
    tournament: Tournament | None = None

    def submit(self, batch: Commands, *, time_ns: int | None = None) -> Events:
        sent, outcomes = batch.copy(), np.zeros(0, np.int64)
        if self.tournament is not None:
            listings, beliefs = self.tournament.listings, self.tournament.beliefs
            outcomes = listings.outcomes.copy()
            _at_own_value(sent, beliefs.value // TICK_PPM, listings.product)
        self.flow.frames.append(Frame(time_ns, sent, b"", outcomes))
        return super().submit(batch, time_ns=time_ns)

    def deploy_body(self, body: bytes, *, time_ns: int | None = None) -> Events:
        nothing = np.zeros(0, np.int64)
        self.flow.frames.append(Frame(time_ns, None, body, nothing))
        return super().deploy_body(body, time_ns=time_ns)


def _at_own_value(batch: Commands, value_ticks: Ints, product: Ints) -> None:
    """Whoever takes at once names a price that no book decides: 25 ticks worse than the forecast."""
    takes = (batch["kind"] == CommandKind.PLACE) & (batch["tif"] == int(Tif.IOC))
    takes &= product[batch["instrument"] % len(product)] == OUTCOME
    sign = np.where(batch["side"] == BUY, 1, -1)
    price = value_ticks[batch["instrument"] % len(value_ticks)] + sign * _PATIENCE_TICKS
    batch["price"][takes] = np.clip(price, 1, UNIT_TICKS - 1)[takes]


def record(seed: int, size: float, progress: Progress | None = None) -> Flow:
    """Plays the demonstration in memory and keeps what was sent."""
    flow = Flow()
    with (
        tempfile.TemporaryDirectory() as folder,
        _Recording.open(events_kept_max=0, trades_kept_max=0) as exchange,
    ):
        exchange.flow = flow
        markets = Path(folder) / "markets"
        markets.mkdir()
        tournament = Tournament(exchange, Path(folder), seed, size)
        exchange.tournament = tournament
        for place, step in enumerate(tournament.steps):
            tournament.step(place, step)
            if progress is not None:
                progress(place + 1, len(tournament.steps), step.at_ns, tournament.headline)
        flow.population, flow.listings = tournament.population, tournament.listings
    return flow
