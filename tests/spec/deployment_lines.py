"""Deployments as one line each, and their MessagePack bodies."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from governance_words import phases_of, terms_of, update_of
from resolution_words import resolution_of
from vote_words import act_of

ON_QUESTIONS = {"split_set", "merge_set", "resolve_question", "challenge_resolution", "void_question"}
"""Commands whose instrument field holds a question."""


class Numbers(NamedTuple):
    """What deployments call by number."""

    assets: dict[str, int]
    publishers: dict[str, int]
    questions: dict[str, int]
    classes: tuple[str, ...]
    accounts: dict[str, int]
    time_ns: int
    instruments: dict[str, int]
    venues: dict[str, int]


def numbered(symbols: Sequence[str]) -> dict[str, int]:
    """Each with its number, from 1."""
    return {symbol: number for number, symbol in enumerate(symbols, 1)}


def ppm(text: str) -> int:
    """`500` is 500 ppm, `0.05%` the same."""
    if not text.endswith("%"):
        return int(text)
    parts = Decimal(text.removesuffix("%")) * 10_000
    assert parts == int(parts), f"{text} is finer than one ppm"
    return int(parts)


def body_of(words: tuple[str, ...], numbers: Numbers) -> bytes:
    """The bytes of the deployment that a line describes."""
    kind = words[0]
    if kind == "bytes":
        return bytes.fromhex(words[1])
    if kind == "limits":
        given = {name: int(value) for name, value in _pairs(words[1:]).items()}
        return msgspec.msgpack.encode({"genesis": given})
    if kind == "governance":
        pairs = _pairs(words[1:])
        body = {"governance": terms_of(pairs, numbers.assets, numbers.accounts, ppm)}
        assert not pairs, f"not known here: {', '.join(pairs)}"
        return msgspec.msgpack.encode(body)
    if kind == "act":
        return msgspec.msgpack.encode(act_of(words[1:], numbers, _pairs, _spec, ppm))
    if kind == "update":
        return msgspec.msgpack.encode(update_of(words[1:], numbers, _pairs, _spec))
    symbol = "" if words[1] == '""' else words[1]
    pairs = _pairs(words[2:])
    deployer = pairs.pop("deployer", None)
    spec = _spec(kind, symbol, pairs, numbers)
    if deployer is not None:
        spec = {"deploy_as": {"account": _number(deployer, numbers.accounts), "market": spec}}
    assert not pairs, f"not known here: {', '.join(pairs)}"
    return msgspec.msgpack.encode(spec)


def _pairs(words: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        found[name] = value
    return found


def _instrument(
    symbol: str, product: dict[str, Any], pairs: dict[str, str], numbers: Numbers
) -> dict[str, Any]:
    """What spot instruments and perpetuals may say, in its place or not."""
    collateral = [
        {"up_to_lots": int(up_to), "haircut_ppm": ppm(haircut)}
        for up_to, haircut in (tier.split(":") for tier in pairs.pop("collateral", "").split(",") if tier)
    ]
    spec = {"symbol": symbol, "product": product, "collateral": collateral} | _margin(pairs)
    spec |= _oracle(pairs, numbers.publishers) | _funding(pairs) | _liquidation(pairs, numbers.assets)
    spec |= _halt(pairs)
    if "conversion" in pairs:
        spec["conversion_slippage_ppm"] = ppm(pairs.pop("conversion"))
    if pairs.pop("margin_mode", "cross") == "isolated":
        spec["isolated_only"] = True
    return {"instrument": spec | {"terms": _terms(pairs, 1_000_000, numbers.time_ns)}}


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


def _oracle(pairs: dict[str, str], publishers: dict[str, int]) -> dict[str, Any]:
    """`oracle=FOX:2,OWL:1`: the sources with their weights; the other terms by name."""
    if "oracle" not in pairs:
        return {}
    sources = []
    for part in filter(None, pairs.pop("oracle").split(",")):
        name, _, weight = part.partition(":")
        sources.append({"publisher": _number(name, publishers), "weight": int(weight or 1)})
    terms = {
        "sources": sources,
        "sources_min": int(pairs.pop("sources_min", "1")),
        "stale_after_ms": int(pairs.pop("stale_after_ms", "10_000")),
        "deviation_ppm": ppm(pairs.pop("deviation", "5%")),
        "step_max_ppm": ppm(pairs.pop("step_max", "0")),
        "mark_band_ppm": ppm(pairs.pop("mark_band", "5%")),
        "reopen_ms": int(pairs.pop("reopen_ms", "10_000")),
    }
    return {"oracle": terms}


def _funding(pairs: dict[str, str]) -> dict[str, Any]:
    """`funding=8h` and its other terms, rates in 1e-12."""
    if "funding" not in pairs:
        return {}
    terms = {
        "interval_h": int(pairs.pop("funding").removesuffix("h")),
        "interest": int(pairs.pop("interest", "100_000_000")),
        "clamp": int(pairs.pop("clamp", "500_000_000")),
        "cap": int(pairs.pop("cap", "40_000_000_000")),
        "impact_notional": str(int(pairs.pop("impact", "1_000"))),
        "sample_s": int(pairs.pop("sample_s", "5")),
    }
    return {"funding": terms}


def _halt(pairs: dict[str, str]) -> dict[str, Any]:
    """`halt=10%` and its times in seconds."""
    if "halt" not in pairs:
        return {}
    terms = {
        "move_ppm": ppm(pairs.pop("halt")),
        "window_s": int(pairs.pop("window_s", "60")),
        "pause_s": int(pairs.pop("pause_s", "60")),
        "post_only_s": int(pairs.pop("post_only_s", "10")),
    }
    return {"halt": terms}


def _liquidation(pairs: dict[str, str], assets: dict[str, int]) -> dict[str, Any]:
    """`liquidation=ladder`, `full` or `growing` and its other terms; what is left out has its default."""
    if "liquidation" not in pairs:
        return {}
    terms: dict[str, Any] = {"policy": pairs.pop("liquidation")}
    names = {
        "slice": ("slice_ppm", ppm),
        "full_below": ("full_below", _atoms),
        "cooldown_ms": ("cooldown_ms", int),
        "liquidation_fee": ("fee_ppm", ppm),
        "backstop": ("backstop_ppm", ppm),
        "draw_max": ("insurance_draw_max", _atoms),
    }
    terms |= {field: read(pairs.pop(name)) for name, (field, read) in names.items() if name in pairs}
    if "growth" in pairs:
        duration, initial, small = pairs.pop("growth").split(":")
        terms["growth"] = {
            "duration_s": int(duration),
            "initial_ppm": ppm(initial),
            "small_shortage": _atoms(small),
        }
    if "spread" in pairs:
        terms |= {"price": "fillable", "spread_ppm": ppm(pairs.pop("spread"))}
    if "tranche" in pairs:
        account, cap = pairs.pop("tranche").split(":")
        terms["tranche"] = {"account": int(account), "notional_max": _atoms(cap)}
    if "hedge" in pairs:
        asset, atoms = pairs.pop("hedge").split(":")
        terms["hedge"] = {"asset": _number(asset, assets), "atoms_per_lot": int(atoms)}
    return {"liquidation": terms}


def _atoms(text: str) -> str:
    return str(int(text))


def _number(text: str, numbers: dict[str, int]) -> int:
    return int(text[1:]) if text.startswith("#") else numbers[text]


def _spec(kind: str, symbol: str, pairs: dict[str, str], numbers: Numbers) -> dict[str, Any]:
    match kind:
        case "asset":
            asset = {"symbol": symbol, "decimals": int(pairs.pop("decimals", "2"))}
            debt = {name: pairs.pop(name) for name in ("debt_max", "debt_interest_ppm") if name in pairs}
            if "debt_interest_ppm" in debt:
                debt["debt_interest_ppm"] = int(debt["debt_interest_ppm"])
            return {"asset": asset | debt}
        case "venue":
            return _venue(symbol, pairs, numbers)
        case "class":
            counterparty = pairs.pop("counterparty", None) is not None
            return {"class": {"symbol": symbol, "counterparty": counterparty}}
        case "publisher":
            return {"publisher": {"symbol": symbol, "key": pairs.pop("key", "0" * 64)}}
        case "spot":
            base, quote = (_number(text, numbers.assets) for text in (pairs.pop("base"), pairs.pop("quote")))
            per_lot = int(pairs.pop("lot_atoms", "1"))
            product: dict[str, Any] = {
                "spot": {"base": base, "quote": quote, "base_atoms_per_lot": per_lot},
            }
            return _instrument(symbol, product, pairs, numbers)
        case "perpetual":
            product = {
                "perpetual": {
                    "initial_margin_ppm": ppm(pairs.pop("im", "10%")),
                    "maintenance_margin_ppm": ppm(pairs.pop("mm", "5%")),
                }
            }
            return _instrument(symbol, product, pairs, numbers)
        case "outcome":
            question = _number(pairs.pop("question"), numbers.questions)
            return {"add_outcome": {"question": question, "symbol": symbol, "name": symbol}}
        case "settle" | "propose" | "decide":
            name = {"settle": "settle_question"}.get(kind, f"{kind}_resolution")
            return {name: _payouts(symbol, pairs, numbers)}
        case "underlying":
            return {"underlying": _underlying(symbol, pairs, numbers)}
        case _:
            unit = int(pairs.pop("unit", "100"))
            outcomes = [{"symbol": name, "name": name} for name in pairs.pop("outcomes").split(",") if name]
            resolution = resolution_of(pairs, len(outcomes), numbers.accounts, numbers.time_ns)
            if "any_other" in pairs:
                name = pairs.pop("any_other")
                places = {outcome["symbol"]: place for place, outcome in enumerate(outcomes)}
                any_other = int(name) if name.isdigit() else places[name]
                most = int(pairs.pop("outcomes_max", "8"))
                resolution["later"] = {"any_other": any_other, "outcomes_max": most}
            return {
                "question": {
                    "symbol": symbol,
                    "text": pairs.pop("text", "which"),
                    "outcomes": outcomes,
                    "ticks_per_unit": unit,
                    "implied": pairs.pop("implied", "no") == "yes",
                    "link": _link(pairs, numbers),
                    "terms": _terms(pairs, unit - 1, numbers.time_ns),
                }
                | resolution
            }


def _rule(pairs: dict[str, str], names: tuple[str, str], classes: tuple[str, ...]) -> dict[str, int]:
    """What is required, and what is forbidden."""
    masks = (class_mask(pairs.pop(name, ""), classes) for name in names)
    return dict(zip(("requires", "forbids"), masks, strict=True))


def class_mask(text: str, classes: tuple[str, ...]) -> int:
    """Names of classes with commas between them, or `#5`: a bit each."""
    if text.startswith("#"):
        return int(text[1:])
    return sum(1 << classes.index(name) for name in text.split(",") if name)


def _payouts(question: str, pairs: dict[str, str], numbers: Numbers) -> dict[str, Any]:
    shares = [ppm(share) for share in pairs.pop("payouts").split(",") if share]
    by = pairs.pop("by", "0")
    account = int(by) if by.isdecimal() else numbers.accounts[by]
    return {"question": _number(question, numbers.questions), "account": account, "payouts_ppm": shares}


def _underlying(symbol: str, pairs: dict[str, str], numbers: Numbers) -> dict[str, Any]:
    """`instruments=BTC,ETH scenarios=-16%:100%,50%:32% maintenance=50% floor=1% width=2%`."""
    names = filter(None, pairs.pop("instruments").split(","))
    scenarios = pairs.pop("scenarios", "-16%:100%,-8%:100%,8%:100%,16%:100%").split(",")
    shocks = (scenario.split(":") for scenario in scenarios if scenario)
    return {
        "symbol": symbol,
        "instruments": [_number(name, numbers.instruments) for name in names],
        "scenarios": [{"shock_ppm": ppm(shock), "weight_ppm": ppm(weight)} for shock, weight in shocks],
        "maintenance_ppm": ppm(pairs.pop("maintenance", "50%")),
        "floor_ppm": ppm(pairs.pop("floor", "1%")),
        "width_ppm": ppm(pairs.pop("width", "2%")),
    }


def _link(pairs: dict[str, str], numbers: Numbers) -> dict[str, Any] | None:
    """`underlying=1 reference=BTC ranges=0..100,100..1000001`."""
    if "reference" not in pairs:
        return None
    ranges = (part.split("..") for part in pairs.pop("ranges", "").split(",") if part)
    return {
        "underlying": int(pairs.pop("underlying", "1")),
        "instrument": _number(pairs.pop("reference"), numbers.instruments),
        "ranges": [{"low": int(low), "high": int(high)} for low, high in ranges],
    }


def _venue(symbol: str, pairs: dict[str, str], numbers: Numbers) -> dict[str, Any]:
    rules = {
        "admission": _rule(pairs, ("requires", "forbids"), numbers.classes),
        "counterparty": _rule(pairs, ("counterparty_requires", "counterparty_forbids"), numbers.classes),
    }
    business: dict[str, Any] = {"fees_to": int(pairs.pop("fees_to", "0"))}
    if "lists" in pairs:
        business["lists"] = [int(number) for number in pairs.pop("lists").split(",") if number]
    business["simulated"] = pairs.pop("simulated", None) is not None
    if "tiers" in pairs:
        business["tiers"] = [_tier(tier) for tier in pairs.pop("tiers").split(",")]
    fees = _fees(pairs) if pairs else None
    return {"venue": {"symbol": symbol, "fees": fees, **rules, **business}}


def _tier(text: str) -> dict[str, Any]:
    volume, maker, taker = text.split(":")
    return {"volume_from": volume, "maker_ppm": ppm(maker), "taker_ppm": ppm(taker)}


def _fees(pairs: dict[str, str]) -> dict[str, int]:
    return {f"{name}_ppm": ppm(pairs.pop(name, "0")) for name in ("maker", "taker", "ceiling")}


def _terms(pairs: dict[str, str], price_max: int, now_ns: int) -> dict[str, Any]:
    shares = dict.fromkeys(("protocol", "deployer", "venue", "insurance", "referrer"), 0)
    parts = pairs.pop("split", "protocol:100%").split(",")
    receipts = "receipts" in parts
    for part in parts[: len(parts) - receipts]:
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
        "split": {f"{name}_ppm": share for name, share in shares.items()} | {"receipts": receipts},
        "matching": pairs.pop("matching", "arrival"),
        "fees_to": int(pairs.pop("fees_to", "0")),
        "venue": int(pairs.pop("own_venue", "0")),
        "phases": phases_of(pairs, now_ns),
    }
