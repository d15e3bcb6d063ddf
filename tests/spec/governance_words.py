"""Changes of markets: as lines, as cells of events, and what is announced as rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import vote_words
from scenario_file import nanoseconds

import exchange_os as xos

if TYPE_CHECKING:
    from answers import Event
    from deployment_lines import Numbers
    from desk import Desk, Given

_KIND = xos.EventKind
OF_CHANGE = {kind for kind in _KIND if _KIND.CHANGE_ANNOUNCED <= kind <= _KIND.DELISTING_BEGUN}
OF_MARKET = OF_CHANGE | {_KIND.MARKET_CLOSED, _KIND.TRADING_CLOSED, _KIND.STAKE_LOCKED, _KIND.STAKE_RELEASED}
OF_STAKE = {kind for kind in _KIND if _KIND.STAKED <= kind <= _KIND.STAKE_RELEASED}
AUCTIONS = {_KIND.AUCTION_STARTED, _KIND.AUCTION_PRICED, _KIND.TRADING_CLOSED}
PRICED = {_KIND.AUCTION_PRICED}
WITH_QTY = {
    *(_KIND.DELISTING_BEGUN, _KIND.POSITION_SETTLED, _KIND.MARKET_CLOSED),
    *(_KIND.AUCTION_PRICED, _KIND.AUCTION_CLOSED),
}
SETTLED = {_KIND.POSITION_SETTLED}
COMMANDS = {
    "vote",
    "emergency",
    "withdraw_change",
    "delist",
    "stake",
    "unstake",
    "buy_slot",
    "collect_fees",
    "start_auction",
} | {
    *("set_fee_cap", "set_referrer"),
}

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


def phases_of(pairs: Pairs, now_ns: int) -> dict[str, int]:
    """`pre_open=+10s trading_close=+1h reopen_s=60`: times from now on."""
    times = {"pre_open_until_ns": "pre_open", "close_ns": "trading_close"}
    found = {field: now_ns + _ahead(pairs.pop(name)) for field, name in times.items() if name in pairs}
    return found | {"reopen_auction_s": int(pairs.pop("reopen_s", "0"))}


def _ahead(text: str) -> int:
    wait_ns = nanoseconds(text)
    assert wait_ns is not None, text
    return wait_ns


def divided_to(event: Event) -> int:
    """The referrer who received a part of a fee."""
    return int.from_bytes(event["client_id"].ljust(32, b"\0")[20:24], "little")


def parts_text(desk: Desk, event: Event) -> str:
    """Who received a fee: deployer, venue, referrer, insurance and protocol, atoms."""
    detail = event["client_id"].ljust(32, b"\0")
    rates = [int.from_bytes(detail[at : at + 4], "little") for at in range(0, 20, 4)]
    shares = [event["amount"] * ppm // 1_000_000 for ppm in rates]
    told = [
        found
        for found in desk.exchange.fee_receipts(account=event["account"])
        if (found.sequence, found.trade_id) == (event["sequence"], event["trade_id"])
    ]
    assert all(sum(found.parts.values()) == found.fee for found in told), "a receipt does not add up"
    return ":".join(map(str, shares))


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


def send(desk: Desk, account: int, change: int, words: Given, row: Given, given: Given) -> object:
    """Changes, delistings, stakes, slots, fees and auctions, by their own methods."""
    exchange = desk.exchange
    do, on = row["do"], words.get("question", row.get("on", ""))
    if do in {"vote", "emergency"}:
        return vote_words.send(desk, account, change, words, row, given)
    if do in {"stake", "unstake", "buy_slot"}:
        terms = exchange.governance()
        asset = exchange.assets[terms["stake_asset"] - 1 if terms else 0]
        amount = desk.money(asset, row["amount"])
        if do == "buy_slot":
            return exchange.buy_slot(account, words.get("slot", "spot"), at_most=amount, **given)
        return getattr(exchange, do)(account, amount, **given)
    if do == "start_auction":
        return exchange.start_auction(on, desk.expiry(words["ends"]), **given)
    if do == "collect_fees":
        venue, instrument = words.get("of_venue"), words.get("of")
        return exchange.collect_fees(venue=venue, instrument=instrument, asset=on or 1, **given)
    if do == "set_fee_cap":
        ppm = int(row["qty"])
        return exchange.set_fee_cap(account, words.get("venue", 0), None if ppm == -1 else ppm, **given)
    if do == "set_referrer":
        return exchange.set_referrer(account, desk.account(words["to"]), **given)
    if do == "withdraw_change":
        return desk.exchange.withdraw_change(change, account=account, **given)
    on = words.get("front", on)
    return desk.exchange.delist(on, delay_s=int(row["qty"]), account=account, **given)


def terms_of(
    pairs: Pairs, assets: dict[str, int], accounts: dict[str, int], ppm: Callable[[str], int]
) -> dict[str, Any]:
    """`governance asset=GOV stakes=10,50,20,5 slots=1,1,1,1` (spot, perpetual, question, venue)."""
    kinds = ("spot", "perpetual", "question", "venue")
    asset = pairs.pop("asset")
    stakes = zip(kinds, pairs.pop("stakes", "0,0,0,0").split(","), strict=True)
    slots = zip(kinds, map(int, pairs.pop("slots", "1,1,1,1").split(",")), strict=True)
    return {
        "stake_asset": int(asset[1:]) if asset.startswith("#") else assets[asset],
        "stakes": dict(stakes),
        "slots": dict(slots),
        "slot_price_min": pairs.pop("slot_min", "100"),
        "slot_auction_s": int(pairs.pop("auction_s", "100")),
        "release_wait_s": int(pairs.pop("release_s", "60")),
        "bounds": {
            "leverage_max": int(pairs.pop("leverage_max", "0")),
            "maintenance_ppm_min": ppm(pairs.pop("maintenance_min", "0")),
            "fee_ppm_max": ppm(pairs.pop("fee_max", "0")),
            "band_ppm_max": ppm(pairs.pop("band_max", "0")),
            "mark_band_ppm_max": ppm(pairs.pop("mark_band_max", "0")),
            "sources_min": int(pairs.pop("sources_min", "0")),
            "funding_cap_max": int(pairs.pop("funding_cap_max", "0")),
            "insurance_draw_max": pairs.pop("draw_max", "0"),
        },
        **vote_words.voting_of(pairs, accounts, ppm),
    }


def slot_text(desk: Desk, event: Event) -> str:
    """The kind of a slot."""
    return xos.SlotKind(event["side"]).name.lower()


def deployers(desk: Desk) -> list[dict[str, str]]:
    """Rows of `then deployers`."""
    rows = []
    for found in desk.exchange.deployers():
        terms = desk.exchange.governance()
        assert terms is not None
        asset = desk.exchange.assets[terms["stake_asset"] - 1]
        rows.append(
            {
                "account": desk.account_name(found.account),
                "stake": str(desk.atoms(asset, found.stake)),
                "locked": str(desk.atoms(asset, found.locked)),
                "bought": ",".join(str(slots) for slots in found.bought.values()),
            }
        )
    return rows
