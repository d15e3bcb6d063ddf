"""What an order would do, asked before it is placed: `trade/order-precheck`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from exchange_os.api.codes import Refused, Row, code_of
from exchange_os.api.desk import Desk
from exchange_os.api.keys import Key
from exchange_os.api.numbers import blank, choice, contract, decimal_of, text, word
from exchange_os.api.orders import named, swept

Fields = Mapping[str, Any]

_ALGO_FIELDS = "liab liabChg liabChgCcy liqPxDiff liqPxDiffRatio mgnRatio mgnRatioChg posBal posBalChg type"


def order_precheck(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Margin before and after, as the engine previews it; an order that it would refuse is refused here.

    Nothing is placed. `liqPx` is the liquidation price after the lots that would be taken at once.
    """
    each, side = named(desk, fields), choice(fields, "side", ("buy", "sell"))
    if choice(fields, "tdMode", ("cash", "cross", "isolated"), "cross") == "isolated":
        raise Refused("51010", "An isolated account takes its margin with the order: ask for cross.")
    if word(fields, "ordType") == "market":
        price, qty = swept(desk, each, side, fields)
    else:
        price = decimal_of("px", word(fields, "px"))
        qty = decimal_of("sz", word(fields, "sz")) * contract(each)
    seen = desk.exchange.preview(key.account, each.symbol, side, price, qty)  # type: ignore[arg-type]
    if seen.rejection is not None:
        raise Refused(*code_of(seen.rejection))
    risk = desk.exchange.risk(key.account)
    initial = seen.initial_margin_after - seen.initial_margin_before
    free = max(Decimal(0), risk.headroom)
    row: Row = blank(_ALGO_FIELDS)
    row |= {"adjEq": text(risk.equity), "adjEqChg": text(-seen.fee)}
    row |= {"imr": text(seen.initial_margin_before), "imrChg": text(initial)}
    row |= {
        "mmr": text(seen.maintenance_margin_before),
        "mmrChg": text(seen.maintenance_margin_after - seen.maintenance_margin_before),
    }
    row |= {"availBal": text(free), "availBalChg": text(-initial - seen.fee)}
    row |= {"liqPx": text(seen.liquidation_price)}
    return [row]
