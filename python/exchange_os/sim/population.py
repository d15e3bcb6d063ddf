"""Who trades: about 250 accounts of nine kinds, each with its own money, size and view; all of it seeded.

Each account is one margin account for everything it trades. Numbers run from 1 in the order of `Kind`.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from exchange_os import CommandKind, commands
from exchange_os.records import Commands

from .beliefs import tilts
from .draws import Draws, Ints

USD_ATOMS, ETH_ATOMS, BTC_ATOMS = 10**6, 10**18, 10**8
USD, ETH, BTC = 1, 2, 3
_STREAM = 11


class Kind(IntEnum):
    """Kinds of accounts."""

    BOOKMAKER = 0
    """Quotes every outcome from its own strength model and reacts to results."""
    CRYPTO_MAKER = 1
    """Quotes ETH and BTC, spot and perpetual, around the index."""
    INFORMED = 2
    """Takes what its own model, and the match it watches, says is mispriced; trades perpetuals too."""
    NOISE = 3
    """Takes and leaves orders without a reason, on everything."""
    FAN = 4
    """One for each team: backs it for the title and in its matches."""
    BASKET_SELLER = 5
    """Sells many outcomes of one question: short all of them it can lose on one only."""
    ARBITRAGEUR = 6
    """Buys or sells whole questions whose prices do not add up to one unit; merges complete sets."""
    SET_DEALER = 7
    """Splits the unit into complete sets and offers the outcomes."""
    CRYPTO_TRADER = 8
    """Follows or fades moves of ETH and BTC; some of them also back teams."""
    CARRY_TRADER = 9
    """Buys spot and sells the perpetual against it."""


COUNTS = {
    Kind.BOOKMAKER: 6,
    Kind.CRYPTO_MAKER: 3,
    Kind.INFORMED: 40,
    Kind.NOISE: 100,
    Kind.FAN: 48,
    Kind.BASKET_SELLER: 4,
    Kind.ARBITRAGEUR: 3,
    Kind.SET_DEALER: 2,
    Kind.CRYPTO_TRADER: 32,
    Kind.CARRY_TRADER: 12,
}

# Whole USD, ETH and BTC that an account of a kind brings; USD varies from once to twice that.
_DEPOSITS = {
    Kind.BOOKMAKER: (2_000_000, 0, 0),
    Kind.CRYPTO_MAKER: (50_000_000, 20_000, 1_000),
    Kind.INFORMED: (100_000, 0, 0),
    Kind.NOISE: (30_000, 0, 0),
    Kind.FAN: (20_000, 0, 0),
    Kind.BASKET_SELLER: (100_000, 0, 0),
    Kind.ARBITRAGEUR: (200_000, 0, 0),
    Kind.SET_DEALER: (500_000, 0, 0),
    Kind.CRYPTO_TRADER: (250_000, 40, 2),
    Kind.CARRY_TRADER: (500_000, 0, 0),
}


class Population:
    """All accounts, as arrays by account number (place 0 is unused)."""

    def __init__(self, seed: int, teams: int) -> None:
        draws = Draws(seed, _STREAM)
        kinds = [kind for kind, count in COUNTS.items() for _ in range(count)]
        self.count = len(kinds)
        self.kind: Ints = np.array([-1, *kinds])
        self.size_percent: Ints = np.concatenate([[0], draws.between(40, 160, self.count)])
        self.usd_percent: Ints = np.concatenate([[0], draws.between(100, 200, self.count)])
        self.team: Ints = np.zeros(self.count + 1, np.int64)
        self.team[self.of(Kind.FAN)] = np.arange(COUNTS[Kind.FAN]) % teams
        self.bookmaker_tilts = tilts(draws, COUNTS[Kind.BOOKMAKER], teams, spread=40)
        self.informed_tilts = tilts(draws, COUNTS[Kind.INFORMED], teams, spread=110)

    def of(self, *kinds: Kind) -> Ints:
        """Numbers of the accounts of these kinds."""
        return np.flatnonzero(np.isin(self.kind, kinds))

    def opening(self) -> Commands:
        """Commands that open every account, in order."""
        batch = commands(self.count)
        batch["kind"] = CommandKind.OPEN_ACCOUNT
        seen = dict.fromkeys(Kind, 0)
        names = []
        for code in self.kind[1:].tolist():
            kind = Kind(code)
            seen[kind] += 1
            names.append(f"{kind.name.lower()}-{seen[kind]:03d}".encode())
        batch["client_id"] = names
        return batch

    def funding(self) -> Commands:
        """Deposits of every account; each carries a key, so that sending it twice would pay once."""
        rows = [(a, asset, atoms) for a in range(1, self.count + 1) for asset, atoms in self._deposits(a)]
        batch = commands(len(rows))
        batch["kind"] = CommandKind.DEPOSIT
        batch["account"] = [account for account, _, _ in rows]
        batch["instrument"] = [asset for _, asset, _ in rows]
        batch["amount_low"] = np.array([atoms & (2**64 - 1) for _, _, atoms in rows], np.uint64)
        batch["amount_high"] = [atoms >> 64 for _, _, atoms in rows]
        batch["client_id"] = [f"deposit-{account}-{asset}".encode() for account, asset, _ in rows]
        return batch

    def _deposits(self, account: int) -> list[tuple[int, int]]:
        usd, eth, btc = _DEPOSITS[Kind(self.kind[account])]
        usd_atoms = usd * USD_ATOMS * int(self.usd_percent[account]) // 100
        found = [(USD, usd_atoms), (ETH, eth * ETH_ATOMS), (BTC, btc * BTC_ATOMS)]
        return [(asset, atoms) for asset, atoms in found if atoms]

    def spot_lots(self, kind: Kind, base_asset: str, lots: int) -> int:
        """Lots of a base asset that every account of a kind brought."""
        _, eth, btc = _DEPOSITS[kind]
        return (eth if base_asset == "ETH" else btc) * lots
