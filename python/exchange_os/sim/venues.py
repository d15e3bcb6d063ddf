"""The venues of the demonstration, and who comes through which: three front doors to the same books.

`arena` and `corner` take any account; `licensed` takes those whose issuer vouches for them (class `kyc`).
"""

from __future__ import annotations

import hashlib

import numpy as np

from exchange_os import CommandKind, commands
from exchange_os.admission import NEVER_NS
from exchange_os.records import Commands

from .draws import Draws, Ints
from .population import COUNTS, Kind, Population

VENUES = ("arena", "licensed", "corner")
LICENSED = 1
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


def credentials(venue: Ints, seed: int, time_ns: int) -> Commands:
    """What a gateway sends once it has checked the documents of the accounts of the permissioned venue."""
    accounts = np.flatnonzero(venue == LICENSED)
    batch = commands(len(accounts))
    batch["kind"] = CommandKind.SET_CREDENTIALS
    batch["account"] = accounts
    batch["order_id"] = time_ns
    batch["qty"] = 1  # the bit of the first class
    batch["expires_ns"] = NEVER_NS
    # Every real document has a hash; here the seed and the account stand for it.
    batch["client_id"] = [hashlib.sha256(f"{seed} {account}".encode()).digest() for account in accounts]
    return batch


def through_venues(batch: Commands, venue: Ints) -> Commands:
    """The same batch, whose orders come through the venues of their accounts."""
    placed = batch["kind"] == CommandKind.PLACE
    batch["venue"][placed] = 1 + venue[batch["account"][placed]]
    return batch
