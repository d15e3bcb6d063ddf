"""Deployments as one line each, and their MessagePack bodies."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec


def ppm(text: str) -> int:
    """`500` is 500 ppm, `0.05%` the same."""
    if not text.endswith("%"):
        return int(text)
    parts = Decimal(text.removesuffix("%")) * 10_000
    assert parts == int(parts), f"{text} is finer than one ppm"
    return int(parts)


def body_of(words: tuple[str, ...], assets: dict[str, int]) -> bytes:
    """The bytes of the deployment that a line describes."""
    kind = words[0]
    if kind == "bytes":
        return bytes.fromhex(words[1])
    if kind == "limits":
        given = {name: int(value) for name, value in _pairs(words[1:]).items()}
        return msgspec.msgpack.encode({"genesis": given})
    symbol = "" if words[1] == '""' else words[1]
    pairs = _pairs(words[2:])
    spec = _spec(kind, symbol, pairs, assets)
    assert not pairs, f"not known here: {', '.join(pairs)}"
    return msgspec.msgpack.encode(spec)


def _pairs(words: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        found[name] = value
    return found


def _instrument(symbol: str, product: dict[str, Any], pairs: dict[str, str]) -> dict[str, Any]:
    """What spot instruments and perpetuals may say, in its place or not."""
    collateral = [
        {"up_to_lots": int(up_to), "haircut_ppm": ppm(haircut)}
        for up_to, haircut in (tier.split(":") for tier in pairs.pop("collateral", "").split(",") if tier)
    ]
    spec = {"symbol": symbol, "product": product, "collateral": collateral} | _margin(pairs)
    return {"instrument": spec | {"terms": _terms(pairs, 1_000_000)}}


def _margin(pairs: dict[str, str]) -> dict[str, Any]:
    """`tiers=1000:20%:10%,5000:50%:25%` (from, initial, maintenance) and `open_interest=1000..9000`."""
    tiers, bounds = pairs.pop("tiers", ""), pairs.pop("open_interest", "")
    if not tiers and not bounds:
        return {}
    margin: dict[str, Any] = {"tiers": [], "open_interest_scaling": None}
    for tier in filter(None, tiers.split(",")):
        start, initial, maintenance = tier.split(":")
        margin["tiers"].append(
            {"notional_from": start, "initial_ppm": ppm(initial), "maintenance_ppm": ppm(maintenance)}
        )
    if bounds:
        lower, upper = bounds.split("..")
        margin["open_interest_scaling"] = {"lower": lower, "upper": upper}
    return {"margin": margin}


def _spec(kind: str, symbol: str, pairs: dict[str, str], assets: dict[str, int]) -> dict[str, Any]:
    match kind:
        case "asset":
            return {"asset": {"symbol": symbol, "decimals": int(pairs.pop("decimals", "2"))}}
        case "venue":
            return {"venue": {"symbol": symbol, "fees": _fees(pairs) if pairs else None}}
        case "spot":
            base, quote = (
                int(text[1:]) if text.startswith("#") else assets[text]
                for text in (pairs.pop("base"), pairs.pop("quote"))
            )
            per_lot = int(pairs.pop("lot_atoms", "1"))
            product: dict[str, Any] = {
                "spot": {"base": base, "quote": quote, "base_atoms_per_lot": per_lot},
            }
            return _instrument(symbol, product, pairs)
        case "perpetual":
            product = {
                "perpetual": {
                    "initial_margin_ppm": ppm(pairs.pop("im", "10%")),
                    "maintenance_margin_ppm": ppm(pairs.pop("mm", "5%")),
                }
            }
            return _instrument(symbol, product, pairs)
        case _:
            unit = int(pairs.pop("unit", "100"))
            outcomes = [{"symbol": name, "name": name} for name in pairs.pop("outcomes").split(",") if name]
            return {
                "question": {
                    "symbol": symbol,
                    "text": pairs.pop("text", "which"),
                    "outcomes": outcomes,
                    "ticks_per_unit": unit,
                    "terms": _terms(pairs, unit - 1),
                }
            }


def _fees(pairs: dict[str, str]) -> dict[str, int]:
    return {"maker_ppm": ppm(pairs.pop("maker", "0")), "taker_ppm": ppm(pairs.pop("taker", "0"))}


def _terms(pairs: dict[str, str], price_max: int) -> dict[str, Any]:
    shares = dict.fromkeys(("protocol", "deployer", "venue", "insurance"), 0)
    for part in pairs.pop("split", "protocol:100%").split(","):
        name, share = part.split(":")
        assert name in shares, f"{name!r} has no share"
        shares[name] = ppm(share)
    return {
        "quote_atoms_per_tick_lot": int(pairs.pop("k", "1")),
        "tick_size": pairs.pop("tick", "1"),
        "lot_size": pairs.pop("lot", "1"),
        "price_max_ticks": int(pairs.pop("price_max", price_max)),
        "qty_min_lots": int(pairs.pop("qty_min", "1")),
        "qty_max_lots": int(pairs.pop("qty_max", "1_000_000")),
        "notional_min": str(int(pairs.pop("notional_min", "0"))),
        "notional_max": str(int(pairs.pop("notional_max", "1_000_000_000_000_000"))),
        "position_max_lots": int(pairs.pop("position_max", "1_000_000")),
        "orders_per_account_max": int(pairs.pop("orders_max", "100")),
        "band_ppm": ppm(pairs.pop("band", "0")),
        "fees": _fees(pairs),
        "split": {f"{name}_ppm": share for name, share in shares.items()},
        "matching": pairs.pop("matching", "arrival"),
    }
