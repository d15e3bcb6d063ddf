"""A question whose first resolver is wrong: proposed, challenged, decided by the second set, paid out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from exchange_os.exchange import Exchange
from exchange_os.markets import load, plan
from exchange_os.records import Events

_HOUR_NS = 3_600 * 10**9
_BOND, _SECOND_BOND = 1_000, 5_000
_MARKET = """\
[[asset]]
symbol = "USD"
decimals = 6

[[question]]
symbol = "{symbol}"
text = "Is the final of the 2026 World Cup decided by a penalty shoot-out?"
tick_size = "0.001"
lot_size = 1
qty_max = 100000
notional_max = 1000000
position_max = 1000000
outcomes = [
    {{ symbol = "{symbol}.yes", name = "Yes" }},
    {{ symbol = "{symbol}.no", name = "No" }},
]
fees = {{ maker_ppm = -2000, taker_ppm = 10000 }}

[question.resolution]
rule = "Yes if the match report of the organiser lists kicks from the penalty mark, otherwise No."
sources = ["https://www.fifa.com", "https://www.bbc.com/sport"]
closes = {closes}
resolvers = [{proposer}]
bond = {bond}
second_resolvers = [{judges}]
second_bond = {second_bond}
quorum = 2
void = {{ "{symbol}.yes" = "0.5", "{symbol}.no" = "0.5" }}
"""


@dataclass(slots=True)
class Dispute:
    """What came of it."""

    symbol: str = "final-by-penalties"
    timeline: tuple[str, ...] = ()
    paying: str | None = None
    pool: Decimal = Decimal(0)
    proposer_lost: Decimal = Decimal(0)
    commands: dict[str, int] = field(default_factory=dict)
    events: int = 0


def play_dispute(exchange: Exchange, folder: Path, by_penalties: bool, time_ns: int) -> Dispute:
    """Plays it after the final, on an exchange that stands at `time_ns`."""
    found = Dispute()

    def sent(kind: str, count: int = 1) -> None:
        found.commands[kind] = found.commands.get(kind, 0) + count

    def hear(events: Events) -> None:
        found.events += len(events)

    heard = exchange.subscribe(hear)
    names = ("referee", "judge-1", "judge-2", "judge-3", "sceptic", "optimist")
    accounts = {name: exchange.open_account(name, time_ns=time_ns) for name in names}
    for account in accounts.values():
        exchange.deposit(account, "USD", 10_000, time_ns=time_ns)
    sent("open_account", len(names))
    sent("deposit", len(names))
    judges = [accounts[f"judge-{number}"] for number in (1, 2, 3)]
    closes_ns = time_ns + _HOUR_NS
    path = folder / "999-final-by-penalties.toml"
    text = _MARKET.format(
        symbol=found.symbol,
        closes=datetime.fromtimestamp(closes_ns // 10**9, UTC).isoformat(),
        proposer=accounts["referee"],
        judges=", ".join(map(str, judges)),
        bond=_BOND,
        second_bond=_SECOND_BOND,
    )
    path.write_text(text, encoding="utf-8")
    # Not `exchange.deploy`: its rehearsal has the time of today, when this question has long closed.
    asked = plan(load(path), exchange._directory.standing)
    for deployment in asked.missing:
        exchange.deploy_body(deployment.body, time_ns=time_ns)
    sent("deploy", len(asked.missing))
    yes, no = f"{found.symbol}.yes", f"{found.symbol}.no"
    true, false = (yes, no) if by_penalties else (no, yes)
    exchange.sell(accounts["sceptic"], yes, "0.30", 5_000, time_ns=time_ns)
    exchange.buy(accounts["optimist"], yes, "0.30", 5_000, time_ns=time_ns)
    sent("place", 2)
    exchange.propose(accounts["referee"], found.symbol, {false: 1}, time_ns=closes_ns)
    exchange.challenge(accounts["sceptic"], found.symbol, time_ns=closes_ns + _HOUR_NS)
    for judge in judges[:2]:
        exchange.decide(judge, found.symbol, {true: 1}, time_ns=closes_ns + 2 * _HOUR_NS)
    sent("propose_resolution")
    sent("challenge_resolution")
    sent("decide_resolution", 2)
    while not exchange.question(found.symbol).settled:
        exchange.tick(time_ns=closes_ns + 2 * _HOUR_NS)
        sent("tick")
    heard.close()
    house = exchange.house()
    held = (house.get(f"{kind} {found.symbol}", {}).get("USD", Decimal(0)) for kind in ("question", "bonds"))
    resolution = exchange.resolution(found.symbol)
    found.timeline = tuple(text for _, text in resolution.timeline()) if resolution is not None else ()
    found.paying = exchange.question(found.symbol).paying
    found.pool = sum(held, Decimal(0))
    found.proposer_lost = 10_000 - exchange.balance(accounts["referee"], "USD").total
    return found
