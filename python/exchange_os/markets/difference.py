"""What a market file asks for, compared field by field with what stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from exchange_os.markets.admission import named_rules
from exchange_os.markets.ceilings import under_ceiling
from exchange_os.markets.changes import without_bodies
from exchange_os.markets.load import Loaded, refusal
from exchange_os.markets.to_commands import Deployment, Standing, plan

Kind = Literal["added", "same", "changed"]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a specification, in the engine's own units as its name says; None: it is left out."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """An asset, venue, publisher, instrument or question of the file against what stands under its symbol."""

    kind: str
    symbol: str
    state: Kind
    line: int
    fields: tuple[FieldChange, ...] = ()


def difference(loaded: Loaded, standing: Standing) -> list[Difference]:
    """Everything that the file names, in its order. `MarketFileError` if the file contradicts itself.

    What stands and the file does not name is not a difference: files may be deployed one after the other.
    """
    alone = plan(loaded, without_bodies(standing))
    if alone.problems:
        raise refusal(alone.problems)
    added = [each.symbol for each in loaded.spec.classes if each.symbol not in standing.classes]
    classes = [*standing.classes, *added]
    return [_compared(loaded, wanted, standing, classes) for wanted in alone.missing]


def _compared(loaded: Loaded, wanted: Deployment, standing: Standing, classes: list[str]) -> Difference:
    line = loaded.problem(wanted.path, "").line
    before = standing.bodies.get((wanted.kind, wanted.symbol))
    if before is None:
        return Difference(wanted.kind, wanted.symbol, "added", line)
    if before == wanted.body or before == under_ceiling(wanted.kind, before, wanted.body):
        return Difference(wanted.kind, wanted.symbol, "same", line)
    old, new = (msgspec.msgpack.decode(body)[wanted.kind] for body in (before, wanted.body))
    if wanted.kind == "venue":
        old, new = (named_rules(body, classes) for body in (old, new))
    return Difference(wanted.kind, wanted.symbol, "changed", line, tuple(_fields(old, new, "")))


def _fields(before: Any, after: Any, name: str) -> Iterator[FieldChange]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _fields(before.get(key), after.get(key), f"{name}.{key}" if name else key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _fields(old, new, f"{name}[{place}]")
    elif before != after:
        yield FieldChange(name, before, after)
