"""What accounts can lose in the scenarios of underlyings."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from exchange_os.directory import Directory

Rows: TypeAlias = tuple[bool, list[tuple[int, list[int], list[tuple[int, int]]]]]
"""Whether in scenario mode; underlying, margins with and without offsets, losses and offsets."""


class ScenarioLoss(msgspec.Struct, frozen=True):
    """What a scenario loses on the perpetuals of an underlying, weighted, and what questions offset of it."""

    shock_ppm: int
    weight_ppm: int
    loss: Decimal
    offset: Decimal


class UnderlyingRisk(msgspec.Struct, frozen=True):
    """What the perpetuals of an underlying need in scenario mode, and without offsets."""

    underlying: str
    initial_margin: Decimal
    initial_margin_without_offsets: Decimal
    maintenance_margin: Decimal
    maintenance_margin_without_offsets: Decimal
    losses: tuple[ScenarioLoss, ...]


class ScenarioRisk(msgspec.Struct, frozen=True):
    """Margin mode of an account, and its underlyings as scenario mode sees them or would see them."""

    account: int
    margin_mode: str
    underlyings: tuple[UnderlyingRisk, ...]


def risk_of(account: int, found: Rows, directory: Directory) -> ScenarioRisk:
    """An account's, from what the engine counts in atoms."""
    is_scenario, rows = found
    money = directory.asset(1).amount.value
    risks = []
    for number, margins, losses in rows:
        symbol, scenarios = directory.underlyings[number - 1]
        told = [
            ScenarioLoss(shock, weight, money(loss), money(offset))
            for (shock, weight), (loss, offset) in zip(scenarios, losses, strict=True)
        ]
        initial, initial_sum, maintenance, maintenance_sum = map(money, margins)
        values = (initial, initial_sum, maintenance, maintenance_sum, tuple(told))
        risks.append(UnderlyingRisk(symbol, *values))
    return ScenarioRisk(account, "scenario" if is_scenario else "standard", tuple(risks))
