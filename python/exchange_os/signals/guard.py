"""The check of a funding rate against the premium that it must have come from.

Venues compute funding from the premium of the perpetual over the index: F8 = P + clip(I - P, -c, +c), with
I = 0.01 % per 8 h and c = 0.05 % (Hyperliquid's documentation; Binance and OKX agree on recorded data). So a
rate says which premium it implies, and the basis on the screen must be near it. A rate that was read in
percent where it is a fraction implies a premium a hundred times off, and is caught before it becomes a
headline: 0.3793 % per 8 h needs a premium of +42.9 bps, and the basis beside it was -4.2 bps.
"""

from __future__ import annotations

from dataclasses import dataclass

from exchange_os.signals.rates import BasisPoints, FundingRate, MixedUnits

EIGHT_HOURS_S = 28_800
INTEREST_8H = 0.0001
CLIP_8H = 0.0005
GAP_MAX_BPS = 15.0
"""On recorded Binance ETH the gap passes this in 0.1 % of informative settlements and never reaches 20."""


def funding_from_premium(premium: float, interval_s: int = EIGHT_HOURS_S) -> float:
    """The rate per interval, as a fraction, that a mean premium (a fraction of the index) gives.

    F8 = P + clip(I - P, -c, +c), paid in shares of interval / 8 h.
    """
    rate_8h = premium + max(-CLIP_8H, min(CLIP_8H, INTEREST_8H - premium))
    return rate_8h * interval_s / EIGHT_HOURS_S


def implied_premium_bps(rate: FundingRate) -> tuple[float, float]:
    """The lowest and highest premium, in bps, that give this rate.

    Within the clip every premium from I - c to I + c gives exactly I, so the answer is a range.
    """
    rate_8h = rate.fraction * EIGHT_HOURS_S / rate.interval_s
    tolerance = 5e-8  # venues print eight digits
    if abs(rate_8h - INTEREST_8H) <= tolerance:
        low, high = INTEREST_8H - CLIP_8H, INTEREST_8H + CLIP_8H
    elif rate_8h > INTEREST_8H:
        low = high = rate_8h + CLIP_8H
    else:
        low = high = rate_8h - CLIP_8H
    return low * 10_000, high * 10_000


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """What the guard found for one rate."""

    passed: bool
    reason: str
    """`consistent`, `funding_premium_mismatch`, or `above_the_cap`."""
    implied_low: BasisPoints
    implied_high: BasisPoints
    basis: BasisPoints
    gap: BasisPoints
    """From the basis to the nearest premium that the rate allows; 0 inside the range."""


def check_funding(
    rate: FundingRate,
    basis: BasisPoints,
    *,
    cap: float | None = None,
    floor: float | None = None,
    gap_max: BasisPoints = BasisPoints(GAP_MAX_BPS),  # noqa: B008 -- frozen
) -> GuardVerdict:
    """Whether a rate and the basis of the same perpetual at the same time can both be right.

    `cap` and `floor` are the venue's own bounds of the rate per interval, as fractions. At its cap a rate
    only says that the premium is at least so high, beyond it the rate itself is wrong.
    """
    given: object = basis
    if not isinstance(given, BasisPoints):
        raise MixedUnits(f"a basis is given in BasisPoints, not {type(given).__name__}")
    low, high = implied_premium_bps(rate)
    if cap is not None and rate.fraction >= cap * (1 - 1e-9):
        high = float("inf")
    if floor is not None and rate.fraction <= floor + abs(floor) * 1e-9:
        low = float("-inf")
    gap = max(low - basis.value, basis.value - high, 0.0)
    beyond = (cap is not None and rate.fraction > cap * (1 + 1e-9)) or (
        floor is not None and rate.fraction < floor - abs(floor) * 1e-9
    )
    reason = "consistent"
    if beyond:
        reason = "above_the_cap"
    elif gap > gap_max.value:
        reason = "funding_premium_mismatch"
    bound = 1e9  # an open end, as a number that can be printed
    return GuardVerdict(
        passed=reason == "consistent",
        reason=reason,
        implied_low=BasisPoints(max(low, -bound)),
        implied_high=BasisPoints(min(high, bound)),
        basis=basis,
        gap=BasisPoints(gap),
    )
