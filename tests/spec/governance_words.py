"""Changes of markets: as lines, as cells of events, and what is announced as rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import exchange_os as xos

if TYPE_CHECKING:
    from answers import Event
    from deployment_lines import Numbers
    from desk import Desk, Given

_KIND = xos.EventKind
OF_CHANGE = {kind for kind in _KIND if _KIND.CHANGE_ANNOUNCED <= kind <= _KIND.DELISTING_BEGUN}
OF_MARKET = OF_CHANGE | {_KIND.MARKET_CLOSED}
WITH_QTY = {_KIND.DELISTING_BEGUN, _KIND.POSITION_SETTLED, _KIND.MARKET_CLOSED}
SETTLED = {_KIND.POSITION_SETTLED}

Pairs = dict[str, str]


def update_of(
    words: tuple[str, ...],
    numbers: Numbers,
    pairs_of: Callable[[tuple[str, ...]], Pairs],
    spec_of: Callable[[str, str, Pairs, Numbers], dict[str, Any]],
) -> dict[str, Any]:
    """`update perpetual BTC on=BTC delay_s=60 by=ann` and the words of a deployment."""
    kind, symbol, *rest = words
    pairs = pairs_of(tuple(rest))
    who, wait_s = pairs.pop("by", ""), int(pairs.pop("delay_s", "86_400"))
    on = pairs.pop("on", symbol)
    ((deployed, spec),) = spec_of(kind, symbol, pairs, numbers).items()
    assert not pairs, f"not known here: {', '.join(pairs)}"
    tables = {"instrument": numbers.instruments, "venue": numbers.venues, "question": numbers.questions}
    number = int(on[1:]) if on.startswith("#") else tables[deployed][on]
    content = {"terms": spec["terms"]} if deployed == "question" else {"spec": spec}
    account = numbers.accounts[who] if who else 0
    return {f"update_{deployed}": {deployed: number, "account": account, "delay_s": wait_s, **content}}


def market_name(desk: Desk, kind: int, number: int) -> str:
    """The symbol of an instrument, a venue or a question."""
    match xos.MarketKind(kind):
        case xos.MarketKind.VENUE:
            return desk.named(desk.exchange.venues, number)
        case xos.MarketKind.QUESTION:
            return desk.named(desk.questions, number)
    return desk.named(desk.instruments, number)


def target(desk: Desk, event: Event) -> str:
    """What an event about a market is about."""
    return market_name(desk, event["side"], event["instrument"])


def changes(desk: Desk) -> list[dict[str, str]]:
    """Rows of `then changes`."""
    return [
        {
            "change": desk.order_name(found.id),
            "what": found.what,
            "on": found.market,
            "account": desk.account_name(found.account),
            "effective": str(found.effective_ns),
        }
        for found in desk.exchange.changes()
    ]


def send(desk: Desk, do: str, account: int, change: int, on: str, row: Given, given: Given) -> object:
    """withdraw_change and delist, by their own methods."""
    if do == "withdraw_change":
        return desk.exchange.withdraw_change(change, account=account, **given)
    return desk.exchange.delist(on, delay_s=int(row["qty"]), account=account, **given)
