"""Votes through Python: proposals, votes, slashing, admission to cross, guardians, the command line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

import exchange_os as xos
from exchange_os.cli.governance import command

SECOND_NS = 1_000_000_000
AT = {"time_ns": SECOND_NS}
FILE = """
[limits]
change_delay_s_min = 60
delisting_window_s = 10

[[asset]]
symbol = "USD"
decimals = 6

[governance]
stake_asset = "USD"
stakes = { perpetual = "100" }
slots = { perpetual = 1 }
slot_price_min = "50"
slot_auction_s = 3_600
release_wait_s = 3_600

[governance.voting]
voters = [{ account = 2, weight = 1 }, { account = 1, weight = 2 }]
quorum_ppm = 500_000
majority_ppm = 666_666
voting_s = 100
time_lock_s = 60
guardians = [3]
emergency_s = 30

[[instrument]]
symbol = "BTC-PERP"
product = "perpetual"
tick_size = "0.1"
lot_size = "0.001"
price_max = "1000000"
qty_max = "100"
notional_max = "10000000"
position_max = "1000"
initial_margin_ppm = 100_000
maintenance_margin_ppm = 50_000
"""
OWN = (
    FILE[FILE.index("[[instrument]]") :]
    .replace("BTC-PERP", "OWN-PERP")
    .replace(
        'product = "perpetual"',
        'product = "perpetual"\nmargin_mode = "isolated"\nliquidation = { insurance_draw_max = 0 }',
    )
)


def file_with(tmp_path: Path, **changes: str) -> Path:
    text = FILE
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "market.toml"
    path.write_text(text)
    return path


def fill(exchange: xos.Exchange, tmp_path: Path) -> None:
    exchange.deploy(file_with(tmp_path), **AT)
    for owner in ("one", "two", "guardian", "deployer", "trader"):
        account = exchange.open_account(owner, **AT)
        exchange.deposit(account, "USD", 10_000, **AT)
    exchange.stake(4, 300, **AT)
    exchange.deploy(xos.markets.loads(OWN), account=4, **AT)


@pytest.fixture
def exchange(tmp_path: Path) -> xos.Exchange:
    exchange = xos.open()
    fill(exchange, tmp_path)
    return exchange


def pass_all(exchange: xos.Exchange, *proposals: int, time_ns: int = SECOND_NS) -> None:
    for proposal in proposals:
        exchange.vote(1, proposal, time_ns=time_ns)
    exchange.tick(time_ns=time_ns + 100 * SECOND_NS)
    exchange.tick(time_ns=time_ns + 160 * SECOND_NS)


def test_a_change_from_a_file_is_proposed_voted_on_and_takes_effect(
    exchange: xos.Exchange, tmp_path: Path
) -> None:
    other = file_with(tmp_path, initial_margin_ppm="initial_margin_ppm = 200_000 #")
    (proposal,) = exchange.propose_update(2, other, **AT)
    exchange.vote(2, proposal, in_favour=False, **AT)
    receipt = exchange.vote(1, proposal, **AT)
    (found,) = exchange.proposals()
    assert found.act is xos.ActKind.UPDATE_INSTRUMENT
    assert (found.on, found.account, found.votes) == ("BTC-PERP", 2, {1: True, 2: False})
    assert (found.weight_for, found.weight_against) == (2, 1)
    assert (found.ends_ns, found.effective_ns) == (101 * SECOND_NS, None)
    assert receipt.sequence > proposal
    exchange.tick(time_ns=found.ends_ns)
    (change,) = exchange.changes()
    assert (change.id, change.account, change.effective_ns) == (proposal, 0, 161 * SECOND_NS)
    with pytest.raises(xos.Rejected, match="only a vote"):
        exchange.withdraw_change(proposal, time_ns=found.ends_ns)
    exchange.tick(time_ns=change.effective_ns)
    assert exchange.proposals() == exchange.changes() == []
    assert exchange.propose_update(1, other) == []


def test_too_few_votes_change_nothing(exchange: xos.Exchange) -> None:
    proposal = exchange.propose_state(1, "BTC-PERP", "halted", **AT)
    exchange.vote(2, proposal, **AT)
    exchange.tick(time_ns=200 * SECOND_NS)
    assert exchange.proposals() == []
    assert exchange.instrument("BTC-PERP").state is xos.InstrumentState.CONTINUOUS


def test_a_vote_admits_an_isolated_perpetual(exchange: xos.Exchange) -> None:
    exchange.set_mark("OWN-PERP", 1_000, **AT)
    with pytest.raises(xos.Rejected, match="isolated accounts only"):
        exchange.place(5, "OWN-PERP", "buy", 1_000, "0.001", **AT)
    pass_all(exchange, exchange.propose_admission(1, "OWN-PERP", **AT))
    assert exchange.place(5, "OWN-PERP", "buy", 1_000, "0.001", time_ns=161 * SECOND_NS).order_id


def test_a_slash_pays_whom_it_harmed_and_keeps_the_stake_until_then(exchange: xos.Exchange) -> None:
    proposal = exchange.propose_slash(1, 4, 250, {5: 100, 2: 300}, **AT)
    (found,) = exchange.proposals()
    assert (found.act, found.on) == (xos.ActKind.SLASH, 4)
    with pytest.raises(xos.Rejected, match=r"51000000 atoms were asked back; 50000000 are free"):
        exchange.unstake(4, 51, **AT)
    assert (exchange.deployers()[0].locked, exchange.deployers()[0].slashing) == (100, 250)
    pass_all(exchange, proposal)
    totals = {account: exchange.balance(account, "USD").total for account in (2, 4, 5)}
    assert totals == {2: Decimal("10187.5"), 4: 9_700, 5: Decimal("10062.5")}
    assert exchange.deployers()[0].stake == 50


def test_other_terms_of_governance(exchange: xos.Exchange, tmp_path: Path) -> None:
    other = file_with(tmp_path, voting_s="voting_s = 50 #")
    pass_all(exchange, exchange.propose_terms(1, other, **AT))
    terms = exchange.governance()
    assert terms is not None
    assert terms["voting"]["voting_s"] == 50
    with pytest.raises(xos.InvalidArgument, match="no \\[governance\\]"):
        exchange.propose_terms(1, xos.markets.loads(OWN), **AT)


def test_a_market_is_delisted_by_a_vote(exchange: xos.Exchange) -> None:
    pass_all(exchange, exchange.propose_delisting(1, "OWN-PERP", **AT))
    exchange.tick(time_ns=300 * SECOND_NS)
    assert exchange.instrument("OWN-PERP").state is xos.InstrumentState.SETTLED


def test_a_guardian_restricts_for_a_time_and_a_vote_keeps_it(exchange: xos.Exchange) -> None:
    until_ns = exchange.set_emergency(3, "BTC-PERP", "reduce_only", **AT)
    assert until_ns == 31 * SECOND_NS
    assert exchange.emergencies() == [
        xos.Emergency("BTC-PERP", xos.InstrumentState.REDUCE_ONLY, account=3, until_ns=until_ns)
    ]
    with pytest.raises(xos.Rejected, match="no guardian"):
        exchange.set_emergency(1, "OWN-PERP", "halted", **AT)
    with pytest.raises(xos.InvalidArgument, match="no state"):
        exchange.set_emergency(3, "OWN-PERP", "settled")
    proposal = exchange.propose_confirmation(2, "BTC-PERP", **AT)
    exchange.vote(1, proposal, **AT)
    assert exchange.instrument("BTC-PERP").state is xos.InstrumentState.REDUCE_ONLY
    (rests,) = exchange.emergencies()
    assert rests.state is xos.InstrumentState.CONTINUOUS


def test_the_command_line_proposes_votes_and_lists(tmp_path: Path) -> None:
    directory = tmp_path / "exchange"
    with xos.open(directory) as exchange:
        fill(exchange, tmp_path)

    def run(*words: str) -> str:
        result = CliRunner().invoke(command, [*words, "--data", str(directory)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert run("list") == "nothing is proposed\n"
    number = run("propose", "admit", "OWN-PERP", "--account", "2").removeprefix("proposed: ").strip()
    assert "2 for, 0 against" in run("vote", number, "--for", "--account", "1")
    slash = run("propose", "slash", "4", "100", "--harmed", "5=60", "--harmed", "2=70", "--account", "1")
    assert slash.startswith("proposed: ")
    assert "halted until" in run("emergency", "BTC-PERP", "halted", "--account", "3")
    found = json.loads(run("list", "--json"))
    assert [row["act"] for row in found["proposals"]] == ["admit", "slash"]
    assert [row["on"] for row in found["proposals"]] == ["OWN-PERP", 4]
    assert found["emergencies"][0]["state"] == "halted"
    listed = run("list")
    assert f"{number} admit OWN-PERP: 2 for, 0 against, votes until" in listed
    assert "BTC-PERP halted by account 3 until" in listed


def test_the_command_line_refuses_claims_that_are_none(tmp_path: Path) -> None:
    for word in ("5", "=3", "x=3"):
        words = ["propose", "slash", "4", "100", "--harmed", word, "--account", "1", "--data", str(tmp_path)]
        result = CliRunner().invoke(command, words)
        assert result.exit_code == 2
        assert "ACCOUNT=AMOUNT" in result.output
