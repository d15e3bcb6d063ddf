"""What a market file changes of markets that stand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from exchange_os.markets.ceilings import under_ceiling
from exchange_os.markets.load import Loaded, Problem, refusal
from exchange_os.markets.to_commands import Deployment, Standing, plan

_MARKETS = ("instrument", "venue", "question")


@dataclass(frozen=True, slots=True)
class Update:
    """A change that a file asks for: of what, and what it says of it (`spec`, or `terms` of a question)."""

    kind: str
    symbol: str
    content: dict[str, Any]


def updates(loaded: Loaded, standing: Standing) -> list[Update]:
    """The changes that a file asks for, in its order; `MarketFileError` where it changes what is fixed."""
    alone = plan(loaded, without_bodies(standing))
    if alone.problems:
        raise refusal(alone.problems)
    found, problems = [], []
    for wanted in alone.missing:
        before = standing.bodies.get((wanted.kind, wanted.symbol))
        if (
            before is None
            or before == wanted.body
            or before == under_ceiling(wanted.kind, before, wanted.body)
        ):
            continue
        update = _update(before, wanted)
        if isinstance(update, str):
            problems.append(_problem(loaded, wanted, update))
        else:
            found.append(update)
    if problems:
        raise refusal(problems)
    return found


def without_bodies(standing: Standing) -> Standing:
    """The same numbers and limits, but no market that could be in the way."""
    genesis = {key: body for key, body in standing.bodies.items() if key == ("genesis", "")}
    return replace(standing, bodies=genesis)


def _update(before: bytes, wanted: Deployment) -> Update | str:
    """The change, or why it cannot be one."""
    if wanted.kind not in _MARKETS:
        return f"{wanted.kind} {wanted.symbol} stands with other terms, which never change".replace("  ", " ")
    old, new = (msgspec.msgpack.decode(body)[wanted.kind] for body in (before, wanted.body))
    if wanted.kind != "question":
        return Update(wanted.kind, wanted.symbol, {"spec": new})
    fixed = sorted(
        name for name in old.keys() | new.keys() if name != "terms" and old.get(name) != new.get(name)
    )
    if fixed:
        return f"of question {wanted.symbol} these never change: {', '.join(fixed)}"
    return Update("question", wanted.symbol, {"terms": new["terms"]})


def _problem(loaded: Loaded, wanted: Deployment, why: str) -> Problem:
    return loaded.problem(wanted.path, why)
