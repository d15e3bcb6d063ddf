"""What is proven when the tournament is over: the money, the replay of the log, the reopened exchange."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from exchange_os import Error, Exchange, log

from .demo import Played


@dataclass(frozen=True, slots=True)
class Proof:
    """One statement, whether it holds, and what was found."""

    name: str
    holds: bool
    found: str


def prove(played: Played, folder: Path, advance: Callable[[int, int], object] | None = None) -> list[Proof]:
    """Everything the demonstration promises; `advance` hears how much of the log is replayed."""
    resolved, asked = played.resolved, len(played.listings.number)
    proofs = [
        Proof("questions resolved", resolved == asked, f"{resolved} of {asked}"),
        Proof(
            "conservation",
            all(float(total) == 0 for total in played.conservation.values()),
            ", ".join(f"{asset} {total}" for asset, total in played.conservation.items()),
        ),
        Proof(
            "who may not meet",
            played.forbidden == 0,
            f"{played.forbidden} trades between licensed and flagged accounts,"
            f" whose orders were passed {played.tape.skips:,} times",
        ),
    ]
    try:
        report = log.verify(folder, progress=advance)
    except Error as error:
        return [*proofs, Proof("replay", False, f"{type(error).__name__}: {error}")]
    sound = report.state_hash == played.state_hash and not report.bad_snapshots and report.torn_tail is None
    proofs.append(
        Proof(
            "replay",
            sound and report.from_sequence == 0,
            f"{report.commands:,} commands in {report.frames:,} frames from the beginning of the log, "
            f"{report.commands * 10**9 // max(report.elapsed_ns, 1):,} per second; "
            f"state {report.state_hash[:16]}, chain {report.chain_hash[:16]}",
        )
    )
    conserved = all(line.users_atoms + line.house_atoms == 0 for line in report.conservation)
    proofs.append(Proof("conservation after replay", conserved, f"{len(report.conservation)} assets"))
    proofs.append(_reopened(played, folder))
    return proofs


def _reopened(played: Played, folder: Path) -> Proof:
    begun = time.perf_counter()
    try:
        with Exchange.open(folder) as exchange:
            state_hash = exchange.state_hash
    except Error as error:
        return Proof("reopened", False, f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - begun
    same = "the same" if state_hash == played.state_hash else "another"
    return Proof("reopened", state_hash == played.state_hash, f"{same} state hash, in {seconds:.1f} s")
