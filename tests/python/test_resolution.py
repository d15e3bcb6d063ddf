"""Questions with resolvers: from the market file to a timeline, and what is refused on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

import exchange_os as xos
from exchange_os.errors import Rejected
from exchange_os.markets import lint, loads

MARKET = """
[[asset]]
symbol = "USDC"
decimals = 6

[[question]]
symbol = "CUP"
text = "Which side wins the final, penalties included?"
outcomes = [{ symbol = "CUP-A", name = "A" }, { symbol = "CUP-B", name = "B" }]
tick_size = "0.01"
lot_size = "1"
qty_max = "10000"
notional_max = "10000"
position_max = "10000"
fees = { taker_ppm = 1000 }

[question.resolution]
rule = "The side that is announced as the winner by the organiser, penalties included, on the day itself."
sources = ["https://example.org/one", "https://example.org/two"]
closes = 2100-01-01T00:00:00Z
resolvers = [1]
bond = "10"
second_resolvers = [2, 3]
second_bond = "30"
quorum = 2
void = { CUP-A = "0.5", CUP-B = "0.5" }
"""
CLOSES_NS = 4_102_444_800 * 10**9
JUDY, KIM, LEE, ANN, BOB = range(1, 6)


@pytest.fixture
def cup() -> Iterator[xos.Exchange]:
    with xos.open() as exchange:
        exchange.deploy(loads(MARKET.split("[[question]]", maxsplit=1)[0]))
        for name in ("judy", "kim", "lee", "ann", "bob"):
            exchange.deposit(exchange.open_account(name), "USDC", 100)
        exchange.deploy(loads(MARKET))
        exchange.split(ANN, "CUP", 20)
        exchange.sell(ANN, "CUP-A", "0.4", 20)
        exchange.buy(BOB, "CUP-A", "0.4", 20)
        yield exchange


def test_the_terms_are_there_to_be_read(cup: xos.Exchange) -> None:
    found = cup.resolution("CUP")
    assert found is not None
    assert (found.stage, found.closes_ns, found.ends_ns) == (xos.ResolutionStage.OPEN, CLOSES_NS, CLOSES_NS)
    assert (found.resolvers, found.second_resolvers, found.quorum) == ((JUDY,), (KIM, LEE), 2)
    assert (found.bond, found.second_bond, found.bonds) == (10, 30, 0)
    assert found.rule.startswith("The side that is announced")
    assert len(found.rule_hash) == 64
    assert found.timeline() == [(CLOSES_NS, "trading stops")]


def test_an_unchallenged_proposal_pays(cup: xos.Exchange) -> None:
    cup.propose(JUDY, "CUP", {"CUP-A": 1}, time_ns=CLOSES_NS)
    proposed = cup.resolution("CUP")
    assert proposed is not None
    assert proposed.proposal is not None
    assert proposed.proposal.payouts == {"CUP-A": 1, "CUP-B": 0}
    assert cup.house()["bonds CUP"] == {"USDC": 10}
    assert proposed.timeline()[-1] == (
        CLOSES_NS + 7_200 * 10**9,
        "decided as proposed if nobody has challenged",
    )
    cup.tick(time_ns=CLOSES_NS + 7_200 * 10**9)
    assert cup.question("CUP").settled
    assert cup.balance(BOB, "USDC").total == 100 - 8 - Decimal("0.008") + 20
    assert cup.balance(JUDY, "USDC").total == 100
    assert cup.conservation() == {"USDC": 0}
    decided = cup.resolution("CUP")
    assert decided is not None
    assert decided.decided_by is xos.DecidedBy.PROPOSAL
    assert [text for _, text in decided.timeline()] == [
        "trading stops",
        "proposed by account 1",
        "decided by proposal",
    ]


def test_a_dispute_is_decided_by_the_second_set(cup: xos.Exchange) -> None:
    cup.propose(JUDY, "CUP", {"CUP-A": 1}, time_ns=CLOSES_NS)
    cup.challenge(ANN, "CUP")
    for voter in (KIM, LEE):
        cup.decide(voter, "CUP", {"CUP-A": "0.25", "CUP-B": "0.75"})
    totals = [cup.balance(account, "USDC").total for account in (JUDY, KIM, LEE)]
    assert totals == [90, Decimal("102.5"), Decimal("102.5")]
    assert cup.question("CUP").payouts == {"CUP-A": Decimal("0.25"), "CUP-B": Decimal("0.75")}
    assert "bonds CUP" not in cup.house()


def test_the_second_set_voids_a_question_that_trades(cup: xos.Exchange) -> None:
    cup.void(KIM, "CUP")
    assert not cup.question("CUP").payouts
    cup.void(LEE, "CUP")
    assert set(cup.question("CUP").payouts.values()) == {Decimal("0.5")}


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda x: x.propose(JUDY, "CUP", {"CUP-A": 1}), "236 WindowNotOpen"),
        (lambda x: x.propose(KIM, "CUP", {"CUP-A": 1}), "235 NotAResolver"),
        (lambda x: x.propose(JUDY, "CUP", {"CUP-A": "0.5"}), "232 PayoutsNotOne"),
        (lambda x: x.challenge(ANN, "CUP"), "239 NothingToDecide"),
        (lambda x: x.decide(KIM, "CUP", {"CUP-A": 1}), "239 NothingToDecide"),
        (lambda x: x.void(ANN, "CUP"), "235 NotAResolver"),
        (lambda x: x.resolve("CUP", "CUP-A"), "234 HasResolvers"),
        (lambda x: x.settle("CUP", {"CUP-A": 1}), "234 HasResolvers"),
        (lambda x: x.buy(JUDY, "CUP-A", "0.4", 1), "243 ResolverMayNotStand"),
        (lambda x: x.split(LEE, "CUP", 1), "243 ResolverMayNotStand"),
    ],
)
def test_what_is_refused(cup: xos.Exchange, act: Callable[[xos.Exchange], object], words: str) -> None:
    before = cup.state_hash
    with pytest.raises(Rejected, match=words):
        act(cup)
    assert cup.state_hash == before


def test_a_question_without_resolvers_has_no_resolution(exchange: xos.Exchange) -> None:
    assert exchange.resolution("RACE") is None
    with pytest.raises(Rejected, match="233 NotResolvable"):
        exchange.challenge(1, "RACE")


def test_a_sound_file_has_no_problem() -> None:
    assert lint(loads(MARKET)) == []


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("2100-01-01", "2020-01-01", "later than now"),
        ('"0.5", CUP-B = "0.5"', '"0.5", CUP-B = "0.4"', "add up to 0.9, not to 1"),
        ('CUP-B = "0.5" }', 'CUP-C = "0.5" }', "'CUP-C' is no outcome"),
        ('CUP-A = "0.5", CUP-B', 'CUP-A = "0.3333333", CUP-B', "no share of the unit"),
        ('second_bond = "30"', 'second_bond = "10"', "more than bond"),
        ("quorum = 2", "quorum = 1", "more than half"),
        ("second_resolvers = [2, 3]", "second_resolvers = [1, 3]", "named twice"),
        ('bond = "10"', 'bond = "0.0000001"', "finer than an atom"),
        ("resolvers = [1]", "resolvers = []", "1 to 16 accounts"),
    ],
)
def test_contradictions_of_a_file(right: str, wrong: str, words: str) -> None:
    assert right in MARKET
    problems = [
        problem for problem in lint(loads(MARKET.replace(right, wrong, 1))) if words in problem.message
    ]
    assert [problem.severity for problem in problems] == ["error"]


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ('rule = "The side', 'rule = "A."\n# "The side', "hardly say what decides"),
        ("quorum = 2", "quorum = 2\nchallenge_s = 60", "60 s are short"),
        (', "https://example.org/two"', "", "one source alone"),
        ("quorum = 2", "quorum = 2\ndispute_risk = true", "leaves room for dispute"),
        ('second_bond = "30"', 'second_bond = "1001"', "makes it void"),
        ('CUP-A = "0.5", CUP-B = "0.5"', "CUP-B = 1", "has everything if it is void"),
    ],
)
def test_doubts_about_a_file(right: str, wrong: str, words: str) -> None:
    assert right in MARKET
    problems = lint(loads(MARKET.replace(right, wrong, 1)))
    assert [problem.severity for problem in problems if words in problem.message] == ["warning"]


def test_the_bond_grows_with_the_sets(cup: xos.Exchange) -> None:
    market = MARKET.replace("CUP", "BOWL").replace(
        '\nbond = "10"\n', '\nbond = "10"\nbond_share_ppm = 900_000\n'
    )
    cup.deploy(loads(market))
    cup.split(ANN, "BOWL", 20)
    cup.propose(JUDY, "BOWL", {"BOWL-A": 1}, time_ns=CLOSES_NS)
    found = cup.resolution("BOWL")
    assert found is not None
    assert (found.bond, found.bond_share_ppm, found.bonds) == (10, 900_000, 18)
    cup.challenge(BOB, "BOWL", time_ns=CLOSES_NS + 1)
    assert cup.house()["bonds BOWL"] == {"USDC": 36}
