"""From whole units to atoms, ticks and lots: exact, or refused with the numbers that do not fit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from exchange_os import _core
from exchange_os.exact import plain_text as text
from exchange_os.markets.lines import Path
from exchange_os.markets.spec import Asset, Funding, Perpetual, Question, Spot, Terms
from exchange_os.markets.venues import VolumeTier

K_BOUND = 1 << 32


class Contradiction(ValueError):
    """Fields that do not fit each other; `path` is where the reader should look first."""

    def __init__(self, field: str | Path, message: str) -> None:
        super().__init__(message)
        self.path: Path = (field,) if isinstance(field, str) else field


# One whole of a rate.
RATE_ONE = 10**12


@dataclass(frozen=True, slots=True)
class Money:
    """An asset as far as numbers need it."""

    number: int
    symbol: str
    decimals: int

    @property
    def atoms(self) -> int:
        """Atoms of one whole unit."""
        return int(10**self.decimals)


def steps(field: str | Path, value: Decimal, step: Decimal, step_field: str, bound: int) -> int:
    """`value` in steps of a tick or lot."""
    count = Fraction(value) / Fraction(step)
    if count.denominator != 1:
        raise Contradiction(field, f"{text(value)} is no multiple of {step_field} = {text(step)}")
    if not 1 <= count < bound:
        least, most = text(step), text(Fraction(step) * (bound - 1))
        raise Contradiction(
            field, f"{text(value)} is outside {least} to {most}, the bounds for this {step_field}"
        )
    return int(count)


def atoms(field: str | Path, value: Decimal, money: Money) -> int:
    """`value` in atoms of an asset."""
    count = Fraction(value) * money.atoms
    if count.denominator != 1:
        raise Contradiction(
            field,
            f"{text(value)} is finer than an atom: {money.symbol} has {money.decimals} decimals",
        )
    if not 0 <= count < _core.AMOUNT_ATOMS_BOUND:
        raise Contradiction(field, f"{text(value)} {money.symbol} is outside 0 to 2^96 - 1 atoms")
    return int(count)


def atoms_per_tick_lot(item: Terms, quote: Money) -> int:
    """k: atoms of the quote asset in one tick times one lot."""
    for field, value in (("tick_size", item.tick_size), ("lot_size", item.lot_size)):
        if value <= 0:
            raise Contradiction(field, f"{text(value)} is not above 0")
    k = Fraction(item.tick_size) * Fraction(item.lot_size) * quote.atoms
    if k.denominator != 1 or not 1 <= k < K_BOUND:
        raise Contradiction(
            "tick_size",
            f"tick_size x lot_size x 10^decimals = {text(item.tick_size)} x {text(item.lot_size)} x "
            f"10^{quote.decimals} = {text(k)} atoms of {quote.symbol}; it must be a whole number from 1 to "
            f"{K_BOUND - 1}, so that a fill never rounds",
        )
    return int(k)


def tier_body(tier: VolumeTier, place: int, settlement: Money) -> dict[str, Any]:
    """A tier of a venue as the engine reads it."""
    try:
        volume = atoms("volume_from", tier.volume_from, settlement)
    except Contradiction as error:
        raise Contradiction(("tiers", place, "volume_from"), str(error)) from None
    return {"volume_from": str(volume), "maker_ppm": tier.maker_ppm, "taker_ppm": tier.taker_ppm}


def terms_body(
    item: Terms, quote: Money, price_max_ticks: int, position_max: Decimal, band_ppm: int
) -> dict[str, Any]:
    """The terms of an instrument as the engine reads them."""
    k = atoms_per_tick_lot(item, quote)
    lots = _core.QTY_LOTS_BOUND
    qty_min = item.lot_size if item.qty_min is None else item.qty_min
    body = {
        "quote_atoms_per_tick_lot": k,
        "tick_size": text(item.tick_size),
        "lot_size": text(item.lot_size),
        "price_max_ticks": price_max_ticks,
        "qty_min_lots": steps("qty_min", qty_min, item.lot_size, "lot_size", lots),
        "qty_max_lots": steps("qty_max", item.qty_max, item.lot_size, "lot_size", lots),
        "notional_min": str(atoms("notional_min", item.notional_min, quote)),
        "notional_max": str(atoms("notional_max", item.notional_max, quote)),
        "position_max_lots": steps("position_max", position_max, item.lot_size, "lot_size", lots),
        "orders_per_account_max": item.orders_per_account_max,
        "band_ppm": band_ppm,
        "fees": item.fees.model_dump(),
        "split": item.split.model_dump(),
        "matching": item.matching,
        "fees_to": item.fees_to,
    }
    if qty_min > item.qty_max:
        raise Contradiction("qty_min", f"{text(qty_min)} is above qty_max = {text(item.qty_max)}")
    if item.notional_min > item.notional_max:
        raise Contradiction(
            "notional_min", f"{text(item.notional_min)} is above notional_max = {text(item.notional_max)}"
        )
    return body


def ticks_per_unit(item: Question) -> int:
    """Ticks of what a winning share pays."""
    count = Fraction(item.unit) / Fraction(item.tick_size) if item.tick_size > 0 else Fraction(0)
    if count.denominator != 1 or not 2 <= count < _core.PRICE_TICKS_BOUND:
        raise Contradiction(
            "tick_size",
            f"unit / tick_size = {text(item.unit)} / {text(item.tick_size)} = {text(count)} ticks; it must "
            "be a whole number of at least 2",
        )
    return int(count)


def margin_body(item: Perpetual, money: Money) -> dict[str, Any]:
    """Margin mode, tiers and open-interest scaling as the engine reads them; without what is not declared."""
    mode: dict[str, Any] = {"isolated_only": True} if item.margin_mode == "isolated" else {}
    if not item.tiers and item.open_interest_scaling is None:
        return mode
    tiers: list[dict[str, Any]] = []
    below = (0, item.initial_margin_ppm, item.maintenance_margin_ppm)
    for index, tier in enumerate(item.tiers):
        path: Path = ("tiers", index)
        start = atoms((*path, "notional_from"), tier.notional_from, money)
        initial, maintenance = tier.initial_margin_ppm, tier.maintenance_margin_ppm
        if start <= below[0]:
            raise Contradiction(
                (*path, "notional_from"),
                f"{text(tier.notional_from)} is not above the tier before, "
                f"which begins at {text(Fraction(below[0], money.atoms))}",
            )
        for field, rate, least in (
            ("initial_margin_ppm", initial, below[1]),
            ("maintenance_margin_ppm", maintenance, below[2]),
        ):
            if rate < least:
                raise Contradiction((*path, field), f"{rate} is below {least}, that of the tier before")
        if maintenance > initial:
            raise Contradiction(
                (*path, "maintenance_margin_ppm"), f"{maintenance} is above initial_margin_ppm = {initial}"
            )
        below = (start, initial, maintenance)
        tiers.append({"notional_from": str(start), "initial_ppm": initial, "maintenance_ppm": maintenance})
    scaling = item.open_interest_scaling
    bounds = scaling and {
        name: str(atoms(("open_interest_scaling", name), value, money))
        for name, value in (("lower", scaling.lower), ("upper", scaling.upper))
    }
    if scaling and scaling.lower >= scaling.upper:
        raise Contradiction(
            ("open_interest_scaling", "upper"),
            f"{text(scaling.upper)} is not above lower = {text(scaling.lower)}",
        )
    return mode | {"margin": {"tiers": tiers, "open_interest_scaling": bounds}}


def rate(path: Path, value: Decimal) -> int:
    """A rate in 1e-12."""
    count = Fraction(value) * RATE_ONE
    if count.denominator != 1:
        raise Contradiction(path, f"{text(value)} is finer than 1e-12")
    if not -(2**63) <= count < 2**63:
        raise Contradiction(path, f"{text(value)} is far beyond every bound of a rate")
    return int(count)


def funding_body(item: Funding, money: Money) -> dict[str, Any]:
    """Funding as the engine reads it."""
    return {
        "interval_h": item.interval_h,
        "interest": rate(("funding", "interest"), item.interest),
        "clamp": rate(("funding", "clamp"), item.clamp),
        "cap": rate(("funding", "cap"), item.cap),
        "impact_notional": str(atoms(("funding", "impact_notional"), item.impact_notional, money)),
        "sample_s": item.sample_s,
    }


def asset_body(item: Asset) -> dict[str, Any]:
    """An asset as the engine reads it."""
    body: dict[str, Any] = {"symbol": item.symbol, "decimals": item.decimals}
    if item.debt_interest_ppm:
        body["debt_interest_ppm"] = item.debt_interest_ppm
    if item.debt_max is not None:
        money = Money(0, item.symbol, min(item.decimals, 18))
        body["debt_max"] = str(atoms(("debt_max",), item.debt_max, money))
    return body


def collateral_body(item: Spot) -> list[dict[str, int]]:
    """The tiers of the base as collateral as the engine reads them."""
    tiers: list[dict[str, int]] = []
    below = (0, 0)
    for index, tier in enumerate(item.collateral):
        path: Path = ("collateral", index)
        if tier.up_to <= 0:
            raise Contradiction((*path, "up_to"), f"{text(tier.up_to)} is not above 0")
        lots = steps((*path, "up_to"), tier.up_to, item.lot_size, "lot_size", _core.QTY_LOTS_BOUND)
        if lots <= below[0]:
            raise Contradiction(
                (*path, "up_to"),
                f"{text(tier.up_to)} is not above the tier before, "
                f"which ends at {text(Fraction(item.lot_size) * below[0])}",
            )
        if tier.haircut_ppm < below[1]:
            raise Contradiction(
                (*path, "haircut_ppm"), f"{tier.haircut_ppm} is below {below[1]}, that of the tier before"
            )
        below = (lots, tier.haircut_ppm)
        tiers.append({"up_to_lots": lots, "haircut_ppm": tier.haircut_ppm})
    return tiers


def link_ranges(bounds: list[int], price_max: int, order: str) -> list[dict[str, int]]:
    """The prices at which each outcome wins, in ticks: [low, high)."""
    ends = [0, *bounds, price_max + 1]
    ranges = [{"low": low, "high": high} for low, high in pairwise(ends)]
    return ranges[::-1] if order == "falling" else ranges
