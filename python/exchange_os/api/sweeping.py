"""Commands that take many orders out, or a whole position."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from exchange_os.api import placing
from exchange_os.api.codes import Refused, Row
from exchange_os.api.desk import TYPES, Desk, underlying
from exchange_os.api.keys import Key, now_ms
from exchange_os.api.numbers import choice, decimal_of, size, word
from exchange_os.api.orders import accounts

Fields = Mapping[str, Any]

_COUNTDOWN_S = (10, 120)


async def mass_cancel(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Takes out all orders of a type of instrument, perhaps of one family or one instrument of it."""
    desk.limits.check(key, "sweep", fields)
    kind, family = word(fields, "instType"), word(fields, "instFamily", "")
    name = word(fields, "instId", "")
    found = [
        each.symbol
        for each in desk.exchange.instruments()
        if kind in {"ANY", TYPES[each.product]}
        and family in {"", underlying(each)}
        and name in {"", each.symbol}
    ]
    if not found:
        raise Refused("51000", f"Parameter instType error: nothing of {kind[:20]!r} is traded here.")
    for account in accounts(desk, key):
        resting = {order.instrument for order in desk.exchange.orders(account)}
        for symbol in resting.intersection(found):
            await desk.intake.call(partial(desk.exchange.mass_cancel, account, symbol))
    return [{"result": True}]


async def cancel_all_after(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """A countdown after which all orders of the account leave; 0 stops it."""
    desk.limits.check(key, "sweep", {})
    seconds = decimal_of("timeOut", word(fields, "timeOut"))
    least, most = _COUNTDOWN_S
    if seconds != int(seconds) or (seconds and not least <= seconds <= most):
        raise Refused("51000", f"Parameter timeOut error: {seconds}, expected 0 or {least} to {most}.")
    for account in accounts(desk, key):
        await desk.intake.call(partial(desk.exchange.cancel_all_after, account, seconds))
    moment = now_ms()
    fires = str(moment + int(seconds) * 1_000) if seconds else "0"
    return [{"triggerTime": fires, "tag": word(fields, "tag", ""), "ts": str(moment)}]


async def close_position(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """A market order, reduce-only, over the whole position of an instrument."""
    each, mode = desk.instrument(fields), choice(fields, "mgnMode", ("cross", "isolated"))
    if word(fields, "autoCxl", "false") == "true":
        await mass_cancel(desk, key, {"instType": TYPES[each.product], "instId": each.symbol})
    account = key.account
    if mode == "isolated":
        account = desk.exchange.isolated_accounts(account).get(each.symbol, 0)
    held = desk.exchange.positions(account) if account else []
    qty = next((one.qty for one in held if one.instrument == each.symbol), Decimal(0))
    if not qty or each.product == "spot":
        raise Refused("51023", "Position does not exist.")
    order = {
        "instId": each.symbol,
        "side": "sell" if qty > 0 else "buy",
        "ordType": "market",
        "sz": size(each, abs(qty)),
        "tdMode": mode,
        "reduceOnly": "true",
        "clOrdId": word(fields, "clOrdId", ""),
        "tag": word(fields, "tag", ""),
    }
    _, (row,) = await placing.batch(placing.place, desk, key, [order])
    if row["sCode"] != "0":
        raise Refused(row["sCode"], row["sMsg"])
    said = {"instId": each.symbol, "posSide": "net", "clOrdId": row["clOrdId"], "tag": row["tag"]}
    return [said]
