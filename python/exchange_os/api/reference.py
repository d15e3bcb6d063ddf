"""Public endpoints about terms and their limits: underlyings, price limits, event contracts; past trades."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from exchange_os._core import ResolutionStage
from exchange_os.api.codes import Refused, Row
from exchange_os.api.desk import TYPES, Desk, underlying
from exchange_os.api.keys import now_ms
from exchange_os.api.market import trade_row
from exchange_os.api.numbers import blank, choice, decimal_of, limit_of, ms, text, trade_text, word
from exchange_os.results import Question, Trade

Fields = Mapping[str, Any]

_PPM = 1_000_000
_DERIVATIVES = ("SWAP", "FUTURES", "OPTION")
_STATES = ("preopen", "live", "settling", "expired")


def underlyings(desk: Desk, fields: Fields) -> list[list[str]]:
    """One list of the names, as OKX has it."""
    kind = choice(fields, "instType", _DERIVATIVES)
    found = {underlying(each) for each in desk.exchange.instruments() if TYPES[each.product] == kind}
    return [sorted(found)] if found else []


def price_limit(desk: Desk, fields: Fields) -> list[Row]:
    """The highest price of a buy and the lowest of a sell: the band around the mark, where there is one."""
    each, terms = desk.instrument(fields), desk.terms(desk.instrument(fields))
    most = terms["price_max_ticks"]
    highest, lowest, enabled = most, 1, False
    if terms["band_ppm"] and each.mark_price is not None:
        mark = desk.exchange.price_ticks(each.symbol, each.mark_price)
        width = mark * terms["band_ppm"] // _PPM
        highest, lowest, enabled = min(most, mark + width), max(1, mark - width), True
    return [
        {
            "instType": TYPES[each.product],
            "instId": each.symbol,
            "buyLmt": text(each.tick_size * highest),
            "sellLmt": text(each.tick_size * lowest),
            "ts": str(now_ms()),
            "enabled": enabled,
        }
    ]


def history_trades(desk: Desk, fields: Fields) -> list[Row]:
    """Trades by page, newest first: `after` and `before` are trade ids (type 1) or milliseconds (type 2).

    A page that would reach behind the oldest trade that is kept is refused, unless every trade there ever was
    is kept.
    """
    each = desk.instrument(fields)
    by_time = choice(fields, "type", ("1", "2"), "1") == "2"
    after, before = (decimal_of(name, word(fields, name, "-1")) for name in ("after", "before"))
    limit, kept = limit_of(fields, 100, 100), desk.exchange.trades(each.symbol)

    def place(trade: Trade) -> Decimal:
        return Decimal(ms(trade.time_ns) if by_time else trade_text(trade.trade_id))

    found = [
        trade for trade in reversed(kept) if place(trade) > before and (after < 0 or place(trade) < after)
    ]
    bounded = before >= 0 and bool(kept) and place(kept[0]) <= before
    if len(found) < limit and not bounded:
        _refuse_unkept(desk)
    return [trade_row(each, trade) for trade in found[:limit]]


def _refuse_unkept(desk: Desk) -> None:
    """`Refused` (50001) if there may have been trades that are no longer kept."""
    desk.recorder.refuse_unknown()
    kept = desk.exchange.trades_array()
    oldest = int(kept["trade_id"][0]) if len(kept) else 1
    if oldest > 1:
        raise Refused(
            "50001",
            f"Service temporarily unavailable: trades are kept from {trade_text(oldest)} on, and "
            "this request reaches further back; ask with a later before or a smaller limit.",
            503,
        )


def estimated_price(desk: Desk, fields: Fields) -> list[Row]:
    """Of instruments with an end; none has one that is settled at an average of prices."""
    desk.instrument(fields)
    return []


def discount_quota(desk: Desk, fields: Fields) -> list[Row]:
    """What of each asset counts as margin, in the settlement asset: by the tiers of its spot instrument."""
    wanted, rows = word(fields, "ccy", ""), []
    tiers = _collateral(desk)
    for number, symbol in enumerate(desk.exchange.assets):
        if wanted in {"", symbol}:
            details = tiers.get(symbol, [])
            whole = [{**blank("liqPenaltyRate disCcyEq"), "discountRate": "1", "minAmt": "0", "maxAmt": ""}]
            rows.append(
                {
                    **blank("amt discountLv minDiscountRate collateralRestrict"),
                    "ccy": symbol,
                    "details": details if number else whole,
                }
            )
    return rows


def _collateral(desk: Desk) -> dict[str, list[Row]]:
    """Asset: the rows of its tiers, amounts in whole units."""
    found: dict[str, list[Row]] = {}
    for each in desk.exchange.instruments():
        if each.product != "spot" or each.base is None:
            continue
        low, rows = 0, []
        for tier in desk.terms(each).get("collateral", []):
            rows.append(
                {
                    **blank("liqPenaltyRate disCcyEq"),
                    "discountRate": text(Decimal(_PPM - tier["haircut_ppm"]) / _PPM),
                    "minAmt": text(each.lot_size * low),
                    "maxAmt": text(each.lot_size * tier["up_to_lots"]),
                }
            )
            low = tier["up_to_lots"]
        if rows:
            found[each.base] = rows
    return found


def event_series(desk: Desk, fields: Fields) -> list[Row]:
    """A series is a question; it has one event, and each outcome is a market of it."""
    return [
        {
            "seriesId": each.symbol,
            "freq": "",
            "title": each.text,
            "category": "",
            "settlement": {
                "method": "" if desk.exchange.resolution(each.symbol) is None else "resolvers",
                "closeEarly": True,
                "srcName": ",".join(_sources(desk, each)),
                "underlying": "",
            },
        }
        for each in _series(desk, fields, required=False)
    ]


def events(desk: Desk, fields: Fields) -> list[Row]:
    wanted, state = word(fields, "eventId", ""), word(fields, "state", "")
    rows = [
        {"seriesId": each.symbol, "eventId": each.symbol, "fixTime": "", **_ends(desk, each)}
        for each in _series(desk, fields, required=True)
        if wanted in {"", each.symbol}
    ]
    return [row for row in rows if state in {"", row["state"]}]


def event_markets(desk: Desk, fields: Fields) -> list[Row]:
    """`outcome` is 1 where the market has all of the unit, 2 where nothing; `settleValue` is its share."""
    event, name, state = (word(fields, each, "") for each in ("eventId", "instId", "state"))
    rows = []
    for each in _series(desk, fields, required=True):
        found = desk.exchange.resolution(each.symbol)
        disputed = found is not None and found.challenger is not None and not each.payouts
        for outcome in each.outcomes:
            share = each.payouts.get(outcome)
            decided = "0" if share is None else "1" if share == each.unit else "0" if share else "2"
            rows.append(
                {
                    **blank("listTime fixTime floorStrike capStrike hitDir"),
                    "seriesId": each.symbol,
                    "eventId": each.symbol,
                    "instId": outcome,
                    **_ends(desk, each),
                    "disputed": disputed,
                    "outcome": decided,
                    "settleValue": text(share),
                }
            )
    return [
        row
        for row in rows
        if event in {"", row["eventId"]} and name in {"", row["instId"]} and state in {"", row["state"]}
    ]


def _series(desk: Desk, fields: Fields, *, required: bool) -> list[Question]:
    name = word(fields, "seriesId", None if required else "")
    if state := word(fields, "state", ""):
        choice({"state": state}, "state", _STATES)
    return [desk.exchange.question(name)] if name else desk.exchange.questions()


def _ends(desk: Desk, question: Question) -> Row:
    """State, and when trading ends where that is known."""
    found = desk.exchange.resolution(question.symbol)
    if question.settled:
        state = "expired"
    elif question.payouts or (found is not None and found.stage != ResolutionStage.OPEN):
        state = "settling"
    else:
        state = "live"
    return {"expTime": "" if found is None else ms(found.closes_ns), "state": state}


def _sources(desk: Desk, question: Question) -> tuple[str, ...]:
    found = desk.exchange.resolution(question.symbol)
    return () if found is None else found.sources


ENDPOINTS: dict[str, tuple[Callable[[Desk, Fields], list[Any]], int]] = {
    "public/underlying": (underlyings, 20),
    "public/price-limit": (price_limit, 20),
    "public/estimated-price": (estimated_price, 10),
    "public/discount-rate-interest-free-quota": (discount_quota, 2),
    "public/event-contract/series": (event_series, 10),
    "public/event-contract/events": (events, 10),
    "public/event-contract/markets": (event_markets, 10),
    "market/history-trades": (history_trades, 10),
}
"""Path: what answers, and how many in two seconds from one address."""
