"""The JSON Schema of a market file agrees with what the program itself reads."""

import tomllib
from typing import Any

import jsonschema
import pytest

from exchange_os import markets
from exchange_os.cli.init import TEMPLATES, template
from exchange_os.errors import MarketFileError
from exchange_os.markets.schema import json_schema

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_fits_the_schema_and_deploys(name: str) -> None:
    assert list(VALIDATOR.iter_errors(tomllib.loads(template(name)))) == []
    problems = markets.lint(markets.loads(template(name)))
    assert [problem for problem in problems if problem.severity == "error"] == []


MISTAKES: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "a float": (("instrument", 0, "tick_size"), 0.1),
    "no number": (("instrument", 0, "tick_size"), "a tenth"),
    "an unknown field": (("instrument", 0, "tick"), "0.1"),
    "another product": (("instrument", 0, "product"), "option"),
    "an unknown order of execution": (("instrument", 0, "matching"), "best"),
    "text for ppm": (("instrument", 0, "band_ppm"), "1000"),
    "an interval that there is none of": (("instrument", 0, "funding", "interval_h"), 2),
    "a table where a list is due": (("asset",), {"symbol": "USDC", "decimals": 6}),
    "a limit below one": (("limits",), {"accounts_max": 0}),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_schema_and_the_reader_refuse_the_same(name: str) -> None:
    path, value = MISTAKES[name]
    data: Any = tomllib.loads(template("perpetual"))
    place = data
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    assert list(VALIDATOR.iter_errors(data))
    with pytest.raises(MarketFileError):
        markets.loads(_toml(data))


def _toml(data: dict[str, Any]) -> str:
    """Enough TOML for a market file as inline values."""

    def value(item: Any) -> str:
        if isinstance(item, dict):
            return "{" + ", ".join(f"{key} = {value(part)}" for key, part in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(map(value, item)) + "]"
        if isinstance(item, bool):
            return str(item).lower()
        return f'"{item}"' if isinstance(item, str) else str(item)

    return "".join(f"{key} = {value(item)}\n" for key, item in data.items())
