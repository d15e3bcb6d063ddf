"""Fees, who receives them, and venues, as a market file declares them."""

from __future__ import annotations

from exchange_os.markets.model import Count, Number, Part, Ppm, Strict, Symbol


class Fees(Strict):
    """Fees in ppm of the fee base. A negative maker fee is a rebate."""

    maker_ppm: Ppm = 0
    taker_ppm: Ppm = 0
    ceiling_ppm: Ppm = 0
    """The highest rate that a later change may give, for which orders reserve; 0: the higher of the two."""


class Split(Strict):
    """Who receives a fee, in ppm of it; the five add up to 1,000,000.

    `referrer_ppm` goes to the account that brought the payer, or to the protocol where there is none. With
    `receipts` everybody can read of each fee who received which part.
    """

    protocol_ppm: Part = 0
    deployer_ppm: Part = 0
    venue_ppm: Part = 0
    insurance_ppm: Part = 0
    referrer_ppm: Part = 0
    receipts: bool = False


class Rule(Strict):
    """Classes that an account must have, all of them, and classes that it must not have."""

    requires: list[str] = []
    forbids: list[str] = []


class VolumeTier(Strict):
    """Rates from a volume of thirty days on, none above those of the tier before or of `fees`."""

    volume_from: Number
    maker_ppm: Ppm
    taker_ppm: Ppm


class Venue(Strict):
    """A front door to the instruments; its fees, if any, replace those of the instrument.

    `admission` says whose orders it brings, `counterparty` with whose orders they trade; left out: anybody's.
    `lists`: the only instruments of all venues that it brings orders for; left out: all of them.
    `fees_to`: the account that its share of fees is paid to, 0: nobody yet.
    """

    symbol: Symbol
    fees: Fees | None = None
    admission: Rule | None = None
    counterparty: Rule | None = None
    fees_to: Count = 0
    lists: list[str] | None = None
    tiers: list[VolumeTier] = []
    """Rates of accounts that trade much through it, by rising volume; at most 16."""
    simulated: bool = False
    """Its own instruments alone, traded by simulated accounts with worthless money."""
