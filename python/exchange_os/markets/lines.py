"""On which line of a TOML text a key stands: `tomllib` reads values but tells no places."""

from __future__ import annotations

import tomllib
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_BLANK = " \t"
_SPACE = " \t\r\n"
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def key_lines(text: str) -> dict[Path, int]:
    """The line of every key, table and array element, by its path; `text` must be valid TOML."""
    return _Scanner(text).scan()


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of a path, or of the nearest thing around it that the text does write down."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Scanner:
    """Walks valid TOML once. It understands only where keys and values begin and end."""

    def __init__(self, text: str) -> None:
        self.text = text + "\n"
        self.at = 0
        self.line = 1
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        self._skip(_SPACE)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_SPACE)
        return self.lines

    def _header(self) -> Path:
        line = self.line
        many = self.text.startswith("[[", self.at)
        self._step(2 if many else 1)
        keys = self._keys()
        self._skip(_BLANK)
        self._step(2 if many else 1)
        path: Path = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            self.lines.setdefault(path, line)
            last = position == len(keys) - 1
            if last and many:
                self.counts[path] = self.counts.get(path, 0) + 1
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        self.lines.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        line = self.line
        path = table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._skip(_BLANK)
        self._step(1)  # the equals sign
        self._value(path)

    def _keys(self) -> list[str]:
        """A dotted key."""
        keys = []
        while True:
            self._skip(_BLANK)
            begin = self.at
            if self.text[begin] in "\"'":
                self._string()
                keys.append(next(iter(tomllib.loads(f"{self.text[begin : self.at]} = 0"))))
            else:
                while self.text[self.at] in _BARE:
                    self.at += 1
                keys.append(self.text[begin : self.at])
            self._skip(_BLANK)
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _value(self, path: Path) -> None:
        self._skip(_SPACE if path and isinstance(path[-1], int) else _BLANK)
        self.lines.setdefault(path, self.line)
        first = self.text[self.at]
        if first == "[":
            self._list(path)
        elif first == "{":
            self._inline(path)
        elif first in "\"'":
            self._string()
        else:
            while self.text[self.at] not in ",]}#\n":
                self.at += 1

    def _list(self, path: Path) -> None:
        self._step(1)
        index = 0
        self._skip(_SPACE)
        while self.text[self.at] != "]":
            self._value((*path, index))
            index += 1
            self._skip(_SPACE + ",")
        self._step(1)

    def _inline(self, path: Path) -> None:
        self._step(1)
        self._skip(_SPACE)
        while self.text[self.at] != "}":
            self._pair(path)
            self._skip(_SPACE + ",")
        self._step(1)

    def _string(self) -> None:
        quote = self.text[self.at]
        fence = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self._step(len(fence))
        while not self.text.startswith(fence, self.at):
            self._step(2 if quote == '"' and self.text[self.at] == "\\" else 1)
        self._step(len(fence))
        while len(fence) == 3 and self.text[self.at] == quote:
            self._step(1)  # up to two quotes may stand before the closing three

    def _skip(self, letters: str) -> None:
        """Over these letters and, where lines may end, over comments."""
        while self.at < len(self.text):
            if self.text[self.at] in letters:
                self._step(1)
            elif self.text[self.at] == "#" and "\n" in letters:
                while self.text[self.at] != "\n":
                    self.at += 1
            else:
                return

    def _step(self, count: int) -> None:
        self.line += self.text.count("\n", self.at, self.at + count)
        self.at += count
