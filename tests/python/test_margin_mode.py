"""The margin mode of a perpetual in a market file: cross, or for isolated accounts alone."""

import pytest

import exchange_os as xos
from exchange_os.cli.init import template
from exchange_os.markets import Problem, lint, loads

EXAMPLE = template("example")


def problems_of(text: str) -> list[str]:
    try:
        return [str(problem) for problem in lint(loads(text, "m.toml")) if problem.severity == "error"]
    except xos.MarketFileError as error:
        return [str(problem) for problem in error.problems if isinstance(problem, Problem)]


def _margin_mode(mode: str, product: str = "perpetual") -> str:
    head = f'product = "{product}"\n'
    assert EXAMPLE.count(head) == 1
    return EXAMPLE.replace(head, f'{head}margin_mode = "{mode}"\n')


def test_a_perpetual_may_be_for_isolated_accounts_alone() -> None:
    with xos.open() as exchange:
        exchange.deploy(loads(_margin_mode("isolated")))
        exchange.set_mark("BTC-PERP", 50_000)
        parent = exchange.open_account("ann")
        exchange.deposit(parent, "USDC", 100_000)
        with pytest.raises(xos.Rejected, match="419 InstrumentIsIsolated"):
            exchange.buy(parent, "BTC-PERP", 50_000, 1)
        isolated = exchange.open_isolated(parent, "BTC-PERP")
        assert exchange.buy(isolated, "BTC-PERP", 50_000, 1).status == "resting"
        # Deployed again it is what stands; as cross it is another market.
        assert not exchange.deploy(loads(_margin_mode("isolated"))).missing
        with pytest.raises(xos.MarketFileError, match="BTC-PERP stands already"):
            exchange.deploy(loads(_margin_mode("cross")))


def test_the_margin_mode_is_cross_unless_said() -> None:
    with xos.open() as exchange:
        exchange.deploy(loads(_margin_mode("cross")))
        assert not exchange.deploy(loads(EXAMPLE)).missing
        exchange.set_mark("BTC-PERP", 50_000)
        account = exchange.open_account("ann")
        exchange.deposit(account, "USDC", 100_000)
        assert exchange.buy(account, "BTC-PERP", 50_000, 1).status == "resting"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (_margin_mode("portfolio"), "instrument[1].margin_mode"),
        (_margin_mode("isolated", "spot"), "instrument[0].margin_mode"),
    ],
)
def test_a_margin_mode_that_is_none_is_named(text: str, field: str) -> None:
    assert [problem for problem in problems_of(text) if field in problem], problems_of(text)


def test_a_leverage_that_is_no_whole_number_is_named() -> None:
    with xos.open() as exchange:
        exchange.deploy(loads(EXAMPLE))
        ann, perpetual = exchange.open_account("ann"), exchange.instruments()[0].symbol
        with pytest.raises(xos.InvalidArgument, match="leverage is a float"):
            exchange.set_leverage(ann, perpetual, 2.5)  # type: ignore[arg-type]


def test_receipts_of_an_account_that_does_not_exist_are_an_error() -> None:
    with xos.open() as exchange, pytest.raises(xos.UnknownName, match="account 99 does not exist"):
        exchange.adl_receipts(99)
