"""Reads `spec/*.scenario`; the grammar stands in docs/reference/scenarios.md."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NoReturn

_NUMBER = re.compile(r"-?[0-9][0-9_]*")
_WAIT = re.compile(r"\+([0-9]+)(ns|ms|s|m|h)")
_UNITS_NS = {"ns": 1, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9}
_DEPLOYMENTS = {
    *(
        "limits",
        "asset",
        "class",
        "venue",
        "publisher",
        "spot",
        "perpetual",
        "underlying",
        "update",
        "act",
        "governance",
        "question",
        "outcome",
    ),
    *("bytes", "settle", "propose", "decide"),
}

Row = dict[str, str]
Kind = Literal["wait", "deploy", "account", "price", "frame", "then"]


class Failure(AssertionError):
    """Where something stands and what is wrong with it."""

    def __init__(self, file: str, line: int, what: str) -> None:
        super().__init__(f"{file}:{line}: {what}")
        self.line = line


@dataclass(frozen=True)
class Table:
    """Rows by column, and the line of each."""

    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class Step:
    """One thing that happens, or one look at what stands."""

    line: int
    kind: Kind
    given: bool
    label: str = ""
    words: tuple[str, ...] = ()
    table: Table = Table()


@dataclass
class Scenario:
    """The steps of one scenario, those that its file gives to all included."""

    file: str
    line: int
    title: str
    steps: list[Step] = field(default_factory=list)


def load(folder: Path) -> list[Scenario]:
    """All scenarios of a folder, in order of file name."""
    paths = sorted(folder.glob("*.scenario"))
    return [found for path in paths for found in parse(f"spec/{path.name}", path.read_text(encoding="utf-8"))]


def parse(file: str, text: str) -> list[Scenario]:
    """The scenarios of one file."""
    reader = _Reader(file)
    for reader.line, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line and not line.startswith("#"):
            reader.read(line)
    reader.close()
    return reader.scenarios


def nanoseconds(text: str) -> int | None:
    """`+5s` in nanoseconds."""
    match = _WAIT.fullmatch(text)
    return int(match[1]) * _UNITS_NS[match[2]] if match else None


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.line = 0
        self.block = ""
        self.what: tuple[str, ...] = ()
        self.opened = 0
        self.table = Table()
        self.background: list[Step] = []
        self.scenarios: list[Scenario] = []

    def fail(self, what: str) -> NoReturn:
        raise Failure(self.file, self.line, what)

    def read(self, line: str) -> None:
        first, *rest = line.split()
        if line.startswith("|"):
            self.row(line)
        elif first == "scenario":
            self.close()
            title = line.removeprefix("scenario").strip()
            self.scenarios.append(Scenario(self.file, self.line, title, list(self.background)))
        elif first in {"given", "when"} and not rest:
            self.begin(first, ())
        elif line == "when in one frame":
            self.begin("frame", ())
        elif first == "then" and rest:
            self.begin("then", tuple(rest))
        else:
            self.sentence(line)

    def begin(self, block: str, what: tuple[str, ...]) -> None:
        self.close()
        self.block, self.what, self.opened = block, what, self.line

    def close(self) -> None:
        if self.block == "then":
            self.push(self.opened, "then", words=self.what)
        elif self.block == "frame":
            self.push(self.opened, "frame")
        self.block, self.table = "", Table()

    def push(self, line: int, kind: Kind, label: str = "", words: tuple[str, ...] = ()) -> None:
        table = self.table if kind in {"then", "frame"} else Table()
        step = Step(line, kind, self.block == "given", label, words, table)
        (self.scenarios[-1].steps if self.scenarios else self.background).append(step)

    def row(self, line: str) -> None:
        if not self.block:
            self.fail('a table stands under "given", "when" or "then"')
        cells = [plain(cell.strip()) for cell in line.removeprefix("|").removesuffix("|").split("|")]
        if not self.table.columns:
            self.table = Table(tuple(cells))
            return
        if len(cells) != len(self.table.columns):
            self.fail(f"the row has {len(cells)} cells, the table has {len(self.table.columns)} columns")
        row = dict(zip(self.table.columns, cells, strict=True))
        before = self.table
        rows, lines = (*before.rows, row), (*before.lines, self.line)
        if self.block in {"then", "frame"}:
            self.table = replace(before, rows=rows, lines=lines)
        else:
            self.table = replace(before, rows=(row,), lines=(self.line,))
            self.push(self.line, "frame")
            self.table = before

    def sentence(self, line: str) -> None:
        if self.block not in {"given", "when"}:
            self.fail(f"{line!r} is not understood here")
        words = tuple(line.split())
        label = ""
        if words[0].endswith(":"):
            label, words = words[0][:-1], words[1:]
        match words:
            case ("time", wait) if nanoseconds(wait) is not None:
                self.push(self.line, "wait", words=words)
            case ("account", _, *_):
                self.push(self.line, "account", words=words[1:])
            case ("mark" | "index", _, _):
                self.push(self.line, "price", words=words)
            case (kind, *_) if kind in _DEPLOYMENTS:
                self.push(self.line, "deploy", label, words)
            case _:
                self.fail(f"{line!r} is not understood")


def plain(cell: str) -> str:
    """Numbers may be written with underscores."""
    return cell.replace("_", "") if _NUMBER.fullmatch(cell) else cell
