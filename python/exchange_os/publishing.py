"""Sending commands and handing their events to subscribers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from exchange_os._core import EventKind
from exchange_os.bounds import whole_or_none
from exchange_os.errors import InvalidArgument
from exchange_os.records import Events, events_from_bytes, integers_128
from exchange_os.rejects import rejected

if TYPE_CHECKING:
    from exchange_os import _core
    from exchange_os.stream import Subscription


class Publishing:
    """What every way of sending shares."""

    _core: _core.Exchange
    _subscriptions: tuple[Subscription, ...]
    _publishing: threading.RLock
    _delivering: bool

    def _published(
        self, send: Callable[[bytes, int | None], bytes], data: bytes, time_ns: int | None
    ) -> Events:
        time_ns = whole_or_none("time_ns", time_ns)
        if not self._subscriptions:
            return events_from_bytes(send(data, time_ns))
        with self._publishing:
            events = events_from_bytes(send(data, time_ns))
            self._publish()
            return events

    def deploy_body(self, body: bytes, *, time_ns: int | None = None) -> Events:
        """One deployment, or another command with a long body, as MessagePack; its events, or `Rejected`."""
        if not isinstance(body, bytes):
            raise InvalidArgument(f"the body is a {type(body).__name__}, expected bytes of MessagePack")
        with self._publishing:
            events = self._published(self._core.deploy, body, time_ns)
            self.__dict__.pop("_directory", None)
        # Waiting orders that fire with it may be refused too; those have an account.
        refused = events[(events["kind"] == EventKind.REJECTED) & (events["account"] == 0)]
        if len(refused):
            value, limit = integers_128(refused, "amount")[0], integers_128(refused, "counter_amount")[0]
            raise rejected(int(refused["reason"][0]), value, limit)
        return events

    def _publish(self) -> None:
        """Hands new events to the subscribers; a subscriber that itself sends commands does not nest."""
        if not self._subscriptions or self._delivering:
            return
        self._delivering = True
        try:
            while (news := self._core.unpublished())[1]:
                lost, data = news
                events = events_from_bytes(data)
                for subscription in self._subscriptions:
                    subscription.lost += lost
                    subscription.offer(events)
        finally:
            self._delivering = False
            self._subscriptions = tuple(s for s in self._subscriptions if not s.closed)
            if not self._subscriptions:
                self._core.publish(False)
