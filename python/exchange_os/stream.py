"""Subscriptions: the events of every call as arrays, handed to a callback, a queue or whoever asks."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from exchange_os._core import EventKind
from exchange_os.bounds import each, index, whole
from exchange_os.errors import InvalidArgument
from exchange_os.records import Events

if TYPE_CHECKING:
    import numpy.typing as npt


class EventQueue(Protocol):
    """What a subscription needs of a queue; `queue.Queue` has it."""

    def put_nowait(self, item: Events, /) -> None: ...


Target: TypeAlias = Callable[[Events], object] | EventQueue | None

# In these kinds the field `instrument` names an asset or a question.
_NOT_INSTRUMENT = (
    EventKind.DEPOSITED,
    EventKind.WITHDRAWN,
    EventKind.TRANSFERRED,
    EventKind.SET_SPLIT,
    EventKind.SET_MERGED,
    EventKind.QUESTION_RESOLVED,
    EventKind.PAYOUT,
    EventKind.ASSET_DEPLOYED,
    EventKind.VENUE_DEPLOYED,
    EventKind.QUESTION_DEPLOYED,
    EventKind.PUBLISHER_DEPLOYED,
    EventKind.UNDERLYING_DEPLOYED,
)


class Filter:
    """Which events a subscriber wants; nothing given means all."""

    def __init__(
        self,
        kinds: Iterable[EventKind | str] | None,
        accounts: Iterable[int] | None,
        instruments: Iterable[int] | None,
    ) -> None:
        self.kinds = (
            None if kinds is None else np.array([_kind(kind) for kind in each("kinds", kinds)], np.uint16)
        )
        self.accounts = None
        if accounts is not None:
            self.accounts = np.array([whole("account", a) for a in each("accounts", accounts)], np.uint32)
        self.instruments = None if instruments is None else np.array(list(instruments), np.uint32)

    def apply(self, events: Events) -> Events:
        """The wanted events, in order. An account wants a trade from either side."""
        wanted: npt.NDArray[np.bool_] | None = None
        if self.kinds is not None:
            wanted = np.isin(events["kind"], self.kinds)
        if self.accounts is not None:
            made = (events["kind"] == EventKind.TRADE) & np.isin(events["counter_account"], self.accounts)
            own = np.isin(events["account"], self.accounts) | made
            wanted = own if wanted is None else wanted & own
        if self.instruments is not None:
            here = np.isin(events["instrument"], self.instruments)
            here &= ~np.isin(events["kind"], np.array(_NOT_INSTRUMENT, np.uint16))
            wanted = here if wanted is None else wanted & here
        return events if wanted is None else events[wanted]


class Subscription:
    """A place to which events go until it is closed.

    Without a target the arrays wait here, at most `kept_max` of them, the oldest leaving first (`lost` counts
    them); iterating takes them out. A target that raises, such as a full queue, is cut off: the subscription
    closes, `error` says why and a RuntimeWarning is given. The commands themselves are not affected.
    """

    def __init__(self, target: Target, wanted: Filter, kept_max: int) -> None:
        if target is None:
            self._deliver: Callable[[Events], object] = self._keep
        elif callable(target):
            self._deliver = target
        elif hasattr(target, "put_nowait"):
            self._deliver = target.put_nowait
        else:
            raise InvalidArgument(f"a {type(target).__name__} is neither a callable nor a queue")
        self._filter = wanted
        self._kept: deque[Events] = deque()
        self._kept_max = whole("kept_max", kept_max)
        self.lost = 0
        self.closed = False
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Events]:
        """Takes out what has come since; ends when nothing is left."""
        while self._kept:
            yield self._kept.popleft()

    def close(self) -> None:
        """Nothing comes any more; what waits here can still be taken."""
        self.closed = True

    def offer(self, events: Events) -> None:
        """Hands over the wanted ones of some events."""
        if self.closed:
            return
        events = self._filter.apply(events)
        if not len(events):
            return
        try:
            self._deliver(events)
        except Exception as error:  # noqa: BLE001 - whatever a subscriber does, the exchange goes on
            self.closed = True
            self.error = error
            warnings.warn(f"a subscriber was cut off: {error!r}", RuntimeWarning, stacklevel=2)

    def _keep(self, events: Events) -> None:
        self._kept.append(events)
        while len(self._kept) > self._kept_max:
            self.lost += len(self._kept.popleft())


def _kind(kind: EventKind | str) -> EventKind:
    if isinstance(kind, str):
        found = EventKind.__members__.get(kind.upper())
        if found is None:
            names = ", ".join(name.lower() for name in EventKind.__members__)
            raise InvalidArgument(f"{kind!r} is no kind of event, expected one of {names}")
        return found
    number = index("kind", kind)
    if number not in EventKind.__members__.values():
        raise InvalidArgument(f"{number} is the number of no kind of event")
    return EventKind(number)
