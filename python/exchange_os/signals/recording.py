"""Append-only Parquet: a recorder that adds files and a recording that plays them back.

    folder/funding/2026-11-25/1764028800000-000001.parquet

A file is written whole beside its place and renamed into it, so a reader sees the old one or the new one,
both complete; no row is ever changed. What is read back is what was recorded, in the order of receipt.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import polars as pl

from exchange_os.errors import AlreadyOpen, Corrupt, InvalidArgument
from exchange_os.signals.market_data import TABLES, MarketData, conform, empty

HALF_WRITTEN = ".partial"
LOCK = ".recorder"
FILE_ROWS = 20_000
"""A file of so many rows takes no more."""


class Recorder:
    """Appends market data to a folder, which it makes. One writer at a time: a second one is refused.

    Rows of a table and day go into one file until it holds `FILE_ROWS`: it is written anew with what came,
    and takes the place of the old one at once. A recorder that asks every minute leaves few files.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._unlock = weakref.finalize(self, os.close, _locked(self.folder / LOCK))
        self._growing: dict[Path, Path | None] = {}
        """The file of a table and day that takes more rows."""

    def close(self) -> None:
        self._unlock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, data: MarketData) -> int:
        """Writes every row; the number of rows."""
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
        path = self._growing[place] if place in self._growing else _newest(place)
        if path is not None:
            before = _rows_of(table, path)
            frame = pl.concat([before, conform(table, frame)])
            if before.height >= FILE_ROWS:
                frame, path = frame[before.height :], None
        if path is None:
            number = 1 + max((int(each.stem.rpartition("-")[2]) for each in _files(place)), default=0)
            path = place / f"{int(frame['received_ms'].to_numpy().min())}-{number:06d}.parquet"
        partial = path.with_suffix(HALF_WRITTEN)
        frame.write_parquet(partial, compression="zstd")
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
        self._growing[place] = path if frame.height < FILE_ROWS else None


def _files(place: Path) -> list[Path]:
    return [path for path in place.glob("*.parquet") if path.stem.rpartition("-")[2].isdigit()]


def _newest(place: Path) -> Path | None:
    """The file with the highest number, if it may take more rows."""
    newest = max(_files(place), key=lambda path: int(path.stem.rpartition("-")[2]), default=None)
    if (
        newest is None
        or int(pl.scan_parquet(newest, glob=False).select(pl.len()).collect().item()) >= FILE_ROWS
    ):
        return None
    return newest


def _locked(path: Path) -> int:
    """The open file of the lock, held until it is closed."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        why = f"{path.parent} is being recorded into by another recorder"
        raise AlreadyOpen(why, str(path.parent)) from error
    return file


def _rows_of(table: str, path: Path) -> pl.DataFrame:
    """`Corrupt` if the file cannot be read as rows of that table."""
    try:
        return conform(table, pl.read_parquet(path, glob=False))
    except (pl.exceptions.PolarsError, OSError) as error:
        why = f"{path} cannot be read: {str(error).splitlines()[0]}"
        raise Corrupt(why, str(path), 0, 0) from error


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

    def read(
        self,
        *,
        symbols: Collection[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> MarketData:
        """Everything received from a time up to and with another one; only some symbols, if they are given.

        A file at a time is in memory beside what is kept of it.
        """
        return MarketData(**{table: self._read(table, symbols, from_ms, to_ms) for table in TABLES})

    def _read(
        self, table: str, symbols: Collection[str] | None, from_ms: int | None, to_ms: int | None
    ) -> pl.DataFrame:
        received, wanted = pl.col("received_ms"), [pl.lit(value=True)]
        if symbols is not None:
            wanted.append(pl.col("symbol").is_in(sorted(symbols)))
        if from_ms is not None:
            wanted.append(received >= from_ms)
        if to_ms is not None:
            wanted.append(received <= to_ms)
        parts = [
            _rows_of(table, path).filter(wanted)
            for path in self.files(table)
            if _may_hold(path, from_ms, to_ms)
        ]
        return pl.concat(parts or [empty(table)]).sort("received_ms", maintain_order=True)

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
