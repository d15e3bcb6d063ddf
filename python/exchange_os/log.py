"""Reading the log of an exchange that nobody has open: verify, replay, inspect. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any, TypeAlias

import msgspec
import numpy as np

from exchange_os import _core
from exchange_os.bounds import directory_text, flag, whole, whole_or_none
from exchange_os.records import COMMAND, Commands, Events, events_from_bytes

Progress: TypeAlias = Callable[[int, int], object]
"""Hears how much is done, and of how much."""


class Conserved(msgspec.Struct, frozen=True):
    """The money of one asset, in atoms: what users and the house have adds up to zero."""

    asset: str
    users_atoms: int
    house_atoms: int


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification has proven: the chain of hashes, the replay, every snapshot, the money."""

    from_sequence: int
    sequence: int
    time_ns: int
    chain_hash: str
    state_hash: str
    segments: int
    frames: int
    commands: int
    events: int
    snapshots: list[int]
    bad_snapshots: list[str]
    bad_head: str | None
    head_missing: bool
    torn_tail: str | None
    accounts: int
    orders: int
    conservation: list[Conserved]
    elapsed_ns: int

    @property
    def damaged(self) -> list[str]:
        """Damaged files beside the log. The log itself is sound, and opening does without them."""
        return [*self.bad_snapshots, *([self.bad_head] if self.bad_head else [])]


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay did, and where it ended."""

    snapshot_sequence: int
    sequence: int
    time_ns: int
    chain_hash: str
    state_hash: str
    frames: int
    commands: int
    events: int
    elapsed_ns: int

    @property
    def commands_per_s(self) -> float:
        return self.commands * 1e9 / max(self.elapsed_ns, 1)


class LoggedFrame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of the log: `commands`, or the body of a `deployment`."""

    first_sequence: int
    count: int
    time_ns: int
    durable_sequence: int
    chain_hash: str
    file: str
    offset: int
    commands: Commands | None
    deployment: dict[str, Any] | None


def verify(
    path: str | PathLike[str], *, quick: bool = False, progress: Progress | None = None
) -> VerifyReport:
    """Replays a log from its beginning and compares everything with what was recorded on the way.

    `Corrupt` if the log is damaged; snapshots and the head beside it that are damaged stand in `damaged` of
    the report. `VerifyFailed` if files are sound but something does not agree. `quick` compares only the
    hashes of snapshots, not their bytes.
    """
    found = _hexed(_core.verify(directory_text(path), flag("quick", quick), progress))
    return VerifyReport(**{**found, "conservation": [Conserved(*line) for line in found["conservation"]]})


def replay(
    path: str | PathLike[str],
    *,
    from_sequence: int = 0,
    to_sequence: int | None = None,
    use_snapshots: bool = False,
    on_events: Callable[[Events], object] | None = None,
    progress: Progress | None = None,
) -> ReplayReport:
    """Executes a log again: the same commands, the same events, the same state hash.

    `on_events` gets the events of each frame from `from_sequence` on, as an array. `use_snapshots` begins
    with the newest snapshot before that.
    """
    hear = None if on_events is None else lambda data: on_events(events_from_bytes(data))
    first, last = whole("from_sequence", from_sequence), whole_or_none("to_sequence", to_sequence)
    found = _core.replay(
        directory_text(path), first, last, flag("use_snapshots", use_snapshots), hear, progress
    )
    return ReplayReport(**_hexed(found))


def inspect(
    path: str | PathLike[str], *, from_sequence: int = 1, to_sequence: int | None = None
) -> Iterator[LoggedFrame]:
    """The frames of a log in order, without executing them."""
    first = whole("from_sequence", from_sequence)
    last = 2**64 - 1 if to_sequence is None else whole("to_sequence", to_sequence)
    return map(_logged, _core.Inspector(directory_text(path), first, last))


def _logged(row: tuple[int, int, int, int, bytes, str, int, bool, bytes]) -> LoggedFrame:
    first, count, time_ns, durable, chain, file, offset, deploy, payload = row
    return LoggedFrame(
        first_sequence=first,
        count=count,
        time_ns=time_ns,
        durable_sequence=durable,
        chain_hash=chain.hex(),
        file=file,
        offset=offset,
        commands=None if deploy else np.frombuffer(payload, COMMAND),
        deployment=_deployment(payload) if deploy else None,
    )


def _deployment(body: bytes) -> dict[str, Any]:
    try:
        content = msgspec.msgpack.decode(body)
    except msgspec.DecodeError as error:
        return {"unreadable": str(error)}
    return content if isinstance(content, dict) else {"unreadable": repr(content)}


def _hexed(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in found.items()}
