"""Signed requests that were sent before: within the time that a timestamp counts, each counts once."""

from __future__ import annotations


class Replays:
    """Remembers what was signed until its timestamp no longer counts."""

    def __init__(self, window_ms: int) -> None:
        """`window_ms`: how far a timestamp may be off, either way."""
        self._span_ms = 2 * window_ms
        self._seen: dict[int, set[int]] = {}

    def is_new(self, name: str, text: bytes, now_ms: int) -> bool:
        """False if this key signed the same text before. Kept are 64 bits of a keyed hash of each."""
        span = now_ms // self._span_ms
        if span not in self._seen:
            self._seen = {each: seen for each, seen in self._seen.items() if each >= span - 1}
            self._seen[span] = set()
        mark = hash((name, text))
        if any(mark in seen for seen in self._seen.values()):
            return False
        self._seen[span].add(mark)
        return True
