"""What the demonstration tells at its end: one JSON document, or tables for a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .draws import Flags
from .netting import Basket, Collateral
from .tournament_markets import ATOMS_PER_TICK_LOT, INSTRUMENTS_MAX, OUTCOME, OWN_SYMBOL, PERPETUAL, SPOT
from .venues import VENUES

if TYPE_CHECKING:
    from rich.console import Console

    from .demo import Played
    from .proofs import Proof

_CRYPTO_ATOMS_PER_TICK_LOT = 10
_ATOMS = 1_000_000
_FAMILIES = {"champion": "champion", "group winners": "group_winner.", "matches": "match."}
_PAIRS = {"spot": SPOT, "perpetuals": PERPETUAL}


def money(atoms: int) -> str:
    """Atoms of the settlement asset as whole units."""
    return f"{atoms // _ATOMS}.{atoms % _ATOMS:06d}" if atoms >= 0 else f"-{money(-atoms)}"


def content(played: Played, proofs: list[Proof], picture: str | None, directory: str) -> dict[str, Any]:
    """Everything as one JSON object. Amounts are text in whole USD."""
    tape = played.tape
    markets = {name: _market(played, here) for name, here in _markets(played).items()}
    everything = _market(played, played.listings.product > 0)
    sent = sum(tape.commands.values())
    peak = played.netting.peak
    return {
        "seed": played.seed,
        "size": played.size,
        "directory": directory,
        "picture": picture,
        "champion": played.facts.champion,
        "accounts": played.population.count,
        "instruments": played.listings.count,
        "questions": len(played.listings.number),
        "questions_resolved": played.resolved,
        "market_files": len(played.listings.files),
        "commands": sent,
        "commands_by_kind": dict(sorted(tape.commands.items())),
        "frames": played.frames,
        "events": tape.events,
        "orders": int(tape.orders_by_instrument.sum()),
        "trades": tape.trades,
        "markets": markets,
        "volume_usd": everything["volume_usd"],
        "fees_usd": everything["fees_usd"],
        "rebates_usd": everything["rebates_usd"],
        "payouts_usd": money(tape.payouts_atoms),
        "rejects": dict(sorted(tape.rejects.items())),
        "collateral": {
            "at_peak": _collateral(peak),
            "mean_saved_usd": money(played.netting.mean_saved),
            "samples": len(played.netting.samples),
            "basket": _basket(played.netting.basket),
        },
        "accounts_by_venue": dict(zip(VENUES, played.accounts_by_venue, strict=True)),
        "orders_that_passed_liquidity": tape.skips,
        "dispute": {
            "question": played.dispute.symbol,
            "timeline": list(played.dispute.timeline),
            "paying": played.dispute.paying,
            "pool_usd": f"{played.dispute.pool:f}",
            "proposer_lost_usd": f"{played.dispute.proposer_lost:f}",
        },
        "house": played.house,
        "conservation": played.conservation,
        "state_hash": played.state_hash,
        "proofs": {proof.name: {"holds": proof.holds, "found": proof.found} for proof in proofs},
        "proven": all(proof.holds for proof in proofs),
        "seconds_in_engine": round(played.submit_seconds, 3),
        "seconds": round(played.total_seconds, 3),
        "commands_per_second": int(sent / max(played.submit_seconds, 1e-9)),
        "commands_per_second_end_to_end": int(sent / max(played.total_seconds, 1e-9)),
    }


def _markets(played: Played) -> dict[str, Flags]:
    """Which instruments belong to a line of the table."""
    listings = played.listings
    found = {name: listings.product == product for name, product in _PAIRS.items()}
    own = np.arange(INSTRUMENTS_MAX) == listings.perpetual[OWN_SYMBOL]
    found |= {"perpetuals": found["perpetuals"] & ~own, "goals, own": own}
    families = {}
    for name, prefix in _FAMILIES.items():
        here = np.zeros(INSTRUMENTS_MAX, np.bool_)
        for key in listings.number:
            if key.startswith(prefix):
                here[listings.range_of(key)] = True
        families[name] = here
    return families | found


def _market(played: Played, here: Flags) -> dict[str, Any]:
    tape, product = played.tape, played.listings.product
    atoms = np.where(product == OUTCOME, ATOMS_PER_TICK_LOT, _CRYPTO_ATOMS_PER_TICK_LOT)
    return {
        "questions": len(np.unique(played.listings.question[here & (product == OUTCOME)])),
        "instruments": int(here.sum()),
        "orders": int(tape.orders_by_instrument[here].sum()),
        "trades": int(tape.trades_by_instrument[here].sum()),
        "volume_usd": money(int((tape.volume_by_instrument * atoms)[here].sum())),
        "fees_usd": money(int(tape.fees_by_instrument[here].sum())),
        "rebates_usd": money(int(tape.rebates_by_instrument[here].sum())),
    }


def _collateral(sample: Collateral) -> dict[str, Any]:
    return {
        "time_ns": sample.time_ns,
        "netted_usd": money(sample.netted),
        "full_usd": money(sample.full),
        "saved_usd": money(sample.saved),
        "saved_percent": round(100 * sample.saved / max(sample.full, 1), 1),
    }


def _basket(basket: Basket | None) -> dict[str, Any] | None:
    if basket is None:
        return None
    return {
        "account": basket.account,
        "question": basket.question,
        "short_outcomes": basket.short_outcomes,
        **_collateral(basket.collateral),
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Tables for a reader."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    markets = Table(
        title="The 2026 World Cup on Exchange OS",
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for name in ("", "questions", "markets", "orders", "trades", "volume USD", "fees USD"):
        markets.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name, row in found["markets"].items():
        markets.add_row(name, *_cells(row))
    markets.add_section()
    markets.add_row("all", *_cells(found))
    console.print(markets)

    lines = _lines(found)
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        console.print(Text(name.ljust(width + 2), style="dim") + Text(text, style="default"), soft_wrap=True)
    for name, proof in found["proofs"].items():
        mark = Text("holds ", style="green") if proof["holds"] else Text("FAILS ", style="bold red")
        console.print(mark + Text(f"{name}: {proof['found']}", style="default"), soft_wrap=True)


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    peak = found["collateral"]["at_peak"]
    kinds = ", ".join(f"{name} {count:,}" for name, count in found["commands_by_kind"].items())
    lines = {
        "seed and size": f"{found['seed']}, {found['size']:g}",
        "accounts": f"{found['accounts']:,}, one margin account each",
        "market files": f"{found['market_files']} in {found['directory']}/markets, like any user's",
        "commands": f"{found['commands']:,} in {found['frames']:,} frames: {kinds}",
        "rejected": ", ".join(f"{name} {count:,}" for name, count in found["rejects"].items()) or "none",
        "rebates": f"{_whole(found['rebates_usd'])} USD of the fees went to makers",
        "paid out": f"{_whole(found['payouts_usd'])} USD to the holders of winning outcomes",
        "collateral, peak": f"{_whole(peak['netted_usd'])} USD with netting, "
        f"{_whole(peak['full_usd'])} USD at full collateral per outcome",
        "saved by netting": f"{_whole(peak['saved_usd'])} USD, {peak['saved_percent']} %",
    }
    if basket := found["collateral"]["basket"]:
        lines["a basket"] = (
            f"account {basket['account']} is short {basket['short_outcomes']} outcomes of "
            f"{basket['question']}: {_whole(basket['netted_usd'])} USD, "
            f"not {_whole(basket['full_usd'])} USD"
        )
    doors = ", ".join(f"{name} {count}" for name, count in found["accounts_by_venue"].items())
    lines["venues"] = f"{doors} accounts on the same books; licensed asks for the class kyc"
    lines["own market"] = "GOALS-PERP stands at corner alone; orders through another venue are refused"
    dispute = found["dispute"]
    lines["a dispute"] = (
        f"{dispute['question']}: {', '.join(dispute['timeline'])}; pays {dispute['paying']},"
        f" the wrong proposer lost {_whole(dispute['proposer_lost_usd'])} USD,"
        f" {dispute['pool_usd']} left in the pool"
    )
    if books := found.get("books"):
        for name, venue in books["venues"].items():
            shared, alone = venue["shared"], venue["separate"]
            lines[f"shared book, {name}"] = (
                f"both sides {shared['two_sided_percent']:.0f} % of the time, alone"
                f" {alone['two_sided_percent']:.0f} %; spread then {shared['spread_ticks']:.1f} ticks,"
                f" alone {alone['spread_ticks']:.1f}; {shared['depth_usd']:,.0f} USD within 2 cents,"
                f" alone {alone['depth_usd']:,.0f}; filled {shared['filled_percent']:.0f} %,"
                f" alone {alone['filled_percent']:.0f} %"
            )
        if books["picture"]:
            lines["shared book, drawn"] = books["picture"]
    for asset, total in found["conservation"].items():
        lines[f"conservation {asset}"] = f"users + house = {total}"
    lines["state hash"] = found["state_hash"]
    lines["commands/s"] = (
        f"{found['commands_per_second']:,} in durable submits ({found['seconds_in_engine']:.1f} s), "
        f"{found['commands_per_second_end_to_end']:,} with all traders ({found['seconds']:.1f} s)"
    )
    lines["picture"] = found["picture"] or "none: matplotlib is not installed (exchange-os[plots])"
    return list(lines.items())


def _cells(row: dict[str, Any]) -> list[str]:
    counts = [f"{row[name]:,}" for name in ("questions", "instruments", "orders", "trades")]
    return [*counts, _whole(row["volume_usd"]), _whole(row["fees_usd"])]


def _whole(text: str) -> str:
    return f"{int(text.partition('.')[0]):,}"
