"""Public endpoints about what only a perpetual has: funding and its past, tiers of margin."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from exchange_os.api.codes import Row
from exchange_os.api.desk import TYPES, Desk, underlying
from exchange_os.api.keys import now_ms
from exchange_os.api.numbers import blank, decimal_of, limit_of, ms, size, text, word
from exchange_os.results import Instrument

Fields = Mapping[str, Any]

_HOUR_NS = 3_600 * 10**9
_PPM = Decimal(1_000_000)
_RATE_ONE = Decimal(10**12)


def funding_rate(desk: Desk, fields: Fields) -> list[Row]:
    """The rate that the samples so far would give, of one perpetual or of "ANY"."""
    wanted = word(fields, "instId")
    found = desk.exchange.instruments() if wanted == "ANY" else [desk.instrument(fields)]
    rows = []
    for each in found:
        funding = desk.exchange.funding(each.symbol) if each.product == "perpetual" else None
        if funding is None or funding.ends_ns is None:
            continue
        past = funding.history[-1] if funding.history else None
        terms = _specification(desk, each)["funding"]
        cap, interest = (text(terms[name] / _RATE_ONE) for name in ("cap", "interest"))
        rows.append(
            {
                **blank("nextFundingRate impactValue formulaType"),
                "minFundingRate": f"-{cap}",
                "maxFundingRate": cap,
                "interestRate": interest,
                "instType": "SWAP",
                "instId": each.symbol,
                "method": "current_period",
                "fundingRate": text(funding.predicted_rate),
                "fundingTime": ms(funding.ends_ns),
                "nextFundingTime": ms(funding.ends_ns + funding.interval_h * _HOUR_NS),
                "prevFundingTime": ms(funding.ends_ns - funding.interval_h * _HOUR_NS),
                "settState": "processing" if funding.is_settling else "settled",
                "settFundingRate": text(past.rate) if past else "",
                "premium": text(funding.premium),
                "ts": str(now_ms()),
            }
        )
    return rows


def funding_history(desk: Desk, fields: Fields) -> list[Row]:
    each = desk.instrument(fields)
    funding = desk.exchange.funding(each.symbol)
    after, before = (decimal_of(name, word(fields, name, "-1")) for name in ("after", "before"))
    rows = [
        {
            "instType": "SWAP",
            "instId": each.symbol,
            "formulaType": "",
            "fundingRate": text(past.rate),
            "realizedRate": text(past.rate),
            "fundingTime": ms(past.time_ns),
            "method": "current_period",
        }
        for past in reversed(funding.history if funding else [])
        if past.time_ns // 1_000_000 > before and (after < 0 or past.time_ns // 1_000_000 < after)
    ]
    return rows[: limit_of(fields, 400, 400)]


def open_interest(desk: Desk, fields: Fields) -> list[Row]:
    """One side of all positions, in contracts and coins; no asset here is the US dollar: `oiUsd` is empty."""
    return [
        {
            "instType": TYPES[each.product],
            "instId": each.symbol,
            "oi": size(each, each.open_interest),
            "oiCcy": text(each.open_interest),
            "oiUsd": "",
            "ts": str(now_ms()),
        }
        for each in desk.instruments(fields)
        if each.product != "spot"
    ]


def position_tiers(desk: Desk, fields: Fields) -> list[Row]:
    """The slices of a position's value, each with the margin that the part inside it needs.

    OKX has sizes, ours are values: they are counted in contracts at the mark, whole ones down. Without a mark
    there is the first slice alone.
    """
    found = [each for each in desk.instruments(fields) if each.product == "perpetual"]
    return [row for each in found for row in _tiers(desk, each)]


def _specification(desk: Desk, each: Instrument) -> dict[str, Any]:
    """As it was deployed, with what a perpetual has beside its terms."""
    body = desk.exchange._directory.standing.bodies["instrument", each.symbol]
    found: dict[str, Any] = msgspec.msgpack.decode(body)["instrument"]
    return found


def _tiers(desk: Desk, each: Instrument) -> list[Row]:
    terms = desk.terms(each)
    more = (_specification(desk, each).get("margin") or {}).get("tiers", []) if each.mark_price else []
    slices = [{"notional_from": 0, **terms}, *more]
    starts = [_contracts(desk, each, int(slice_["notional_from"])) for slice_ in slices]
    ends = [str(start) for start in starts[1:]] + [str(terms["position_max_lots"])]
    return [
        {
            **dict.fromkeys(("optMgnFactor", "quoteMaxLoan", "baseMaxLoan"), ""),
            "uly": underlying(each),
            "instFamily": underlying(each),
            "instId": each.symbol,
            "tier": str(place),
            "minSz": str(start),
            "maxSz": end,
            "imr": text(slice_["initial_margin_ppm"] / _PPM),
            "mmr": text(slice_["maintenance_margin_ppm"] / _PPM),
            "maxLever": str(1_000_000 // slice_["initial_margin_ppm"]),
        }
        for place, (slice_, start, end) in enumerate(zip(slices, starts, ends, strict=True), 1)
    ]


def _contracts(desk: Desk, each: Instrument, notional: int) -> int:
    """Lots of a value in atoms, at the mark."""
    if notional == 0 or each.mark_price is None:
        return 0
    ticks = desk.exchange.price_ticks(each.symbol, each.mark_price)
    return notional // (ticks * int(desk.terms(each)["quote_atoms_per_tick_lot"]))
