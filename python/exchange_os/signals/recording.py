"""Append-only Parquet: a recorder that adds files and a recording that plays them back.

    folder/funding/2026-11-25/1764028800000-000001.parquet

A file is written whole beside its place and renamed into it, so a reader sees it complete or not at all;
nothing is ever changed. What is read back is what was recorded, in the order of receipt.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from exchange_os.errors import Corrupt, InvalidArgument
from exchange_os.signals.market_data import TABLES, MarketData, conform, empty

HALF_WRITTEN = ".partial"


class Recorder:
    """Appends market data to a folder, which it makes. One writer at a time."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._count = 0

    def append(self, data: MarketData) -> int:
        """Writes every row; the number of rows. One file a table and day of receipt."""
        rows = 0
        for table, frame in data.items():
            if frame.is_empty():
                continue
            if frame["received_ms"].null_count():
                raise InvalidArgument(f"table '{table}' has rows that were never received")
            day = (pl.col("received_ms") // 86_400_000).alias("_day")
            for part in frame.with_columns(day).partition_by("_day", maintain_order=True):
                self._write(table, int(part["_day"][0]), part.drop("_day"))
                rows += part.height
        return rows

    def _write(self, table: str, day: int, frame: pl.DataFrame) -> None:
        date = datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")
        place = self.folder / table / date
        place.mkdir(parents=True, exist_ok=True)
        first = int(frame["received_ms"].to_numpy().min())
        while True:
            self._count += 1
            path = place / f"{first}-{self._count:06d}.parquet"
            if not path.exists():
                break
        partial = path.with_suffix(HALF_WRITTEN)
        frame.write_parquet(partial, compression="zstd")
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.rename(path)


@dataclass(frozen=True)
class Recording:
    """A folder that a recorder filled."""

    folder: Path

    @staticmethod
    def open(folder: str | Path) -> Recording:
        """Refuses a folder without recorded tables."""
        path = Path(folder)
        if not any((path / table).is_dir() for table in TABLES):
            raise InvalidArgument(f"{path} holds no recording; `xos signals record` makes one")
        return Recording(path)

    def files(self, table: str) -> list[Path]:
        return sorted((self.folder / table).glob("*/*.parquet"))

    def read(self, *, from_ms: int | None = None, to_ms: int | None = None) -> MarketData:
        """Everything received from a time up to and with another one."""
        return MarketData(**{table: self._read(table, from_ms, to_ms) for table in TABLES})

    def _read(self, table: str, from_ms: int | None, to_ms: int | None) -> pl.DataFrame:
        parts = []
        for path in self.files(table):
            if not _may_hold(path, from_ms, to_ms):
                continue
            try:
                part = conform(table, pl.read_parquet(path, glob=False))
            except (pl.exceptions.PolarsError, OSError) as error:
                why = f"{path} cannot be read: {str(error).splitlines()[0]}"
                raise Corrupt(why, str(path), 0, 0) from error
            parts.append(part)
        if not parts:
            return empty(table)
        received = pl.col("received_ms")
        return (
            pl.concat(parts)
            .filter(
                received >= (from_ms if from_ms is not None else received),
                received <= (to_ms if to_ms is not None else received),
            )
            .sort("received_ms", maintain_order=True)
        )

    def replay(self, *, step_ms: int, from_ms: int, to_ms: int) -> Iterator[tuple[int, MarketData]]:
        """What was known at each step: the time, and all rows received up to it."""
        if step_ms <= 0:
            raise InvalidArgument(f"a step is above 0, not {step_ms}")
        whole = self.read(to_ms=to_ms)
        for at_ms in range(from_ms, to_ms + 1, step_ms):
            yield at_ms, whole.as_of(at_ms)


def _may_hold(path: Path, from_ms: int | None, to_ms: int | None) -> bool:
    """By the day in its path."""
    day = datetime.fromisoformat(path.parent.name).replace(tzinfo=UTC)
    begins = int(day.timestamp()) * 1_000
    after = from_ms is not None and begins + 86_400_000 <= from_ms
    before = to_ms is not None and begins > to_ms
    return not (after or before)
