"""Every field of a market file, from its JSON Schema: of a wrong type, out of range, twice. None is taken, none is a crash,
and each message names the field."""

from __future__ import annotations

import copy
import datetime
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

import exchange_os as xos
from exchange_os.markets import lint, loads
from exchange_os.markets.load import field_name
from exchange_os.markets.schema import json_schema
from exchange_os.markets.spec import LIMIT_DEFAULTS

Path = tuple[str | int, ...]

SCHEMA = json_schema()

# A file in which every field of the schema stands at least once.
FULL = """
[[asset]]
symbol = "USDC"
decimals = 6
debt_max = "1000"
debt_interest_ppm = 100_000

[[asset]]
symbol = "ETH"
decimals = 18

[governance]
stake_asset = "ETH"
stakes = { spot = "1", perpetual = "2", question = "3", venue = "4" }
slots = { spot = 1, perpetual = 2, question = 3, venue = 4 }
slot_price_min = "1"
slot_auction_s = 86_400
release_wait_s = 86_400

[governance.bounds]
leverage_max = 100
maintenance_ppm_min = 1
fee_ppm_max = 10_000
band_ppm_max = 500_000
mark_band_ppm_max = 500_000
sources_min = 1
funding_cap = "0.1"
insurance_draw_max = "1000000"

[[class]]
symbol = "kyc"
counterparty = true

[[class]]
symbol = "region_us"
counterparty = true

[[issuer]]
id = "did:web:issuer.example"
name = "Example Identity"
classes = ["kyc", "region_us"]
keys = [
    { kid = "1", kty = "OKP", crv = "Ed25519", x = "a9T0Ouxk1qo3p8-6LB15_hBj9AInKVlj_nX7XZVmwPg" },
    { kid = "2", kty = "EC", crv = "P-256", x = "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY", y = "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU" },
]

[[venue]]
symbol = "verified"
fees = { maker_ppm = 100, taker_ppm = 300, ceiling_ppm = 500 }
tiers = [{ volume_from = "1000", maker_ppm = 50, taker_ppm = 200 }]
admission = { requires = ["kyc"], forbids = ["region_us"] }
counterparty = { requires = ["kyc"], forbids = ["region_us"] }
fees_to = 7
lists = ["ETH-USDC", "ETH-PERP"]
simulated = false

[[publisher]]
symbol = "one"
key = "0101010101010101010101010101010101010101010101010101010101010101"

[[publisher]]
symbol = "two"
key = "0202020202020202020202020202020202020202020202020202020202020202"

[[instrument]]
symbol = "ETH-USDC"
product = "spot"
base = "ETH"
quote = "USDC"
tick_size = "0.01"
lot_size = "0.0001"
price_max = "100000"
qty_min = "0.001"
qty_max = "1000"
notional_min = "1"
notional_max = "2000000"
band_ppm = 100_000
orders_per_account_max = 100
fees = { maker_ppm = 200, taker_ppm = 500, ceiling_ppm = 900 }
split = { protocol_ppm = 300_000, deployer_ppm = 200_000, venue_ppm = 200_000, insurance_ppm = 200_000, referrer_ppm = 100_000, receipts = true }
matching = "arrival"
venue = "verified"
fees_to = 8
collateral = [{ up_to = "100", haircut_ppm = 100_000 }, { up_to = "500", haircut_ppm = 200_000 }]
conversion_slippage_ppm = 50_000

[instrument.phases]
opens = 2100-01-01T00:00:00Z
closes = 2101-01-01T00:00:00Z
reopen_auction_s = 60

[instrument.halt]
move_ppm = 50_000
window_s = 60
pause_s = 60
post_only_s = 10

[instrument.oracle]
sources = [{ publisher = "one", weight = 1 }, { publisher = "two", weight = 1 }]
sources_min = 2
stale_after_ms = 10_000
deviation_ppm = 50_000
step_max_ppm = 10_000
mark_band_ppm = 50_000
reopen_ms = 10_000

[[instrument]]
symbol = "ETH-PERP"
product = "perpetual"
tick_size = "0.01"
lot_size = "0.001"
price_max = "100000"
qty_min = "0.001"
qty_max = "1000"
notional_min = "1"
notional_max = "2000000"
position_max = "2000"
band_ppm = 100_000
orders_per_account_max = 100
initial_margin_ppm = 50_000
maintenance_margin_ppm = 25_000
tiers = [{ notional_from = "1000000", initial_margin_ppm = 100_000, maintenance_margin_ppm = 50_000 }]
open_interest_scaling = { lower = "1000000", upper = "5000000" }
margin_mode = "isolated"
fees = { maker_ppm = 100, taker_ppm = 400, ceiling_ppm = 900 }
split = { protocol_ppm = 500_000, insurance_ppm = 500_000 }
matching = "maker_first"
venue = "verified"
fees_to = 0

[instrument.phases]
opens = 2100-01-01T00:00:00Z
closes = 2101-01-01T00:00:00Z
reopen_auction_s = 60

[instrument.liquidation]
policy = "growing"
slice_ppm = 200_000
full_below = "1000"
cooldown_ms = 30_000
fee_ppm = 5_000
backstop_ppm = 500_000
insurance_draw_max = "1000"
tranche = { account = 9, notional_max = "1000000" }
hedge = { asset = "ETH", atoms_per_lot = 1_000_000 }
growth = { duration_s = 600, initial_ppm = 100_000, small_shortage = "50" }
price = "fillable"
spread_ppm = 1_000_000

[instrument.halt]
move_ppm = 50_000
window_s = 60
pause_s = 60
post_only_s = 10

[instrument.oracle]
sources = [{ publisher = "one" }, { publisher = "two" }]
sources_min = 2

[instrument.funding]
interval_h = 8
interest = "0.0001"
clamp = "0.0005"
cap = "0.04"
impact_notional = "1000"
sample_s = 5

[[underlying]]
symbol = "ETHER"
instruments = ["ETH-PERP"]
scenarios = [{ shock_ppm = -100_000, weight_ppm = 1_000_000 }, { shock_ppm = 100_000, weight_ppm = 500_000 }]
maintenance_ppm = 500_000
floor_ppm = 10_000
width_ppm = 20_000

[[question]]
symbol = "ETH-2099"
text = "At which price does ETH trade at the end of 2099 on this exchange?"
outcomes = [{ symbol = "ETH-2099-LOW", name = "Below 10,000" }, { symbol = "ETH-2099-HIGH", name = "Above" }]
unit = "1"
tick_size = "0.01"
lot_size = "1"
qty_min = "1"
qty_max = "1000"
notional_min = "0"
notional_max = "1000"
position_max = "10000"
orders_per_account_max = 100
fees = { maker_ppm = 0, taker_ppm = 1_000 }
split = { protocol_ppm = 1_000_000 }
matching = "maker_first"
fees_to = 0
implied = true
link = { underlying = "ETHER", instrument = "ETH-PERP", bounds = ["10000"], order = "rising" }

[[question]]
symbol = "CUP"
text = "Which side wins the cup, penalties included, according to its organiser?"
outcomes = [{ symbol = "CUP-A", name = "A" }, { symbol = "CUP-B", name = "B" }]
tick_size = "0.01"
lot_size = "1"
qty_max = "1000"
notional_max = "1000"
position_max = "10000"
any_other = "CUP-B"
outcomes_max = 3
venue = "verified"
fees = { maker_ppm = 0, taker_ppm = 1_000 }

[question.phases]
opens = 2100-01-01T00:00:00Z
closes = 2101-01-01T00:00:00Z
reopen_auction_s = 0

[question.resolution]
rule = "The side that the organiser announces as the winner on the day, penalties included."
sources = ["https://one.example", "https://two.example"]
closes = 2102-01-01T00:00:00Z
propose_s = 86_400
resolvers = [1, 2]
bond = "1000"
challenge_s = 7_200
second_resolvers = [3, 4, 5]
second_bond = "5000"
quorum = 2
decide_s = 259_200
void = { CUP-A = "0.5", CUP-B = "0.5" }
dispute_risk = true
"""


def full() -> dict[str, Any]:
    limits = {name: value for name, value in LIMIT_DEFAULTS.items()}
    return {"limits": limits} | tomllib.loads(FULL)


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
        found = [each for each in error.problems if not isinstance(each, str)]
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
    known = {(name, field) for name, model in SCHEMA["$defs"].items() for field in model.get("properties", {})}
    known |= {("MarketFile", field) for field in SCHEMA["properties"]}
    assert known - told == set()
    assert len(known) > 230


def form(model: str, field: str) -> set[str]:
    """What a field may be, as the schema says."""
    properties = SCHEMA["properties"] if model == "MarketFile" else SCHEMA["$defs"][model]["properties"]
    found: set[str] = set()

    def look(node: dict[str, Any]) -> None:
        if "$ref" in node:
            return look(SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[1]])
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
    "atoms_per_lot": {2**63 - 1, 2**32, 2**31},
    "text": FREE_TEXT,
    "name": FREE_TEXT,
    "id": FREE_TEXT,
    "kid": FREE_TEXT,
    "rule": FREE_TEXT - {"x" * 70_000},
    "client_id_retention_ns": {2**63 - 1, 2**32, 2**31},
}
"""By name of the field: rebates and falling prices, counts of 32 and 64 bits, and text in which anything may stand."""


@pytest.mark.parametrize("path", [path for *_, path in FIELDS], ids=field_name)
def test_a_value_out_of_range_is_refused_by_name(path: Path) -> None:
    model, field = next((model, field) for model, field, at in FIELDS if at == path)
    right = RIGHT.get(field, set()) | ({2**31} if path[0] == "limits" else set())
    forms = form(model, field) - ({"integer"} if "digits" in form(model, field) else set())
    for value in [value for each in sorted(forms) for value in RANGES.get(each, [])]:
        found = problems(changed(path, value))
        assert (found == [] and value in right) or names(found, path), (value, found)


EMPTY_IS_RIGHT = {"issuer", "question", "classes", "tiers", "requires", "forbids", "lists"}


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
        assert is_right or names(found, path) or any("twice" in message for _, message in found), (value, found)


SCALARS = [line for line in FULL.splitlines() if " = " in line and line[0] != " " and line[-1] != "["]


@pytest.mark.parametrize("line", sorted(set(SCALARS)))
def test_a_field_that_stands_twice_is_refused_by_name(line: str) -> None:
    with pytest.raises(xos.MarketFileError) as refused:
        loads(FULL.replace(f"{line}\n", f"{line}\n{line}\n", 1), "m.toml")
    assert line.split(" = ")[0] in str(refused.value)


def test_a_field_that_stands_twice_inside_a_line_is_refused_by_name() -> None:
    with pytest.raises(xos.MarketFileError, match="taker_ppm"):
        loads(FULL.replace("taker_ppm = 300,", "taker_ppm = 300, taker_ppm = 300,", 1), "m.toml")
