"""Bad input of margin, liquidation and interest: over a market file an error that names the field, over
commands and bodies a numbered reject; the state hash stays."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

import exchange_os as xos
from exchange_os.markets import Problem, lint, loads, plan

S = 1_000_000_000
START = 4_000_000_000 * S
ASSETS = """
[[asset]]
symbol = "USD"
decimals = 2
debt_max = 1_000
debt_interest_ppm = 50_000

[[asset]]
symbol = "BTC"
decimals = 8

[[publisher]]
symbol = "FOX"
key = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"

[[publisher]]
symbol = "OWL"
key = "4b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"

[[instrument]]
symbol = "BTC-USD"
product = "spot"
base = "BTC"
quote = "USD"
tick_size = "1"
lot_size = "0.01"
price_max = "1000000"
qty_max = "1000"
notional_max = "100000000"
collateral = [{ up_to = 10, haircut_ppm = 50_000 }, { up_to = 50, haircut_ppm = 100_000 }]
conversion_slippage_ppm = 40_000
"""
PERPETUAL = """
[[instrument]]
symbol = "BTC-PERP"
product = "perpetual"
tick_size = "1"
lot_size = "0.01"
price_max = "1000000"
qty_max = "1000"
notional_max = "100000000"
position_max = "10000"
initial_margin_ppm = 50_000
maintenance_margin_ppm = 25_000
tiers = [{ notional_from = 1_000_000, initial_margin_ppm = 100_000, maintenance_margin_ppm = 50_000 }]

[instrument.liquidation]
policy = "growing"
price = "fillable"
spread_ppm = 1_500_000
growth = { duration_s = 60, initial_ppm = 100_000, small_shortage = 50 }
"""
ORACLE = """
[instrument.oracle]
sources = [{ publisher = "FOX" }]
sources_min = 1
"""
FILE = ASSETS + PERPETUAL
TIER = "initial_margin_ppm = 100_000, maintenance_margin_ppm = 50_000"
GROWTH = "growth = { duration_s = 60, initial_ppm = 100_000, small_shortage = 50 }"
SPREAD = 'price = "fillable"\nspread_ppm = 1_500_000\n'

OF_FILES: list[tuple[str, str, str, str]] = [
    (
        "maintenance above initial",
        "maintenance_margin_ppm = 25_000",
        "maintenance_margin_ppm = 50_001",
        "50001",
    ),
    (
        "maintenance of nothing",
        "maintenance_margin_ppm = 25_000",
        "maintenance_margin_ppm = 0",
        "maintenance",
    ),
    ("initial of nothing", "initial_margin_ppm = 50_000", "initial_margin_ppm = 0", "initial_margin_ppm"),
    ("tier from 0", "notional_from = 1_000_000", "notional_from = 0", "notional_from"),
    ("tier below 0", "notional_from = 1_000_000", "notional_from = -1", "notional_from"),
    ("tier without its beginning", "notional_from = 1_000_000, ", "", "notional_from: this field is missing"),
    ("tier of text", "tiers = [{", 'tiers = ["a", {', r"tiers\[0\]"),
    ("tier above everything", TIER, TIER.replace("100_000", "1_000_001"), "tiers"),
    ("a float in a tier", TIER, TIER.replace("100_000", "100_000.0"), "initial_margin_ppm"),
    ("interest below 0", "debt_interest_ppm = 50_000", "debt_interest_ppm = -1", "debt_interest_ppm: -1"),
    (
        "interest above 100 %",
        "debt_interest_ppm = 50_000",
        "debt_interest_ppm = 1_000_001",
        "debt_interest_ppm",
    ),
    ("interest of text", "debt_interest_ppm = 50_000", 'debt_interest_ppm = "5 %"', "debt_interest_ppm"),
    ("interest of a float", "debt_interest_ppm = 50_000", "debt_interest_ppm = 5e4", "debt_interest_ppm"),
    ("interest of true", "debt_interest_ppm = 50_000", "debt_interest_ppm = true", "debt_interest_ppm"),
    (
        "interest beyond 64 bits",
        "debt_interest_ppm = 50_000",
        "debt_interest_ppm = 99999999999999999999",
        "debt_in",
    ),
    (
        "interest twice",
        "debt_interest_ppm = 50_000",
        "debt_interest_ppm = 1\ndebt_interest_ppm = 1",
        "not TOML",
    ),
    (
        "interest of another asset",
        'symbol = "BTC"\ndecimals = 8',
        'symbol = "BTC"\ndecimals = 8\ndebt_interest_ppm = 1',
        r"asset\[1\].debt_interest_ppm",
    ),
    ("debt below 0", "debt_max = 1_000", "debt_max = -1", r"asset\[0\].debt_max: -1 USD is outside"),
    ("debt finer than atoms", "debt_max = 1_000", 'debt_max = "0.001"', r"asset\[0\].debt_max"),
    ("debt that is not a number", "debt_max = 1_000", 'debt_max = "much"', r"asset\[0\].debt_max"),
    (
        "slippage above the haircut",
        "slippage_ppm = 40_000",
        "slippage_ppm = 50_001",
        "conversion_slippage_ppm",
    ),
    ("haircut that falls", "haircut_ppm = 100_000", "haircut_ppm = 40_000", "collateral"),
    ("cap that falls", "up_to = 50", "up_to = 10", "collateral"),
    ("unknown policy", 'policy = "growing"', 'policy = "slow"', "liquidation.policy"),
    ("policy of a number", 'policy = "growing"', "policy = 3", "liquidation.policy"),
    ("policy twice", 'policy = "growing"', 'policy = "full"\npolicy = "full"', "not TOML"),
    ("growth with a ladder", 'policy = "growing"', 'policy = "ladder"', "liquidation.growth"),
    ("growth with full", 'policy = "growing"', 'policy = "full"', "liquidation.growth"),
    ("growing without growth", GROWTH, "", "liquidation.growth"),
    ("growth without a duration", "duration_s = 60, ", "", "growth.duration_s: this field is missing"),
    ("growth in no time", "duration_s = 60", "duration_s = 0", "growth: 0"),
    ("growth in two days", "duration_s = 60", "duration_s = 172_800", "growth: 172800"),
    ("growth below 0", "initial_ppm = 100_000,", "initial_ppm = -1,", "growth: -1"),
    ("growth above all", "initial_ppm = 100_000,", "initial_ppm = 1_000_001,", "growth: 1000001"),
    (
        "a small shortage below 0",
        "small_shortage = 50",
        "small_shortage = -50",
        "growth.small_shortage: -50 USD is outside",
    ),
    (
        "a small shortage finer than atoms",
        "small_shortage = 50",
        'small_shortage = "0.001"',
        "small_shortage",
    ),
    ("growth of a word", GROWTH, "growth = 60", "liquidation.growth"),
    ("an unknown word of growth", "duration_s = 60", "duration_s = 60, speed = 1", "growth.speed"),
    ("fillable without a spread", SPREAD, 'price = "fillable"\n', "liquidation.spread_ppm"),
    ("a spread with bankruptcy", SPREAD, "spread_ppm = 1\n", "liquidation.spread_ppm"),
    ("no spread at all", "spread_ppm = 1_500_000", "spread_ppm = 0", "liquidation.spread_ppm: 0"),
    ("a spread below 0", "spread_ppm = 1_500_000", "spread_ppm = -1", "liquidation.spread_ppm: -1"),
    (
        "a spread above ten times",
        "spread_ppm = 1_500_000",
        "spread_ppm = 10_000_001",
        "liquidation.spread_ppm",
    ),
    ("unknown price", 'price = "fillable"', 'price = "mark"', "liquidation.price"),
]


def _problems(text: str) -> str:
    try:
        found = [problem for problem in lint(loads(text, "m.toml")) if problem.severity == "error"]
    except xos.MarketFileError as error:
        found = [problem for problem in error.problems if isinstance(problem, Problem)]
    return "\n".join(map(str, found))


def test_the_file_itself_has_no_fault() -> None:
    assert _problems(FILE) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"), [row[1:] for row in OF_FILES], ids=[row[0] for row in OF_FILES]
)
def test_a_file_is_refused_with_the_name_of_the_field(old: str, new: str, said: str) -> None:
    assert FILE.count(old) == 1
    text = FILE.replace(old, new)
    assert re.search(said, _problems(text)), _problems(text)
    exchange = xos.open()
    before = exchange.state_hash
    with pytest.raises(xos.MarketFileError):
        exchange.deploy(loads(text, "m.toml"))
    assert exchange.state_hash == before


@pytest.fixture
def exchange() -> Iterator[xos.Exchange]:
    """Ann is long 1 BTC at 50,000 with 10,000 USD and 1 BTC; on BTC-ORACLE only publishers tell prices."""
    with xos.open() as exchange:
        second = PERPETUAL.replace("BTC-PERP", "BTC-ORACLE")
        exchange.deploy(loads(FILE + second + ORACLE), time_ns=START + 100 * S)
        ann, bob = exchange.open_account("ann"), exchange.open_account("bob")
        exchange.deposit(ann, "USD", 10_000)
        exchange.deposit(ann, "BTC", 1)
        exchange.deposit(bob, "USD", 1_000_000)
        exchange.set_index("BTC-USD", 50_000)
        exchange.set_mark("BTC-PERP", 50_000)
        exchange.publish_price(
            "FOX", "BTC-ORACLE", 50_000, published_ns=START + 91 * S, time_ns=START + 100 * S
        )
        exchange.sell(bob, "BTC-PERP", 50_000, 30)
        exchange.buy(ann, "BTC-PERP", 50_000, 1)
        exchange.open_isolated(ann, "BTC-PERP")
        yield exchange


def _publish(price: int, published_s: int = 100, publisher: str | int = "FOX", time_s: int = 100) -> Any:
    return lambda x: x.publish_price(
        publisher, "BTC-ORACLE", price, published_ns=START + published_s * S, time_ns=START + time_s * S
    )


OF_COMMANDS: list[tuple[str, Callable[[xos.Exchange], Any], int, int | None, int | None]] = [
    ("a publisher of something else", _publish(50_000, publisher="OWL"), 332, 2, 3),
    ("price 0", _publish(0), 307, 0, 1),
    ("price below 0", _publish(-1), 307, -1, 1),
    ("price above the highest", _publish(1_000_001), 308, 1_000_001, 1_000_000),
    ("ten times the last", _publish(500_000), 337, 500_000, 50_000),
    ("a tenth of the last", _publish(5_000), 337, 5_000, 50_000),
    ("older than the last", _publish(50_000, 90), 335, START + 90 * S, START + 91 * S),
    ("as old as the last", _publish(50_000, 91), 335, START + 91 * S, START + 91 * S),
    ("out of the future", _publish(50_000, 101), 334, START + 101 * S, START + 100 * S),
    ("stale", _publish(50_000, 92, time_s=102), 336, START + 92 * S, START + 92 * S),
    ("a mark beside publishers", lambda x: x.set_mark("BTC-ORACLE", 50_000), 338, 3, 0),
    ("an index beside publishers", lambda x: x.set_index("BTC-ORACLE", 50_000), 338, 3, 0),
    ("mark 0", lambda x: x.set_mark("BTC-PERP", 0), 307, 0, 1),
    ("leverage above the rate", lambda x: x.set_leverage(1, "BTC-PERP", 21), 412, 21, 20),
    ("leverage above the tier", lambda x: x.set_leverage(2, "BTC-PERP", 11), 412, 11, 10),
    ("leverage below 0", lambda x: x.set_leverage(1, "BTC-PERP", -1), 412, -1, 20),
    ("leverage on spot", lambda x: x.set_leverage(1, "BTC-USD", 2), 411, 1, 0),
    ("leverage that cannot be carried", lambda x: x.set_leverage(2, "BTC-PERP", 1), 405, None, None),
    ("all of the money", lambda x: x.withdraw(1, "USD", "10000.01"), 404, 1_000_001, 1_000_000),
    ("more collateral than there is", lambda x: x.withdraw(1, "BTC", "1.00000001"), 404, 100_000_001, 10**8),
    ("money under margin to a sister", lambda x: x.transfer(2, 3, "USD", 1), 415, 3, 2),
    ("collateral into an isolated account", lambda x: x.transfer(1, 3, "BTC", "0.1"), 418, 3, 2),
    ("a deposit into an isolated account", lambda x: x.deposit(3, "USD", 1), 418, 3, 2),
    ("an isolated account elsewhere", lambda x: x.buy(3, "BTC-USD", 50_000, "0.01"), 418, 3, 2),
    ("a second isolated account", lambda x: x.open_isolated(1, "BTC-PERP"), 417, 3, 1),
    ("an isolated account of one", lambda x: x.open_isolated(3, "BTC-PERP"), 416, 3, 1),
    ("an isolated account on spot", lambda x: x.open_isolated(1, "BTC-USD"), 411, 1, 0),
    ("a debt beyond the limit", lambda x: x.buy(1, "BTC-USD", 50_000, 1), 404, None, None),
]


@pytest.mark.parametrize(
    ("call", "reject", "value", "limit"),
    [row[1:] for row in OF_COMMANDS],
    ids=[row[0] for row in OF_COMMANDS],
)
def test_a_command_is_refused_with_value_and_limit(
    exchange: xos.Exchange,
    call: Callable[[xos.Exchange], Any],
    reject: int,
    value: int | None,
    limit: int | None,
) -> None:
    before = exchange.state_hash
    if reject == 336:
        exchange.tick(time_ns=START + 102 * S)
        before = exchange.state_hash
    with pytest.raises(xos.Rejected) as caught:
        call(exchange)
    assert caught.value.reject == reject
    assert value is None or (caught.value.value, caught.value.limit) == (value, limit)
    assert exchange.state_hash == before


def _twice(body: dict[str, Any], field: str) -> bytes:
    """The body with a field of its liquidation terms said twice."""
    packed = bytes(msgspec.msgpack.encode(body))
    terms = bytes(msgspec.msgpack.encode(body["instrument"]["liquidation"]))
    word = bytes(msgspec.msgpack.encode(field))
    value = bytes(msgspec.msgpack.encode(body["instrument"]["liquidation"][field]))
    assert packed.count(terms) == 1
    assert terms[0] & 0xF0 == 0x80
    return packed.replace(terms, bytes([terms[0] + 1]) + terms[1:] + word + value)


Spoil = Callable[[dict[str, Any]], Any]


def _of_liquidation(**fields: Any) -> Spoil:
    return lambda body: body["instrument"]["liquidation"].update(fields)


def _of_growth(**fields: Any) -> Spoil:
    return lambda body: body["instrument"]["liquidation"]["growth"].update(fields)


def _of_tier(**fields: Any) -> Spoil:
    return lambda body: body["instrument"]["margin"]["tiers"][0].update(fields)


def _without(field: str) -> Spoil:
    return lambda body: body["instrument"]["liquidation"].pop(field)


OF_BODIES: list[tuple[str, Spoil, int, int | None]] = [
    ("tier from 0", _of_tier(notional_from="0"), 507, 53),
    ("tier of a falling rate", _of_tier(initial_ppm=49_999), 507, 54),
    ("tier with maintenance above initial", _of_tier(maintenance_ppm=100_001), 507, 55),
    ("tier of text", _of_tier(initial_ppm="all"), 502, None),
    ("policy of a number", _of_liquidation(policy=3), 502, None),
    ("unknown policy", _of_liquidation(policy="slow"), 502, None),
    ("policy in capitals", _of_liquidation(policy="Growing"), 502, None),
    ("no policy", _of_liquidation(policy=None), 502, None),
    ("another policy", _of_liquidation(policy="full"), 507, 86),
    ("no growth", _without("growth"), 507, 86),
    ("no duration", _of_growth(duration_s=0), 507, 87),
    ("a duration below 0", _of_growth(duration_s=-1), 502, None),
    ("a duration beyond 32 bits", _of_growth(duration_s=2**32), 502, None),
    ("a duration of a float", _of_growth(duration_s=60.0), 502, None),
    ("an unknown word", _of_growth(speed=1), 502, None),
    ("an initial part below 0", _of_growth(initial_ppm=-1), 507, 88),
    ("an initial part above all", _of_growth(initial_ppm=1_000_001), 507, 88),
    ("unknown price", _of_liquidation(price="mark"), 502, None),
    ("a price of true", _of_liquidation(price=True), 502, None),
    ("no spread", _without("spread_ppm"), 507, 90),
    ("a spread of another price", _of_liquidation(price="bankruptcy"), 507, 90),
    ("a spread beyond 32 bits", _of_liquidation(spread_ppm=2**31), 502, None),
]


def _body(kind: str, symbol: str) -> dict[str, Any]:
    (found,) = [item for item in plan(loads(FILE)).missing if (item.kind, item.symbol) == (kind, symbol)]
    decoded: dict[str, Any] = msgspec.msgpack.decode(found.body)
    return decoded


def _refused(exchange: xos.Exchange, body: bytes, reject: int, limit: int | None) -> None:
    before = exchange.state_hash
    with pytest.raises(xos.Rejected) as caught:
        exchange.deploy_body(body)
    assert caught.value.reject == reject
    assert limit is None or caught.value.limit == limit
    assert exchange.state_hash == before


@pytest.mark.parametrize(
    ("spoil", "reject", "limit"), [row[1:] for row in OF_BODIES], ids=[row[0] for row in OF_BODIES]
)
def test_a_body_is_refused_by_number(
    exchange: xos.Exchange, spoil: Spoil, reject: int, limit: int | None
) -> None:
    body = _body("instrument", "BTC-PERP")
    body["instrument"]["symbol"] = "NEW-PERP"
    spoil(body)
    _refused(exchange, bytes(msgspec.msgpack.encode(body)), reject, limit)


def test_a_body_says_nothing_twice(exchange: xos.Exchange) -> None:
    body = _body("instrument", "BTC-PERP")
    body["instrument"]["symbol"] = "NEW-PERP"
    _refused(exchange, _twice(body, "policy"), 502, None)


@pytest.mark.parametrize(
    ("ppm", "reject", "limit"), [(-1, 507, 93), (1_000_001, 507, 93), ("5 %", 502, None), (5e4, 502, None)]
)
def test_interest_out_of_bounds_is_refused(ppm: object, reject: int, limit: int | None) -> None:
    body = _body("asset", "USD")
    body["asset"]["debt_interest_ppm"] = ppm
    with xos.open() as exchange:
        _refused(exchange, bytes(msgspec.msgpack.encode(body)), reject, limit)


def test_a_second_asset_bears_no_interest(exchange: xos.Exchange) -> None:
    body = _body("asset", "BTC")
    body["asset"] |= {"symbol": "ETH", "debt_interest_ppm": 1}
    _refused(exchange, bytes(msgspec.msgpack.encode(body)), 507, 93)
