"""Simulated venues through Python: from the template to trades with money that cannot leave."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

import exchange_os as xos
from exchange_os.cli import main
from exchange_os.cli.init import template

FILE = template("simulated")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "market.toml"
    path.write_text(FILE)
    return path


@pytest.fixture
def exchange(path: Path) -> xos.Exchange:
    exchange = xos.open()
    exchange.deploy(path)
    for name in ("ann", "bob"):
        exchange.deposit(exchange.open_account(name, simulated=True), "USDC", 10_000)
    exchange.deposit(exchange.open_account("eve"), "USDC", 10_000)
    exchange.set_mark("BTC-PLAY", 60_000)
    return exchange


def test_the_template_lints_deploys_and_trades(tmp_path: Path) -> None:
    file, data = tmp_path / "m.toml", str(tmp_path / "data")
    for words in (
        ["init", "simulated", str(file)],
        ["lint", str(file)],
        ["deploy", str(file), "--data", data],
    ):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.output
    with xos.open(data) as exchange:
        for name in ("ann", "bob"):
            exchange.deposit(exchange.open_account(name, simulated=True), "USDC", 10_000)
        exchange.set_mark("BTC-PLAY", 60_000)
        exchange.sell(1, "BTC-PLAY", 60_000, "0.01", venue="playground")
        assert exchange.buy(2, "BTC-PLAY", 60_000, "0.01", venue="playground").filled == Decimal("0.010")
        exchange.sell(1, "REHEARSAL-YES", "0.4", 10, venue="playground")
        exchange.buy(2, "REHEARSAL-YES", "0.4", 10, venue="playground")
        exchange.resolve("DRESS-REHEARSAL", "REHEARSAL-YES")
        before = exchange.house()
    with xos.open(data) as exchange:
        assert exchange.house() == before
        assert set(before) == {"simulated"}
        assert exchange.is_simulated(1)


def test_accounts_are_of_one_kind_and_only_play_in_play(exchange: xos.Exchange) -> None:
    assert [exchange.is_simulated(account) for account in (1, 2, 3, 9)] == [True, True, False, False]
    with pytest.raises(xos.Rejected, match="has simulated money") as refused:
        exchange.withdraw(1, "USDC", 1)
    assert refused.value.reject is xos.Reject.MONEY_IS_SIMULATED
    with pytest.raises(xos.Rejected, match="is traded with simulated money only"):
        exchange.buy(3, "BTC-PLAY", 60_000, "0.01", venue="playground")
    with pytest.raises(xos.Rejected, match="belongs to venue 1"):
        exchange.buy(1, "BTC-PLAY", 60_000, "0.01")
    with pytest.raises(xos.Rejected) as refused:
        exchange.split(3, "DRESS-REHEARSAL", 1)
    assert refused.value.reject is xos.Reject.INSTRUMENT_IS_SIMULATED
    exchange.split(1, "DRESS-REHEARSAL", 1)
    exchange.merge(1, "DRESS-REHEARSAL", 1)
    for wrong in (1, "yes", None):
        with pytest.raises(xos.InvalidArgument):
            exchange.open_account("dan", simulated=wrong)  # type: ignore[arg-type]


def test_money_moves_between_accounts_of_one_kind(exchange: xos.Exchange) -> None:
    real, other = exchange.open_account("ann"), exchange.open_account("ann", simulated=True)
    exchange.transfer(1, other, "USDC", 5)
    for sender, receiver in ((1, real), (real, 1)):
        exchange.deposit(real, "USDC", 5)
        with pytest.raises(xos.Rejected, match="they never meet"):
            exchange.transfer(sender, receiver, "USDC", 1)


def test_a_loss_in_play_takes_nothing_from_the_insurance_fund(exchange: xos.Exchange) -> None:
    exchange.sell(1, "BTC-PLAY", 60_000, "8", venue="playground")
    exchange.buy(2, "BTC-PLAY", 60_000, "8", venue="playground")
    exchange.set_mark("BTC-PLAY", 58_000)
    assert exchange.positions(2) == []
    house = exchange.house()
    assert "insurance" not in house
    assert house["external"] == {"USDC": Decimal(-10_000)}
    totals = sum(exchange.balance(account, "USDC").total for account in (1, 2))
    pools = sum(amounts["USDC"] for name, amounts in house.items() if name not in ("external", "simulated"))
    assert totals + pools == -house["simulated"]["USDC"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("simulated = true", 'simulated = true\nlists = ["BTC-PLAY"]', "trades its own instruments alone"),
        ("simulated = true", "simulated = 1", "bool"),
    ],
)
def test_lint_names_what_a_simulated_venue_cannot_have(path: Path, old: str, new: str, said: str) -> None:
    path.write_text(FILE.replace(old, new))
    with pytest.raises(xos.MarketFileError, match=said):
        xos.open().deploy(path)
