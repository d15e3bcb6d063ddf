"""How often: so many requests in windows of two seconds, for each endpoint and each user or address."""

from __future__ import annotations

import time
from collections.abc import Callable

from exchange_os.api.codes import Refused

WINDOW_S = 2
_WINDOWS_MAX = 100_000


class Rates:
    """Counts requests; memory is bounded, because all counts are dropped with their window."""

    def __init__(self, *, enabled: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self.enabled = enabled
        self._clock = clock
        self._window = -1
        self._counts: dict[tuple[str, object], int] = {}

    def take(self, endpoint: str, who: object, allowed: int, weight: int = 1) -> None:
        """Counts `weight` requests of somebody, or `Refused` with HTTP status 429 beyond `allowed`."""
        if not self.enabled:
            return
        window = int(self._clock()) // WINDOW_S
        if window != self._window:
            self._window = window
            self._counts.clear()
        count = self._counts.get((endpoint, who), 0) + weight
        if count > allowed or len(self._counts) >= _WINDOWS_MAX:
            raise Refused("50011", f"Too Many Requests: {allowed} in {WINDOW_S} seconds are allowed.", 429)
        self._counts[endpoint, who] = count
