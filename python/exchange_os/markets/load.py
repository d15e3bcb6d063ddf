"""Reads a market file. Every problem names file, line and field."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path as FilePath
from typing import Any, Literal

from pydantic import ValidationError

from exchange_os.bounds import directory_text, shown
from exchange_os.errors import InvalidArgument, MarketFileError
from exchange_os.markets.lines import Path, key_lines, line_of
from exchange_os.markets.spec import MarketFile


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a market file: an error forbids the deployment, a warning does not."""

    severity: Literal["error", "warning"]
    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        field = f" {self.field}:" if self.field else ""
        return f"{self.file}:{self.line}:{field} {self.message}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A market file that could be read, with the places of its keys."""

    file: str
    spec: MarketFile
    lines: dict[Path, int]

    def problem(self, path: Path, message: str, severity: Literal["error", "warning"] = "error") -> Problem:
        """A problem at a path of the file."""
        return Problem(severity, self.file, line_of(self.lines, path), field_name(path), message)


def load(path: str | PathLike[str]) -> Loaded:
    """Reads a file; raises `MarketFileError` with everything that is wrong with its form."""
    name = directory_text(path)
    try:
        text = FilePath(path).read_text(encoding="utf-8")
    except OSError as error:
        raise MarketFileError(f"{name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise MarketFileError(f"{name}: byte {error.start} is not UTF-8 text") from error
    return loads(text, name)


_DEPTH_MAX = 1_000


def _check_depth(text: str) -> None:
    """`RecursionError` beyond it: what the interpreter bears is not the same in every program."""
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth = max(0, depth + (1 if bracket in "[{" else -1))
        if depth > _DEPTH_MAX:
            raise RecursionError


def loads(text: str, file: str = "<text>") -> Loaded:
    """As `load`, from a text; `file` is how messages name it."""
    if not isinstance(text, str):
        raise InvalidArgument(f"the market file is a {type(text).__name__}, expected text")
    try:
        _check_depth(text)
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+)", str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        why = re.sub(r" \(at .*\)$", "", str(error))
        if why == "Cannot overwrite a value":
            why = f"{_key_before(text, line)} stands twice"
        raise refusal([Problem("error", file, line, "", f"this is not TOML: {why}")]) from error
    except RecursionError as error:
        brackets = [len(re.findall(r"[\[{]", line)) for line in text.split("\n")]
        why = f"{max(brackets)} brackets inside each other are more than can be read"
        line = brackets.index(max(brackets)) + 1
        raise refusal([Problem("error", file, line, "", why)]) from error
    except ValueError as error:
        digits = max(re.finditer(r"[0-9_]+", text), key=lambda run: len(run[0]))
        line = text.count("\n", 0, digits.start()) + 1
        why = f"an integer of {len(digits[0])} digits is more than can be read"
        raise refusal([Problem("error", file, line, "", why)]) from error
    lines = key_lines(text)
    outside = list(_beyond_64_bits(data, (), lines, file))
    if outside:
        raise refusal(outside)
    try:
        spec = MarketFile.model_validate(data)
    except ValidationError as error:
        problems = [_explain(details, data, lines, file) for details in error.errors(include_url=False)]
        raise refusal(problems) from None
    return Loaded(file, spec, lines)


def _key_before(text: str, line: int) -> str:
    """The key whose value ends in a line."""
    for before in reversed(text.split("\n")[:line]):
        if key := re.match(r"[ \t]*([A-Za-z0-9_.\"'-]+)[ \t]*=", before):
            return key[1]
    return "a field"


def refusal(problems: list[Problem]) -> MarketFileError:
    """The error for a list of problems, in order of line."""
    problems = sorted(problems, key=lambda problem: problem.line)
    return MarketFileError("\n".join(map(str, problems)), problems)


def field_name(path: Path) -> str:
    """A path as a reader writes it: `instrument[0].fees.maker_ppm`."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


_SHORT = {"missing": "this field is missing", "extra_forbidden": "this field is not known here"}


def _explain(details: Any, data: dict[str, Any], lines: dict[Path, int], file: str) -> Problem:
    path = _path_in(data, details["loc"])
    kind, given = details["type"], details["input"]
    message = details["msg"]
    if kind in _SHORT:
        message = _SHORT[kind]
    elif kind == "union_tag_not_found":
        path, message = (*path, "product"), 'this field is missing; expected "spot" or "perpetual"'
    elif kind == "union_tag_invalid":
        path, message = (
            (*path, "product"),
            f'{given["product"]!r} is no product, expected "spot" or "perpetual"',
        )
    elif message.startswith("Input"):
        message = f"{message[0].lower()}{message[1:]}, given was {shown(repr(given))}"
    return Problem("error", file, line_of(lines, path), field_name(path), message)


def _beyond_64_bits(data: Any, path: Path, lines: dict[Path, int], file: str) -> Iterator[Problem]:
    """TOML's integers have 64 bits, whatever Python reads."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _beyond_64_bits(value, (*path, key), lines, file)
    elif isinstance(data, int) and not -(2**63) <= data < 2**63:
        why = f"the integer {shown(data)} is outside -2^63 to 2^63 - 1; a larger number is written as text"
        yield Problem("error", file, line_of(lines, path), field_name(path), why)


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, dict) and part in data


def _path_in(data: Any, loc: tuple[str | int, ...]) -> Path:
    """Where a complaint of pydantic stands in the file: it also counts the variant of a union as a step."""
    path: Path = ()
    for position, part in enumerate(loc):
        if _has(data, part):
            data = data[part]
        elif position < len(loc) - 1:
            continue
        path = (*path, part)
    return path
