"""Every field of a market file, from its JSON Schema: of a wrong type, out of range, twice.

None is taken, none is a crash, and each message names the field.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import pytest
from pydantic import BaseModel

import exchange_os as xos
from exchange_os.markets import Problem, lint, loads
from exchange_os.markets.load import field_name
from exchange_os.markets.schema import json_schema
from exchange_os.markets.spec import LIMIT_DEFAULTS

Path = tuple[str | int, ...]

SCHEMA = json_schema()

# A file in which every field of the schema stands at least once, but for the limits.
FULL = FilePath(__file__).with_name("every_field.toml").read_text()


def full() -> dict[str, Any]:
    return {"limits": dict(LIMIT_DEFAULTS)} | tomllib.loads(FULL)


def toml(data: dict[str, Any]) -> str:
    """Enough TOML for a market file as inline values."""

    def value(item: Any) -> str:
        match item:
            case dict():
                return "{" + ", ".join(f'"{key}" = {value(part)}' for key, part in item.items()) + "}"
            case list():
                return "[" + ", ".join(map(value, item)) + "]"
            case bool():
                return str(item).lower()
            case str():
                return '"' + item.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "\\u0000") + '"'
            case datetime.datetime():
                return item.isoformat()
            case _:
                return str(item)

    return "".join(f"{key} = {value(item)}\n" for key, item in data.items())


def problems(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Field and message of every error."""
    try:
        found = lint(loads(toml(data), "m.toml"))
    except xos.MarketFileError as error:
        found = [each for each in error.problems if isinstance(each, Problem)]
    return [(each.field, each.message) for each in found if each.severity == "error"]


def fields(model: BaseModel, path: Path = ()) -> Iterator[tuple[str, str, Path]]:
    """Model, field and path of everything that a file says."""
    name = type(model).__name__
    for attribute in sorted(model.model_fields_set):
        field = type(model).model_fields[attribute].alias or attribute
        yield name, field, (*path, field)
        value = getattr(model, attribute)
        for place, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(item, BaseModel):
                yield from fields(item, (*path, field) if place is None else (*path, field, place))


LOADED = loads(toml(full()), "m.toml")
FIELDS = list(fields(LOADED.spec))


def test_every_field_of_the_schema_is_in_the_table() -> None:
    assert problems(full()) == []
    told = {(model, field) for model, field, _ in FIELDS}
    known = {
        (name, field) for name, model in SCHEMA["$defs"].items() for field in model.get("properties", {})
    }
    known |= {("MarketFile", field) for field in SCHEMA["properties"]}
    assert known - told == set()
    assert len(known) > 230


def test_the_page_about_market_files_names_every_field() -> None:
    page = (FilePath(__file__).parents[2] / "docs/howto/deploy_markets.md").read_text()
    words = set(re.findall("[a-z_]+", page[page.index("## All fields") :]))
    models = {name: model for name, model in SCHEMA["$defs"].items() if name != "Limits"}
    fields = {field for model in models.values() for field in model.get("properties", {})}
    assert fields - words == set()


def form(model: str, field: str) -> set[str]:
    """What a field may be, as the schema says."""
    properties = SCHEMA["properties"] if model == "MarketFile" else SCHEMA["$defs"][model]["properties"]
    found: set[str] = set()

    def look(node: dict[str, Any]) -> None:
        if "$ref" in node:
            look(SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[1]])
        for part in [*node.get("anyOf", []), *node.get("oneOf", [])]:
            look(part)
        if "enum" in node or "const" in node:
            found.add("word" if isinstance(node.get("const", node.get("enum", [""])[0]), str) else "integer")
        elif node.get("type") == "string":
            pattern = node.get("pattern", "")
            name = "digits" if "[0-9]" in pattern else "symbol" if pattern else "text"
            found.add("time" if node.get("format") == "date-time" else name)
        elif "type" in node:
            found.add(node["type"])

    look(properties[field])
    return found - {"null"}


OTHERS: list[Any] = [7, 0.5, "seven", True, [7], {"a": 7}, datetime.date(2150, 1, 1)]


def is_of(form: str, value: Any) -> bool:
    match form:
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "text" | "symbol":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return False


def changed(path: Path, value: Any) -> dict[str, Any]:
    data = full()
    place: Any = data
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return data


def names(found: list[tuple[str, str]], path: Path) -> bool:
    """Whether a problem stands at the field or inside it, or names it where it contradicts another."""
    return any(str(path[-1]) in f"{field}: {message}" for field, message in found)


@pytest.mark.parametrize("path", [path for *_, path in FIELDS], ids=field_name)
def test_a_value_of_another_type_is_refused_by_name(path: Path) -> None:
    model, field = next((model, field) for model, field, at in FIELDS if at == path)
    forms = form(model, field)
    for value in OTHERS:
        if not any(is_of(each, value) for each in forms):
            found = problems(changed(path, value))
            assert names(found, path), (value, found)


# Out of every range; what is right all the same stands below.
RANGES: dict[str, list[Any]] = {
    "integer": [-(2**63), 2**63 - 1, 2**32, 2**31, -1],
    "digits": ["-1", "1" + "0" * 40, "0." + "0" * 40 + "1", "1_000", "\u0661", "nan", ""],
    "symbol": ["", "x" * 65, "a b", "\u00e9"],
    "text": ["", "x" * 70_000, "a b\0", "\u00e9\u00e9\u00e9"],
}
REBATE = {-1}
FREE_TEXT = {"x" * 70_000, "a b\0", "\u00e9\u00e9\u00e9"}

RIGHT: dict[str, set[Any]] = {
    "maker_ppm": REBATE,
    "shock_ppm": REBATE,
    "orders_per_account_max": {2**31},
    "weight": {2**31},
    "atoms_per_lot": {2**63 - 1, 2**32, 2**31},
    "text": FREE_TEXT,
    "name": FREE_TEXT,
    "id": FREE_TEXT,
    "kid": FREE_TEXT,
    "rule": FREE_TEXT - {"x" * 70_000},
    "client_id_retention_ns": {2**63 - 1, 2**32, 2**31},
}
"""By name of the field: rebates, falling prices, counts of 32 and 64 bits, text that may be anything."""


@pytest.mark.parametrize("path", [path for *_, path in FIELDS], ids=field_name)
def test_a_value_out_of_range_is_refused_by_name(path: Path) -> None:
    model, field = next((model, field) for model, field, at in FIELDS if at == path)
    right = RIGHT.get(field, set()) | ({2**31} if path[0] == "limits" else set())
    forms = form(model, field) - ({"integer"} if "digits" in form(model, field) else set())
    for value in [value for each in sorted(forms) for value in RANGES.get(each, [])]:
        found = problems(changed(path, value))
        assert (found == [] and value in right) or names(found, path), (value, found)


EMPTY_IS_RIGHT = {"guardians", "issuer", "question", "classes", "tiers", "requires", "forbids", "lists"}


@pytest.mark.parametrize("path", [path for m, f, path in FIELDS if form(m, f) == {"array"}], ids=field_name)
def test_a_list_that_is_empty_too_long_or_names_something_twice_is_refused_by_name(path: Path) -> None:
    standing: Any = full()
    for part in path:
        standing = standing[part]
    assert isinstance(standing, list)
    cases = [[], [*standing, *standing[:1]], standing * 200]
    for value in cases:
        found = problems(changed(path, value))
        is_right = found == [] and value == [] and path[-1] in EMPTY_IS_RIGHT
        assert is_right or names(found, path) or any("twice" in message for _, message in found), (
            value,
            found,
        )


SCALARS = [line for line in FULL.splitlines() if " = " in line and line[0] != " " and line[-1] != "["]


@pytest.mark.parametrize("line", sorted(set(SCALARS)))
def test_a_field_that_stands_twice_is_refused_by_name(line: str) -> None:
    with pytest.raises(xos.MarketFileError) as refused:
        loads(FULL.replace(f"{line}\n", f"{line}\n{line}\n", 1), "m.toml")
    assert line.split(" = ", maxsplit=1)[0] in str(refused.value)


def test_a_field_that_stands_twice_inside_a_line_is_refused_by_name() -> None:
    with pytest.raises(xos.MarketFileError, match="taker_ppm"):
        loads(FULL.replace("taker_ppm = 300,", "taker_ppm = 300, taker_ppm = 300,", 1), "m.toml")
