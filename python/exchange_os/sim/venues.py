"""The venues of the demonstration, and who comes through which: three front doors to the same books.

`arena` and `corner` take any account; `licensed` takes those whose issuer vouches for them (class `kyc`), and
its orders never meet those of accounts that an issuer warns of (class `flagged`). `corner` has a market of
its own.
"""

from __future__ import annotations

import hashlib

import numpy as np

from exchange_os import CommandKind, EventKind, commands
from exchange_os.admission import NEVER_NS
from exchange_os.records import Commands, Events

from .draws import Draws, Ints
from .population import COUNTS, Kind, Population

VENUES = ("arena", "licensed", "corner")
LICENSED, CORNER = 1, 2
_KYC, _FLAGGED = 1, 2
"""The bits of the classes, in the order of the market file."""
_FLAGGED_EVERY = 8
_SHARES_PER_MILLE = (500, 300, 200)
_STREAM = 21


def venues_of(population: Population, seed: int) -> Ints:
    """The venue (place in `VENUES`) of every account by number: each kind is dealt out 5 : 3 : 2."""
    draws = Draws(seed, _STREAM)
    venue: Ints = np.zeros(population.count + 1, np.int64)
    bounds = np.cumsum(_SHARES_PER_MILLE)
    for kind in Kind:
        here = population.of(kind)
        order = np.argsort(draws.words(COUNTS[kind]), kind="stable")
        place = (2 * np.arange(len(here)) + 1) * 500 // len(here)  # evenly spread through a thousand
        venue[here[order]] = np.searchsorted(bounds, place, side="right")
    return venue


def flagged(population: Population, venue: Ints) -> Ints:
    """The accounts that an issuer warns of: some of those who trade without a reason at the open venues."""
    noise = population.of(Kind.NOISE)
    warned_of: Ints = noise[venue[noise] != LICENSED][::_FLAGGED_EVERY]
    return warned_of


def credentials(population: Population, venue: Ints, seed: int, time_ns: int) -> Commands:
    """What a gateway sends once it has checked the documents that vouch for accounts or warn of them."""
    vouched_for, warned_of = np.flatnonzero(venue == LICENSED), flagged(population, venue)
    accounts = np.concatenate([vouched_for, warned_of])
    batch = commands(len(accounts))
    batch["kind"] = CommandKind.SET_CREDENTIALS
    batch["account"] = accounts
    batch["order_id"] = time_ns
    batch["qty"] = np.repeat([_KYC, _FLAGGED], [len(vouched_for), len(warned_of)])
    batch["expires_ns"] = NEVER_NS
    # Every real document has a hash; here the seed and the account stand for it.
    batch["client_id"] = [hashlib.sha256(f"{seed} {account}".encode()).digest() for account in accounts]
    return batch


def forbidden(events: Events, venue: Ints, warned_of: Ints) -> int:
    """Trades between an account of `licensed` and a flagged one."""
    trades = events[events["kind"] == EventKind.TRADE]
    sides = trades["account"], trades["counter_account"]
    return sum(
        int(np.count_nonzero((venue[one] == LICENSED) & np.isin(other, warned_of)))
        for one, other in (sides, sides[::-1])
    )


def through_venues(batch: Commands, venue: Ints) -> Commands:
    """The same batch, whose orders come through the venues of their accounts."""
    placed = batch["kind"] == CommandKind.PLACE
    batch["venue"][placed] = 1 + venue[batch["account"][placed]]
    return batch
