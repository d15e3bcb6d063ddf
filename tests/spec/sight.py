"""What a scenario looks at: events and what stands, as rows of text, read through `exchange_os`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from answers import Event
from desk import Desk
from event_cells import COLUMNS, FEES, cell, flags_text
from governance_words import changes, deployers
from scenario_file import Table
from vote_words import emergencies, proposals

import exchange_os as xos

Found = list[dict[str, str]]


@dataclass(frozen=True)
class Subject:
    """Columns of a table of what stands; those in `free` may be left out without being zero."""

    columns: tuple[str, ...]
    free: frozenset[str] = frozenset()
    ordered: bool = False


def _subject(columns: str, free: str = "", ordered: bool = False) -> Subject:
    return Subject(tuple(columns.split(",")), frozenset(free.split(",")), ordered)


_RISK = "equity,initial,maintenance,reserves,headroom,withdrawable,worst cases"
_PRICES = "state,mark,index,last,accepts,prices"
_SUBJECTS = {
    "book": _subject("bids,price,asks,orders", "orders", ordered=True),
    "balances": _subject("account,asset,total,held,free", "free"),
    "positions": _subject("account,on,position,cost,realised,unrealised,buys,sells", "unrealised"),
    "orders": _subject(
        "order,account,on,side,price,qty,left,display,shown,tif,flags,self_trade,venue,id",
        "qty,on,account,self_trade,flags,tif,venue,id",
    ),
    "risk": _subject(f"account,{_RISK}", _RISK),
    "credentials": _subject("account,classes,ends,issued,hash", "ends,issued,hash"),
    "house": _subject("account,asset,amount"),
    "instruments": _subject(f"instrument,{_PRICES}", _PRICES),
    "deployers": _subject("account,stake,locked,bought", "bought"),
    "changes": _subject("change,what,on,account,effective", "account,effective", ordered=True),
    "proposals": _subject(
        "proposal,act,account,for,against,ends,effective", "act,account,ends,effective", ordered=True
    ),
    "emergencies": _subject("instrument,state,account,until", "account,until", ordered=True),
    "questions": _subject("question,sets,paying,payouts,settled,stage,end", "payouts,settled,stage,end"),
}


_GOVERNED = {
    "changes": changes,
    "deployers": deployers,
    "proposals": proposals,
    "emergencies": emergencies,
}


def look(desk: Desk, what: tuple[str, ...], expected: Table, events: list[Event]) -> str | None:
    """Nothing if it is as expected, otherwise the two tables."""
    subject, *whose = what
    if subject in {"events", "trades", "rejected"}:
        return _compare_events(desk, subject, expected, events)
    accounts = [desk.account(name.rstrip(",")) for name in whose[1:]] if whose[:1] == ["of"] else None
    chosen = list(range(1, desk.exchange.account_count + 1)) if accounts is None else accounts
    match subject:
        case "book":
            found = _book(desk, *whose)
        case "balances":
            found = _balances(desk, chosen)
        case "positions":
            found = _positions(desk, chosen)
        case "orders":
            found = _orders(desk, chosen)
        case "risk":
            found = _risk(desk, chosen)
        case "credentials":
            found = _credentials(desk, chosen)
        case "house":
            found = _house(desk)
        case "instruments":
            found = _instruments(desk)
        case "questions":
            found = _questions(desk)
        case "changes" | "deployers" | "proposals" | "emergencies":
            found = _GOVERNED[subject](desk)
        case _:
            return f"nothing is called {' '.join(what)!r}"
    return _compare(_SUBJECTS[subject], expected, found)


# --- comparing ---


def _difference(columns: list[str], expected: list[list[str]], found: list[list[str]]) -> str | None:
    if expected == found:
        return None
    left, right = _texts(columns, expected), _texts(columns, found)
    width = max(map(len, left))
    lines = [f"{'expected':<{width}}   found"]
    for at in range(max(len(left), len(right))):
        a, b = (side[at] if at < len(side) else "" for side in (left, right))
        lines.append(f"{a:<{width}}   {b}")
    return "\n".join(lines)


def _texts(columns: list[str], rows: list[list[str]]) -> list[str]:
    lines = [columns, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    return [
        "".join(f"| {cell:<{width}} " for cell, width in zip(line, widths, strict=True)) + "|"
        for line in lines
    ]


def _compare(subject: Subject, expected: Table, found: Found) -> str | None:
    columns = list(expected.columns)
    if unknown := set(columns) - set(subject.columns):
        return f"no column {unknown.pop()!r} here; there are {', '.join(subject.columns)}"
    for name in subject.columns:
        if (
            name not in columns
            and name not in subject.free
            and any(row[name] not in {"", "0"} for row in found)
        ):
            columns.append(name)
    # Here a zero may be left empty, and a column that is left out is zero.
    sides = [
        [["" if row.get(name, "") == "0" else row.get(name, "") for name in columns] for row in rows]
        for rows in (expected.rows, found)
    ]
    if not subject.ordered:
        sides = [sorted(side) for side in sides]
    return _difference(columns, sides[0], sides[1])


def _compare_events(desk: Desk, which: str, expected: Table, events: list[Event]) -> str | None:
    columns = list(expected.columns)
    if unknown := set(columns) - set(COLUMNS):
        return f"no column {unknown.pop()!r} in events"
    if which == "trades":
        events = [event for event in events if event["kind"] == xos.EventKind.TRADE]
    elif which == "rejected":
        events = [event for event in events if event["kind"] == xos.EventKind.REJECTED]
    for fee in FEES:
        if fee not in columns and any(cell(desk, event, fee) not in {"", "0"} for event in events):
            columns.append(fee)
    found = [[cell(desk, event, name) for name in columns] for event in events]
    wanted = [[row.get(name, "0") for name in columns] for row in expected.rows]
    return _difference(columns, wanted, found)


# --- what stands ---


def _book(desk: Desk, symbol: str, *reach: str) -> Found:
    """All of it, or `for kyc,eu through VENUE`: what such an account reaches there; `-`: none."""
    exchange = desk.exchange
    if reach:
        _, classes, _, venue = reach
        names = [name for name in classes.strip("-").split(",") if name]
        book = exchange.depth(symbol, classes=names, venue=0 if venue == "-" else venue, levels=10_000)
    else:
        book = exchange.book(symbol, depth=10_000)

    def row(level: xos.BookLevel, side: str) -> dict[str, str]:
        cells = {"bids": "", "asks": "", "orders": str(level.orders)}
        lots, ticks = exchange.qty_lots(symbol, level.qty), exchange.price_ticks(symbol, level.price)
        return {**cells, "price": str(ticks), side: str(lots)}

    return [row(level, "asks") for level in reversed(book.asks)] + [row(level, "bids") for level in book.bids]


def _balances(desk: Desk, accounts: list[int]) -> Found:
    return [
        {
            "account": desk.account_name(account),
            "asset": found.asset,
            "total": str(desk.atoms(found.asset, found.total)),
            "held": str(desk.atoms(found.asset, found.held)),
            "free": str(desk.atoms(found.asset, found.free)),
        }
        for account in accounts
        for found in desk.exchange.balances(account)
    ]


def _positions(desk: Desk, accounts: list[int]) -> Found:
    rows = []
    for account in accounts:
        for found in desk.exchange.positions(account):
            quote = desk.exchange.instrument(found.instrument).quote
            lots = {"position": found.qty, "buys": found.buys, "sells": found.sells}
            money = {"cost": found.cost, "realised": found.realised, "unrealised": found.unrealised}
            rows.append(
                {
                    "account": desk.account_name(account),
                    "on": found.instrument,
                    **{name: _lots(desk, found.instrument, qty) for name, qty in lots.items()},
                    **{name: str(desk.atoms(quote, amount)) for name, amount in money.items()},
                }
            )
    return rows


def _lots(desk: Desk, symbol: str, qty: Decimal) -> str:
    return str(desk.exchange.qty_lots(symbol, qty))


def _orders(desk: Desk, accounts: list[int]) -> Found:
    exchange = desk.exchange
    return [
        {
            "order": desk.order_name(found.order_id),
            "account": desk.account_name(found.account),
            "on": found.instrument,
            "side": found.side,
            "price": str(exchange.price_ticks(found.instrument, found.price)),
            "qty": _lots(desk, found.instrument, found.qty),
            "left": _lots(desk, found.instrument, found.remaining),
            "display": "" if found.display is None else _lots(desk, found.instrument, found.display),
            "shown": "" if found.display is None else _lots(desk, found.instrument, found.shown),
            "tif": found.tif,
            "flags": flags_text(found.flags),
            "self_trade": "" if found.self_trade == "none" else found.self_trade,
            "venue": desk.named(exchange.venues, found.venue),
            "id": found.client_id.decode(),
        }
        for account in accounts
        for found in exchange.orders(account)
    ]


def _risk(desk: Desk, accounts: list[int]) -> Found:
    rows = []
    for account in accounts:
        found = desk.exchange.risk(account)
        money = {
            "equity": found.equity,
            "initial": found.initial_margin,
            "maintenance": found.maintenance_margin,
            "reserves": found.order_reserves,
            "headroom": found.headroom,
            "withdrawable": found.withdrawable,
        }
        worst = [f"{name}={desk.atoms(found.asset, amount)}" for name, amount in found.questions.items()]
        cells = {name: str(desk.atoms(found.asset, amount)) for name, amount in money.items()}
        rows.append({"account": desk.account_name(account), **cells, "worst cases": " ".join(worst)})
    return rows


def _credentials(desk: Desk, accounts: list[int]) -> Found:
    return [
        {
            "account": desk.account_name(account),
            "classes": ",".join(found.classes),
            "ends": str(found.ends_ns),
            "issued": str(found.issued_ns),
            "hash": found.digest.rstrip(b"\0").decode(),
        }
        for account in accounts
        if (found := desk.exchange.credential(account)) is not None
    ]


def _house(desk: Desk) -> Found:
    return [
        {"account": name, "asset": asset, "amount": str(desk.atoms(asset, amount))}
        for name, amounts in desk.exchange.house().items()
        for asset, amount in amounts.items()
    ]


def _instruments(desk: Desk) -> Found:
    rows = []
    for found in desk.exchange.instruments():
        prices = {"mark": found.mark_price, "index": found.index_price, "last": found.last_price}
        ticks = {
            name: "0" if price is None else str(desk.exchange.price_ticks(found.symbol, price))
            for name, price in prices.items()
        }
        words = {"state": found.state, "accepts": found.accepts, "prices": found.price_status}
        names = {name: "" if word is None else word.name.lower() for name, word in words.items()}
        rows.append({"instrument": found.symbol, **names, **ticks})
    return rows


def _questions(desk: Desk) -> Found:
    return [
        {
            "question": found.symbol,
            "sets": _lots(desk, found.outcomes[0], found.sets),
            "paying": found.paying or "",
            "payouts": ",".join(str(int(share / found.unit * 1_000_000)) for share in found.payouts.values()),
            "settled": "yes" if found.settled else "",
            "stage": told.stage.name.lower() if told else "",
            "end": str(told.ends_ns or "") if told else "",
        }
        for found in desk.exchange.questions()
        for told in [desk.exchange.resolution(found.symbol)]
    ]
