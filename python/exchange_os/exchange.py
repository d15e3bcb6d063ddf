"""The embedded exchange: the engine in this process, in memory or over a directory."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from exchange_os import _core
from exchange_os._core import EventKind
from exchange_os.admission import AdmissionMethods
from exchange_os.auctions import AuctionMethods
from exchange_os.bounds import directory_text, each, flag, limit_value, mapping, whole, whole_or_none
from exchange_os.directory import Directory, read
from exchange_os.errors import InvalidArgument
from exchange_os.fees import FeeMethods
from exchange_os.markets.lint import rehearse
from exchange_os.markets.load import Loaded, load, refusal
from exchange_os.markets.spec import LIMIT_DEFAULTS
from exchange_os.markets.to_commands import Plan, brought, plan
from exchange_os.questions import QuestionMethods
from exchange_os.records import Commands, Events, checked, events_from_bytes
from exchange_os.stream import Filter, Subscription, Target
from exchange_os.triggers import TriggerMethods
from exchange_os.views import Views
from exchange_os.voting import VotingMethods

if TYPE_CHECKING:
    from typing import Self


class _Directory:
    """Reads what stands when it is first asked for, and again after a deployment has dropped it."""

    def __get__(self, exchange: Exchange, owner: type[Exchange]) -> Directory:
        with exchange._publishing:  # a deployment meanwhile must not leave the old one behind
            found = read(exchange._core.specification(), exchange._core.sequence() == 0)
            exchange.__dict__["_directory"] = found
            return found


class Exchange(
    QuestionMethods,
    VotingMethods,
    AuctionMethods,
    FeeMethods,
    TriggerMethods,
    AdmissionMethods,
    Views,
):
    """One exchange. Every method may be called from any thread; calls run one after the other.

    Numbers are whole units as `Decimal`, int or text and never floats; a value finer than tick, lot or atom
    is refused. Time is stamped by the log unless `time_ns` is given, and never goes backwards.
    """

    _directory = _Directory()

    def __init__(self, core: _core.Exchange) -> None:
        """Use `Exchange.open`."""
        self._core = core
        self._subscriptions: tuple[Subscription, ...] = ()
        self._publishing = threading.RLock()
        self._delivering = False

    @classmethod
    def open(
        cls,
        path: str | PathLike[str] | None = None,
        *,
        durable: bool = True,
        limits: dict[str, int] | None = None,
        events_kept_max: int = 16_384,
        trades_kept_max: int = 65_536,
        snapshot_every_commands: int | None = None,
        segment_bytes: int | None = None,
    ) -> Self:
        """An exchange over the directory `path`, which is created if missing; in memory if there is no path.

        Over a directory every answer is durable before it is given; `durable=False` leaves that to the
        operating system: a power cut may lose the newest answers. A new exchange declares `limits`.
        `events_kept_max` and `trades_kept_max` bound what `events` and `trades` can look back on.
        """
        return cls(
            _core.Exchange.open(
                None if path is None else directory_text(path),
                None if limits is None else _limits(limits),
                flag("durable", durable),
                whole("events_kept_max", events_kept_max),
                whole("trades_kept_max", trades_kept_max),
                whole_or_none("snapshot_every_commands", snapshot_every_commands),
                whole_or_none("segment_bytes", segment_bytes),
            )
        )

    def close(self) -> None:
        """Closes the directory. Everything but `close` raises `Closed` afterwards."""
        self._core.close()

    @property
    def closed(self) -> bool:
        return self._core.closed()

    def snapshot(self) -> None:
        """Writes a snapshot, so that the next start replays less."""
        self._core.snapshot()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- deployments ---

    def deploy(
        self, market_file: str | PathLike[str] | Loaded, *, account: int = 0, time_ns: int | None = None
    ) -> Plan:
        """Deploys what a market file asks for and what does not stand yet with the same terms.

        Nothing is sent if the file has an error. Returns what was deployed (`missing`) and what stood before
        (`standing`). `account`: the deployer who brings its instruments, questions and venues with a stake;
        0: the operator.
        """
        loaded = market_file if isinstance(market_file, Loaded) else load(market_file)
        # A change may have taken effect since it was read.
        self.__dict__.pop("_directory", None)
        planned = plan(loaded, self._directory.standing)
        problems = planned.problems
        if not problems and planned.missing:
            problems = rehearse(loaded, planned.missing, self._directory.standing)
        if problems:
            raise refusal(problems)
        for deployment in planned.missing:
            self.deploy_body(brought(deployment, whole("account", account)), time_ns=time_ns)
        return planned

    # --- batches ---

    def submit(self, batch: Commands, *, time_ns: int | None = None) -> Events:
        """A batch of commands as a numpy array of dtype `COMMAND`; all their events, in order of execution.

        The batch becomes frames of at most `frame_commands_max` commands. Rejects are events, not exceptions.
        """
        checked(batch)
        if not len(batch):
            return events_from_bytes(b"")
        frame_max = self._directory.limits["frame_commands_max"]
        if len(batch) <= frame_max:
            return self._published(self._core.submit, batch.tobytes(), time_ns)
        frames = (batch[begin : begin + frame_max] for begin in range(0, len(batch), frame_max))
        return np.concatenate(
            [self._published(self._core.submit, frame.tobytes(), time_ns) for frame in frames]
        )

    # --- subscriptions ---

    def subscribe(
        self,
        target: Target = None,
        *,
        kinds: Iterable[EventKind | str] | None = None,
        accounts: Iterable[int] | None = None,
        instruments: Iterable[str | int] | None = None,
        kept_max: int = 1_024,
    ) -> Subscription:
        """The events of every later call as arrays: to a callable, to a queue, or kept until taken."""
        numbers = (
            None
            if instruments is None
            else [self._directory.market(name).number for name in each("instruments", instruments)]
        )
        subscription = Subscription(target, Filter(kinds, accounts, numbers), kept_max)
        self._attach(subscription)
        return subscription

    def _attach(self, subscription: Subscription) -> None:
        with self._publishing:
            if not self._subscriptions:
                self._core.publish(True)
            self._subscriptions = (*self._subscriptions, subscription)


def _limits(given: dict[str, int]) -> bytes:
    """All limits, those that are not given by default, as MessagePack."""
    limits = LIMIT_DEFAULTS.copy()
    for name, value in mapping("limits", given).items():
        if not isinstance(name, str) or name not in limits:
            raise InvalidArgument(f"no limit is named {name!r}; there are {', '.join(limits)}")
        limits[name] = limit_value(name, value)
    return msgspec.msgpack.encode(limits)
