"""Market files: every mistake names file, line and field, and nothing is deployed."""

import re
import tomllib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import exchange_os as xos
from exchange_os.cli.init import template
from exchange_os.exact import plain_text
from exchange_os.markets import Loaded, Problem, lint, load, loads, plan
from exchange_os.markets.lines import key_lines

EXAMPLE = template("example")


def problems_of(text: str) -> list[str]:
    try:
        return [str(problem) for problem in lint(loads(text, "m.toml")) if problem.severity == "error"]
    except xos.MarketFileError as error:
        return [str(problem) for problem in error.problems if isinstance(problem, Problem)]


def test_the_example_is_without_fault() -> None:
    loaded = loads(EXAMPLE)
    assert lint(loaded) == []
    with xos.open() as exchange:
        done = exchange.deploy(loaded)
        assert [item.symbol for item in done.missing] == [
            "USDC",
            "BTC",
            "front",
            "BTC-USDC",
            "BTC-PERP",
            "BTC-100K-2027",
        ]
        assert exchange.instrument("BTC-PERP").quote == "USDC"
        assert exchange.question("BTC-100K-2027").unit == 1


def _tiers(*rows: tuple[int, int, int]) -> str:
    """The maintenance margin of the example, and tiers above it."""
    names = ("notional_from", "initial_margin_ppm", "maintenance_margin_ppm")
    tiers = ("{ " + ", ".join(f"{n} = {v}" for n, v in zip(names, row, strict=True)) + " }" for row in rows)
    return f"maintenance_margin_ppm = 25_000\ntiers = [{', '.join(tiers)}]"


CHANGES: list[tuple[str, str, str, str]] = [
    ("syntax", "decimals = 8", "decimals = = 8", "this is not TOML"),
    ("unfinished", "[[venue]]", "[[venue", "this is not TOML"),
    ("missing field", 'position_max = "500"\n', "", "instrument[1].position_max: this field is missing"),
    ("missing product", 'product = "spot"\n', "", "instrument[0].product: this field is missing"),
    (
        "unknown product",
        'product = "spot"',
        'product = "future"',
        "instrument[0].product: 'future' is no product",
    ),
    (
        "unknown field",
        "taker_ppm = 400",
        "tacker_ppm = 400",
        "venue[0].fees.tacker_ppm: this field is not known here",
    ),
    ("unknown table", "[[venue]]", "[[venues]]\n[[venue]]", "venues: this field is not known here"),
    (
        "float",
        'tick_size = "0.1"',
        "tick_size = 0.1",
        'tick_size: 0.1 is a float and has no exact value; write it as text: "0.1"',
    ),
    (
        "text for a count",
        "decimals = 8",
        'decimals = "8"',
        "asset[1].decimals: input should be a valid integer, given was '8'",
    ),
    ("bool", 'qty_max = "100"', "qty_max = true", "qty_max: expected a decimal number"),
    ("no number", 'qty_max = "100"', 'qty_max = "1oo"', "qty_max: '1oo' is no decimal number"),
    ("digits of another script", 'qty_max = "100"', 'qty_max = "\u0661\u0660"', "is no decimal number"),
    (
        "word",
        'product = "spot"',
        'product = "spot"\nmatching = "fifo"',
        "'fifo' is no execution order, expected one of arrival, maker_first",
    ),
    (
        "k too fine",
        'lot_size = "0.00001"',
        'lot_size = "0.000001"',
        "0.1 x 0.000001 x 10^6 = 0.1 atoms of USDC; it must be a whole number",
    ),
    ("tick of nothing", 'tick_size = "0.1"', 'tick_size = "0"', "tick_size: 0 is not above 0"),
    (
        "base lot too fine",
        "decimals = 8",
        "decimals = 4",
        "lot_size: one lot must be whole atoms of the base",
    ),
    (
        "price off tick",
        'price_max = "1000000"',
        'price_max = "1000000.05"',
        "price_max: 1000000.05 is no multiple of tick_size = 0.1",
    ),
    (
        "quantity off lot",
        'qty_max = "100"',
        'qty_max = "0.000001"',
        "qty_max: 0.000001 is no multiple of lot_size = 0.00001",
    ),
    (
        "min above max",
        'qty_max = "100"',
        'qty_max = "100"\nqty_min = "200"',
        "qty_min: 200 is above qty_max = 100",
    ),
    (
        "notional min above max",
        'notional_max = "5000000"',
        'notional_max = "0.5"',
        "notional_min: 1 is above notional_max = 0.5",
    ),
    (
        "notional finer than an atom",
        'notional_max = "5000000"',
        'notional_max = "0.0000001"',
        "finer than an atom: USDC has 6",
    ),
    ("unknown base", 'base = "BTC"', 'base = "ETH"', "base: asset 'ETH' stands neither in this file"),
    ("base is quote", 'base = "BTC"', 'base = "USDC"', "base: base and quote are both USDC"),
    (
        "margins",
        "maintenance_margin_ppm = 25_000",
        "maintenance_margin_ppm = 60_000",
        "60000 is above initial_margin_ppm = 50000",
    ),
    (
        "tier out of order",
        "maintenance_margin_ppm = 25_000",
        _tiers((100, 60_000, 30_000), (100, 70_000, 30_000)),
        "instrument[1].tiers[1].notional_from: 100 is not above the tier before, which begins at 100",
    ),
    (
        "tier whose margin falls",
        "maintenance_margin_ppm = 25_000",
        _tiers((100, 40_000, 30_000)),
        "instrument[1].tiers[0].initial_margin_ppm: 40000 is below 50000, that of the tier before",
    ),
    (
        "tier whose maintenance falls",
        "maintenance_margin_ppm = 25_000",
        _tiers((100, 60_000, 24_999)),
        "tiers[0].maintenance_margin_ppm: 24999 is below 25000",
    ),
    (
        "tier with maintenance above initial",
        "maintenance_margin_ppm = 25_000",
        _tiers((100, 60_000, 60_001)),
        "tiers[0].maintenance_margin_ppm: 60001 is above initial_margin_ppm = 60000",
    ),
    (
        "tier beyond the whole",
        "maintenance_margin_ppm = 25_000",
        _tiers((100, 1_000_001, 60_001)),
        "instrument[1].tiers: 1000001 is outside the bounds (initial_margin_ppm",
    ),
    (
        "open interest bounds",
        "open_interest_scaling = { lower = 10_000_000, upper = 50_000_000 }",
        'open_interest_scaling = { lower = "5", upper = "5" }',
        "open_interest_scaling.upper: 5 is not above lower = 5",
    ),
    (
        "collateral out of order",
        'quote = "USDC"',
        'quote = "USDC"\ncollateral = [{ up_to = 2, haircut_ppm = 1 }, { up_to = 2, haircut_ppm = 1 }]',
        "collateral[1].up_to: 2 is not above the tier before, which ends at 2",
    ),
    (
        "haircut that falls",
        'quote = "USDC"',
        'quote = "USDC"\ncollateral = [{ up_to = 2, haircut_ppm = 9 }, { up_to = 3, haircut_ppm = 8 }]',
        "collateral[1].haircut_ppm: 8 is below 9, that of the tier before",
    ),
    (
        "haircut beyond the whole",
        'quote = "USDC"',
        'quote = "USDC"\ncollateral = [{ up_to = 2, haircut_ppm = 1_000_001 }]',
        "collateral: 1000001 is outside the bounds",
    ),
    (
        "split",
        "insurance_ppm = 100_000",
        "insurance_ppm = 200_000",
        "instrument[0].split: 1100000 is outside the bounds",
    ),
    (
        "rebate above the fee",
        "maker_ppm = 100,",
        "maker_ppm = -500,",
        "venue[0].fees.maker_ppm: -500 is outside the bounds (-taker_ppm",
    ),
    (
        "fee",
        "taker_ppm = 10_000",
        "taker_ppm = 200_000",
        "question[0].fees.taker_ppm: 200000 is outside the bounds",
    ),
    ("decimals", "decimals = 8", "decimals = 19", "asset[1].decimals: 19 is outside the bounds (at most 18)"),
    (
        "decimals far out",
        "decimals = 8",
        "decimals = 300",
        "asset[1].decimals: input should be less than or equal to 255, given was 300",
    ),
    (
        "symbol with a space",
        '"BTC-PERP"',
        '"BTC PERP"',
        "instrument[1].symbol: 'BTC PERP': a symbol has 1 to 64",
    ),
    (
        "symbol twice",
        '"BTC-PERP"',
        '"BTC-USDC"',
        "instrument[1].symbol: instrument BTC-USDC stands twice in this file",
    ),
    ("unit", 'tick_size = "0.001"', 'tick_size = "0.003"', "unit / tick_size = 1 / 0.003 = 1000/3 ticks"),
    (
        "one outcome",
        '    { symbol = "BTC-100K-2027-NO", name = "No" },\n',
        "",
        "question[0].outcomes: 1 is outside the bounds",
    ),
    ("outcome twice", "BTC-100K-2027-NO", "BTC-100K-2027-YES", "question[0]"),
    (
        "limits",
        "[[venue]]",
        "[limits]\naccounts_max = 0\n\n[[venue]]",
        "limits.accounts_max: input should be greater than or equal to 1",
    ),
    (
        "limits too wide",
        "[[venue]]",
        "[limits]\naccounts_max = 5000000000\n\n[[venue]]",
        "limits.accounts_max: 5000000000 does not fit",
    ),
    ("position", 'position_max = "500"', 'position_max = "500000000"', "instrument[1].position_max"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), CHANGES, ids=[name for name, *_ in CHANGES])
def test_a_mistake_names_its_line_and_field(name: str, old: str, new: str, message: str) -> None:
    assert old in EXAMPLE
    text = EXAMPLE.replace(old, new, 1)
    found = problems_of(text)
    assert any(message in problem for problem in found), found
    changed = EXAMPLE[: EXAMPLE.index(old)].count("\n") + 1
    lines = [int(problem.split(":")[1]) for problem in found]
    assert any(abs(line - changed) <= 20 for line in lines), (changed, found)


@pytest.mark.parametrize(("name", "old", "new", "message"), CHANGES, ids=[name for name, *_ in CHANGES])
def test_a_mistake_deploys_nothing_on_a_standing_exchange(
    name: str, old: str, new: str, message: str
) -> None:
    with xos.open() as exchange:
        exchange.deploy(loads('[[asset]]\nsymbol = "USDC"\ndecimals = 6\n'))
        before = exchange.state_hash
        with pytest.raises(xos.MarketFileError):
            exchange.deploy(loads(EXAMPLE.replace(old, new, 1)))
        assert (exchange.state_hash, exchange.sequence) == (before, 1)


def test_a_symbol_that_stands_is_refused_before_anything_is_sent(exchange: xos.Exchange) -> None:
    question = EXAMPLE[EXAMPLE.index("[[question]]") :]
    taken = question.replace("BTC-100K-2027-NO", "RACE-A")
    fresh = question.replace("BTC-100K-2027", "OTHER")
    sequence = exchange.sequence
    with pytest.raises(xos.MarketFileError, match="the symbol is taken by number 3"):
        exchange.deploy(loads(fresh + taken))
    assert exchange.sequence == sequence


def test_the_line_is_the_very_one() -> None:
    text = EXAMPLE.replace("maker_ppm = 100,", "maker_ppm = -500,", 1)
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "-500" in line)
    (problem,) = problems_of(text)
    assert problem.startswith(f"m.toml:{line}: venue[0].fees.maker_ppm: ")


def test_all_problems_come_at_once() -> None:
    text = EXAMPLE.replace("decimals = 8", 'decimals = "8"').replace('position_max = "500"\n', "")
    assert len(problems_of(text)) == 2


def test_deploying_twice_changes_nothing(exchange: xos.Exchange, market: Loaded) -> None:
    sequence = exchange.sequence
    done = exchange.deploy(market)
    assert done.missing == []
    assert len(done.standing) == 6
    assert exchange.sequence == sequence


def test_a_second_file_adds_to_what_stands(exchange: xos.Exchange) -> None:
    text = """
    [[instrument]]
    symbol = "BTC-PERP-2"
    product = "perpetual"
    tick_size = "1"
    lot_size = "0.01"
    price_max = 100000
    qty_max = 100
    notional_max = 1000000
    position_max = 1000
    initial_margin_ppm = 100_000
    maintenance_margin_ppm = 50_000
    matching = "arrival"
    """
    exchange.deploy(loads(text))
    assert exchange.instrument("BTC-PERP-2").number == 6


def test_other_terms_for_what_stands_are_refused(exchange: xos.Exchange, market: Loaded) -> None:
    text = '[[asset]]\nsymbol = "USDC"\ndecimals = 8\n'
    with pytest.raises(xos.MarketFileError, match=r"<text>:2: asset\[0\].symbol: asset USDC stands already"):
        exchange.deploy(loads(text))
    with pytest.raises(xos.MarketFileError, match=r"limits: limits can be declared only for a new exchange"):
        exchange.deploy(loads("[limits]\naccounts_max = 5\n"))


def test_limits_of_a_file_are_those_of_the_exchange() -> None:
    loaded = loads("[limits]\naccounts_max = 5\n\n" + EXAMPLE)
    with xos.open() as exchange:
        exchange.deploy(loaded)
        assert exchange.limits["accounts_max"] == 5
        assert exchange.deploy(loaded).missing == []


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(xos.MarketFileError, match=r"none.toml: No such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(xos.MarketFileError, match="byte 0 is not UTF-8"):
        load(tmp_path / "b.toml")


def test_warnings_forbid_nothing() -> None:
    text = EXAMPLE.replace("band_ppm = 100_000", "band_ppm = 0").replace(
        "initial_margin_ppm = 50_000", "initial_margin_ppm = 5_000"
    )
    text = text.replace("maintenance_margin_ppm = 25_000", "maintenance_margin_ppm = 5_000")
    text += '\n[[asset]]\nsymbol = "DUST"\ndecimals = 2\n'
    found = lint(loads(text))
    assert {problem.severity for problem in found} == {"warning"}
    said = "\n".join(map(str, found))
    for words in (
        "no price band",
        "200-fold leverage",
        "liquidation at once",
        "nothing in this file uses DUST",
    ):
        assert words in said
    assert plan(loads(text)).problems == []


# --- where keys stand ---

KEYS = st.text("abz_-09", min_size=1, max_size=4) | st.text("a .\"'#]é", min_size=1, max_size=3)
LEAVES = st.integers(0, 9) | st.booleans() | st.text("ab #[]{}=,\"'\\\n", max_size=5)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


def quoted(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    return '"' + "".join(escapes.get(letter, letter) for letter in text) + '"'


def written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[\n" + "".join(f"  {written(item)}, # ] }}\n" for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {written(item)}" for key, item in value.items()) + "}"
    return str(value)


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [found for key, item in items for found in [(*path, key), *paths(item, (*path, key))]]


@given(tables=st.lists(st.tuples(KEYS, st.dictionaries(KEYS, VALUES, max_size=3)), max_size=4))
def test_every_key_has_a_line_and_it_is_the_right_one(tables: list[tuple[str, dict[str, Any]]]) -> None:
    text = "# begins\n"
    for name, content in tables:
        text += f"[[ {quoted(name)} ]] # [x]\n\n"
        text += "".join(f"{quoted(key)} = {written(value)}\n" for key, value in content.items())
    lines = key_lines(text)
    data = tomllib.loads(text)
    assert set(paths(data)) <= set(lines)
    source = text.splitlines()
    for path, line in lines.items():
        if path and isinstance(path[-1], str):
            assert quoted(path[-1]) in source[line - 1]


def test_lines_of_all_kinds_of_toml() -> None:
    text = (
        'a = 1\nb.c = """\nx = 2\n"""\n[t] # c\n'
        "d = '''\n[[no]]\n''''\n[t.u]\ne = [1,\n 2, # ]\n [3]]\n[[v]]\n[[v]]\n"
        "f.g = {h = 1, i = {j = 2}}\n[v.w]\nk = 1979-05-27\n"
    )
    lines = key_lines(text)
    assert set(paths(tomllib.loads(text))) <= set(lines)
    expected = {
        ("a",): 1,
        ("b", "c"): 2,
        ("t",): 5,
        ("t", "d"): 6,
        ("t", "u", "e"): 10,
        ("t", "u", "e", 1): 11,
    }
    expected |= {("t", "u", "e", 2, 0): 12, ("v", 0): 13, ("v", 1): 14, ("v", 1, "f", "g", "i", "j"): 15}
    expected |= {("v", 1, "w"): 16, ("v", 1, "w", "k"): 17}
    assert {path: lines[path] for path in expected} == expected


FAR_OUT = ('"1e-999999"', '"1e999999"', '"0e999999"', f'"1{"3" * 110}"', f'"0.{"0" * 99}1"')


@pytest.mark.parametrize("given", FAR_OUT)
@pytest.mark.parametrize("field", ["tick_size", "lot_size", "price_max", "qty_max", "notional_max"])
def test_digits_far_from_the_point_are_refused_at_once(field: str, given: str) -> None:
    text = re.sub(rf'\b{field} = "[^"]*"', f"{field} = {given}", EXAMPLE, count=1)
    line = text[: text.index(given)].count("\n") + 1
    with pytest.raises(
        xos.MarketFileError, match=rf"file.toml:{line}: .*{field}: .*the most is 60"
    ) as caught:
        loads(text, "file.toml")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("given", ['"1e59"', '"1e-60"', f'"{"9" * 60}.{"9" * 60}"'])
@pytest.mark.parametrize("field", ["tick_size", "lot_size", "price_max", "qty_max", "notional_max"])
def test_digits_at_the_limit_are_judged_like_others(field: str, given: str) -> None:
    loaded = loads(re.sub(rf'\b{field} = "[^"]*"', f"{field} = {given}", EXAMPLE, count=1), "file.toml")
    assert any(field in str(problem) for problem in lint(loaded))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = " + "[" * 3_000 + "]" * 3_000, ":1: 3000 brackets inside each other"),
        ("\ndecimals = " + "9" * 5_000, ":2: an integer of 5000 digits"),
        (
            "[[asset]]\ndecimals = " + "9" * 4_000,
            r":2: asset\[0\].decimals: the integer 1e4000 or so",
        ),
        ('[[asset]]\nsymbol = "A"\ndecimals = 256', r"asset\[0\].decimals: .* less than or equal to 255"),
        ('[[asset]]\nsymbol = "A"\ndecimals = -1', r"asset\[0\].decimals: .* greater than or equal to 0"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(xos.MarketFileError, match=message) as caught:
        loads(text, "file.toml")
    assert len(str(caught.value)) < 400


def test_a_number_of_any_length_is_written_plainly() -> None:
    for number in ("0", "-0.5", "120", "1" + "3" * 110, "-0." + "0" * 110 + "1", "9" * 60 + "." + "9" * 60):
        assert plain_text(Decimal(number)) == number
    assert plain_text(Fraction(1, 3)) == "1/3"
