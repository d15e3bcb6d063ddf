"""One book for all venues against a book for each: the same flow, what it found.

The demonstration's accounts are dealt out to three venues. Its flow is sent four times: once with every venue
on the same books, and once for each venue alone, on books where only its own accounts trade.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from exchange_os import CommandKind, EventKind, Exchange, Tif
from exchange_os.records import Commands, Events

from .draws import Flags, Ints
from .recorded_flow import Flow, Frame
from .tape import NO_ASK, NO_BID, Tape
from .tournament_markets import ATOMS_PER_TICK_LOT, INSTRUMENTS_MAX, OUTCOME
from .venues import VENUES, venues_of

_NEAR_TICKS = 20
_USD = 1_000_000
_DAY_NS = 86_400 * 10**9

Tell = Callable[[int, int], None]
"""Told how many frames of how many were sent, over all worlds."""


@dataclass(slots=True)
class Found:
    """What the accounts of one venue found in one world. Sums over samples of the open outcomes before each
    frame of takers, and over the orders that take at once."""

    samples: int = 0
    two_sided: int = 0
    """Samples with both a bid and an offer."""
    compared: int = 0
    """Samples that are two-sided here and on the shared books."""
    spread_ticks: int = 0
    shared_spread_ticks: int = 0
    """Sums over the compared ones, here and there."""
    depth_atoms: int = 0
    """Value bid and offered within 20 ticks (2 cents) of the middle; 0 where one side is missing."""
    wanted_lots: int = 0
    filled_lots: int = 0
    paid: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Order id -> lots filled, lots x ticks paid (negative: received), of orders that take at once."""
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    """By day: time, mean spread in ticks, mean depth in USD."""

    def summary(self) -> dict[str, float]:
        """Means and shares."""
        return {
            "two_sided_percent": round(100 * self.two_sided / max(self.samples, 1), 2),
            "spread_ticks": round(self.spread_ticks / max(self.compared, 1), 3),
            "depth_usd": round(self.depth_atoms / max(self.samples, 1) / _USD, 2),
            "filled_percent": round(100 * self.filled_lots / max(self.wanted_lots, 1), 2),
        }


def compare(flow: Flow, seed: int, tell: Tell | None = None) -> dict[str, object]:
    """The experiment: for every venue what it found on shared books and on its own."""
    assert flow.population is not None
    venue = venues_of(flow.population, seed)
    everybody = np.ones(len(venue), np.bool_)
    spreads: list[Ints] = []
    shared = _play(flow, everybody, venue, range(len(VENUES)), 0, spreads, tell)
    found: dict[str, object] = {}
    for place, name in enumerate(VENUES):
        alone = _play(flow, venue == place, venue, [place], place + 1, spreads, tell)[place]
        together = shared[place]
        found[name] = {
            "accounts": int((venue[1:] == place).sum()),
            "shared": together.summary()
            | {"spread_ticks": round(alone.shared_spread_ticks / max(alone.compared, 1), 3)},
            "separate": alone.summary(),
            **_same_orders(together, alone),
            "curve": {"shared": together.curve, "separate": alone.curve},
        }
    return {
        "seed": seed,
        "venues": found,
        "commands": sum(len(f.batch) for f in flow.frames if f.batch is not None),
    }


def _same_orders(together: Found, alone: Found) -> dict[str, float]:
    """Of the orders that filled in both worlds: how many ticks a lot cheaper it was on the shared books."""
    lots = better = 0
    for order, (filled, paid) in alone.paid.items():
        there = together.paid.get(order)
        if there is not None and there[0] == filled:
            lots += filled
            better += paid - there[1]
    return {"compared_lots": lots, "better_ticks": round(better / max(lots, 1), 4)}


def _play(
    flow: Flow,
    kept: Flags,
    venue: Ints,
    shown: range | list[int],
    world: int,
    spreads: list[Ints],
    tell: Tell | None,
) -> dict[int, Found]:
    """One world. The first, with everybody, appends the spreads of each sample (-1: one side is missing);
    the others are compared with them."""
    assert flow.listings is not None
    found = {place: Found() for place in shown}
    with Exchange.open(events_kept_max=0, trades_kept_max=0) as exchange:
        tape = Tape(flow.listings, len(venue) - 1)
        day, sample = _Day(), 0
        for number, frame in enumerate(flow.for_accounts(kept)):
            if frame.batch is None:
                exchange.deploy_body(frame.body, time_ns=frame.time_ns)
                continue
            takes = _takes(frame.batch, flow.listings.product)
            if takes.any():  # also where all of them are another world's: every world is looked at as often
                spread, depth = _look(tape, frame.outcomes)
                if len(shown) > 1:
                    spreads.append(spread)
                for place, seen in found.items():
                    _count(seen, spread, spreads[sample], depth)
                    _close_day(seen, place, frame, day)
                day.number = (frame.time_ns or 0) // _DAY_NS
                sample += 1
            events = exchange.submit(frame.batch, time_ns=frame.time_ns)
            tape.follow(frame.batch, events)
            _note_fills(found, venue, frame.batch[takes & (frame.batch["account"] > 0)], events)
            if tell is not None and number % 100 == 0:
                tell(world * len(flow.frames) + number, (1 + len(VENUES)) * len(flow.frames))
    return found


def _takes(batch: Commands, product: Ints) -> Flags:
    takes: Flags = (batch["kind"] == CommandKind.PLACE) & (batch["tif"] == int(Tif.IOC))
    takes &= product[batch["instrument"] % len(product)] == OUTCOME
    return takes


def _note_fills(found: dict[int, Found], venue: Ints, batch: Commands, events: Events) -> None:
    for place, seen in found.items():
        seen.wanted_lots += int(batch["qty"][venue[batch["account"]] == place].sum())
    trades = events[events["kind"] == EventKind.TRADE]
    accepted = events["order_id"][
        (events["kind"] == EventKind.ORDER_ACCEPTED) & np.isin(events["account"], batch["account"])
    ]
    trades = trades[np.isin(trades["order_id"], accepted) & (trades["order_id"] > 0)]
    sign = np.where(trades["side"] == 0, 1, -1)
    rows = zip(
        trades["order_id"].tolist(),
        venue[trades["account"]].tolist(),
        trades["qty"].tolist(),
        (sign * trades["qty"] * trades["price"]).tolist(),
        strict=True,
    )
    for order, place, qty, paid in rows:
        if place in found:
            seen = found[place]
            seen.filled_lots += qty
            before = seen.paid.get(order, (0, 0))
            seen.paid[order] = before[0] + qty, before[1] + paid


class _Day:
    """Where a day's means begin."""

    def __init__(self) -> None:
        self.number = 0
        self.before: dict[int, tuple[int, int, int, int]] = {}


def _look(tape: Tape, outcomes: Ints) -> tuple[Ints, int]:
    """Spreads in ticks (-1: one side is missing) and value near the middle of the open outcomes now."""
    bid, ask = tape.best()
    both = (bid > NO_BID) & (ask < NO_ASK)
    near = np.zeros(INSTRUMENTS_MAX, np.bool_)
    near[outcomes] = both[outcomes]
    live = tape.live[near[tape.instrument[tape.live]]]
    twice_middle = (bid + ask)[tape.instrument[live]]
    close = np.abs(2 * tape.price[live] - twice_middle) <= 2 * _NEAR_TICKS
    worth = tape.price[live] * tape.remaining[live] * ATOMS_PER_TICK_LOT
    return np.where(both, ask - bid, -1)[outcomes], int(worth[close].sum())


def _count(seen: Found, spread: Ints, shared: Ints, depth: int) -> None:
    compared = (spread >= 0) & (shared >= 0)
    seen.samples += len(spread)
    seen.two_sided += int((spread >= 0).sum())
    seen.compared += int(compared.sum())
    seen.spread_ticks += int(spread[compared].sum())
    seen.shared_spread_ticks += int(shared[compared].sum())
    seen.depth_atoms += depth


def _close_day(seen: Found, place: int, frame: Frame, day: _Day) -> None:
    here = (frame.time_ns or 0) // _DAY_NS
    if here == day.number:
        return
    samples, compared, spread, depth = day.before.get(place, (0, 0, 0, 0))
    if day.number:
        mean_spread = (seen.spread_ticks - spread) / max(seen.compared - compared, 1)
        mean_depth = (seen.depth_atoms - depth) / max(seen.samples - samples, 1) / _USD
        seen.curve.append((day.number, round(mean_spread, 3), round(mean_depth, 2)))
    day.before[place] = (seen.samples, seen.compared, seen.spread_ticks, seen.depth_atoms)
