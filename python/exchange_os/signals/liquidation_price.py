"""The price at which a position is liquidated, by the rule of its venue.

Never entry x (1 -/+ 1 / leverage): that ignores the maintenance margin. Side: +1 long, -1 short.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from exchange_os.errors import InvalidArgument
from exchange_os.signals.market_data import MarketData


@dataclass(frozen=True, slots=True)
class Tier:
    """A maintenance tier: from this notional on, this rate; `deduction` makes the requirement continuous."""

    notional_from: float
    maintenance_rate: float
    deduction: float


def tiers_from_rates(floors: Sequence[float], rates: Sequence[float]) -> list[Tier]:
    """deduction_k = deduction_(k-1) + floor_k x (rate_k - rate_(k-1)), the recursion that venues publish."""
    if len(floors) != len(rates) or not floors or floors[0] != 0:
        raise InvalidArgument("as many floors as rates, the first floor 0")
    if any(b <= a for a, b in itertools.pairwise(floors)):
        raise InvalidArgument("floors rise")
    tiers = [Tier(0.0, rates[0], 0.0)]
    for floor, rate in zip(floors[1:], rates[1:], strict=True):
        last = tiers[-1]
        tiers.append(Tier(floor, rate, last.deduction + floor * (rate - last.maintenance_rate)))
    return tiers


def recorded_tiers(data: MarketData, *, symbol: str, venue: str, at_ms: int) -> tuple[Tier, ...] | None:
    """The newest tiers that a venue told; None if it told none, or some without their beginning."""
    told = data.tiers.filter(
        pl.col("symbol") == symbol, pl.col("venue") == venue, pl.col("received_ms") <= at_ms
    )
    newest = told.filter(pl.col("venue_ms") == pl.col("venue_ms").max()).sort("notional_from")
    floors, rates = newest["notional_from"].to_list(), newest["maintenance_rate"].to_list()
    if not floors or floors[0] != 0:
        return None
    return tuple(tiers_from_rates(floors, rates))


def tier_of(tiers: Sequence[Tier], notional: float) -> Tier:
    return next(tier for tier in reversed(tiers) if notional >= tier.notional_from)


def maintenance(tiers: Sequence[Tier], notional: float) -> float:
    """notional x rate - deduction of its tier."""
    tier = tier_of(tiers, notional)
    return notional * tier.maintenance_rate - tier.deduction


def _check(side: int, base_qty: float, entry: float) -> None:
    if side not in {1, -1}:
        raise InvalidArgument(f"a side is 1 for long or -1 for short, not {side}")
    if not (base_qty > 0 and entry > 0):
        raise InvalidArgument(f"quantity and entry price are above 0, not {base_qty} and {entry}")


def binance(
    *,
    wallet: float,
    side: int,
    base_qty: float,
    entry: float,
    maintenance_rate: float,
    deduction: float,
    other_maintenance: float = 0.0,
    other_unrealised: float = 0.0,
) -> float:
    """(WB - TMM + UPNL + cum - side q EP) / (q mmr - side q), Binance's published formula.

    Isolated: `wallet` is the position's margin and the others are 0. Cross: the whole wallet, the maintenance
    and unrealised profit of all other positions.
    """
    _check(side, base_qty, entry)
    above = wallet - other_maintenance + other_unrealised + deduction - side * base_qty * entry
    return above / (base_qty * maintenance_rate - side * base_qty)


def with_fee(
    *, wallet: float, side: int, base_qty: float, entry: float, maintenance_rate: float, taker_rate: float
) -> float:
    """(EP - side WB / q) / (1 - side (mmr + taker)): Gate and OKX, isolated."""
    _check(side, base_qty, entry)
    return (entry - side * wallet / base_qty) / (1 - side * (maintenance_rate + taker_rate))


def bybit(*, side: int, entry: float, leverage: float, maintenance_rate: float) -> float:
    """EP x (1 - side (1 / leverage - mmr)), isolated."""
    _check(side, 1.0, entry)
    if leverage < 1:
        raise InvalidArgument(f"leverage is from 1, not {leverage}")
    return entry * (1 - side * (1 / leverage - maintenance_rate))


def hyperliquid(
    *, price: float, side: int, base_qty: float, margin_available: float, maintenance_leverage: float
) -> float:
    """price - side x margin_available / size / (1 - l side), l = 1 / maintenance leverage.

    `margin_available` is the account's value (or the isolated margin) less the maintenance needed at `price`.
    """
    _check(side, base_qty, price)
    return price - side * margin_available / base_qty / (1 - side / maintenance_leverage)


def isolated(*, side: int, entry: float, leverage: float, notional: float, tiers: Sequence[Tier]) -> float:
    """Of a position of this notional opened at this leverage, alone with its margin, by Binance's formula."""
    if leverage < 1:
        raise InvalidArgument(f"leverage is from 1, not {leverage}")
    tier = tier_of(tiers, notional)
    return binance(
        wallet=notional / leverage,
        side=side,
        base_qty=notional / entry,
        entry=entry,
        maintenance_rate=tier.maintenance_rate,
        deduction=tier.deduction,
    )
