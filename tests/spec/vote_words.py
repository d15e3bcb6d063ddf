"""Acts of governance as lines, votes and emergencies as cells of events, and what is proposed as rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import governance_words

import exchange_os as xos

if TYPE_CHECKING:
    from answers import Event
    from deployment_lines import Numbers
    from desk import Desk, Given

Pairs = dict[str, str]

_KIND = xos.EventKind
ACTS = {_KIND.PROPOSAL_MADE, _KIND.PROPOSAL_PASSED, _KIND.PROPOSAL_FAILED, _KIND.PROPOSAL_EFFECTIVE}
TALLIED = {_KIND.PROPOSAL_PASSED, _KIND.PROPOSAL_FAILED}
VOTES = {_KIND.VOTE_CAST}
SLASHED = {_KIND.STAKE_SLASHED, _KIND.HARM_PAID}
EMERGENCIES = {_KIND.EMERGENCY_SET, _KIND.EMERGENCY_ENDED}
OF_PROPOSALS = ACTS | VOTES | {_KIND.STAKE_SLASHED}


def voting_of(pairs: Pairs, accounts: dict[str, int], ppm: Callable[[str], int]) -> dict[str, Any]:
    """`voters=ann:3,ben quorum=50% majority=66% voting_s=10 lock_s=5 guardians=cyd binds=yes`."""
    if "voters" not in pairs:
        return {}
    voters = [
        {"account": _number(name, accounts), "weight": int(weight or 1)}
        for name, _, weight in (part.partition(":") for part in pairs.pop("voters").split(",") if part)
    ]
    guardians = [_number(name, accounts) for name in pairs.pop("guardians", "").split(",") if name]
    body = {
        "voters": voters,
        "quorum_ppm": ppm(pairs.pop("quorum", "500_000")),
        "majority_ppm": ppm(pairs.pop("majority", "500_001")),
        "voting_s": int(pairs.pop("voting_s", "10")),
        "time_lock_s": int(pairs.pop("lock_s", "5")),
        "binds_operator": bool(pairs.pop("binds", "")),
        "guardians": guardians,
        "emergency_s": int(pairs.pop("emergency_s", "0")),
    }
    return {"voting": body}


def act_of(
    words: tuple[str, ...],
    numbers: Numbers,
    pairs_of: Callable[[tuple[str, ...]], Pairs],
    spec_of: Callable[[str, str, Pairs, Numbers], dict[str, Any]],
    ppm: Callable[[str], int],
) -> dict[str, Any]:
    """`act slash ann amount=50 harmed=ben:30,cyd:40 by=dan`: what is done, on what, and who proposes it."""
    kind = words[0]
    named = {"terms": 1, "update": 3}.get(kind, 2)
    symbol, pairs = words[named - 1], pairs_of(words[named:])
    account = _number(pairs.pop("by"), numbers.accounts)
    act: dict[str, Any]
    match kind:
        case "update":
            update = governance_words.update_of(words[1:], numbers, pairs_of, spec_of)
            ((name, body),) = update.items()
            act = {name: {key: value for key, value in body.items() if key not in {"account", "delay_s"}}}
            pairs = {}
        case "delist":
            market = pairs.pop("market", "instrument")
            tables = {
                "instrument": numbers.instruments,
                "venue": numbers.venues,
                "question": numbers.questions,
            }
            code = xos.MarketKind[market.upper()]
            act = {"delist": {"kind": int(code), "target": _number(symbol, tables[market])}}
        case "slash":
            parts = (part.partition(":") for part in pairs.pop("harmed", "").split(",") if part)
            harmed = [
                {"account": _number(name, numbers.accounts), "claim": claim} for name, _, claim in parts
            ]
            amount = pairs.pop("amount", "0")
            deployer = _number(symbol, numbers.accounts)
            act = {"slash": {"account": deployer, "amount": amount, "harmed": harmed}}
        case "terms":
            act = {"terms": governance_words.terms_of(pairs, numbers.assets, numbers.accounts, ppm)}
        case _:
            body = {"instrument": _number(symbol, numbers.instruments)}
            if kind == "set_state":
                body["state"] = int(xos.InstrumentState[pairs.pop("state", "halted").upper()])
            act = {kind: body}
    assert not pairs, f"not known here: {', '.join(pairs)}"
    return {"propose_act": {"account": account, "act": act}}


def _number(text: str, names: dict[str, int]) -> int:
    return int(text[1:]) if text.startswith("#") else names[text]


def on(desk: Desk, event: Event) -> str:
    """What an act is about."""
    number = event["instrument"]
    match xos.ActKind(event["side"]):
        case xos.ActKind.SLASH:
            return desk.account_name(number)
        case xos.ActKind.TERMS:
            return ""
        case xos.ActKind.UPDATE_VENUE:
            return governance_words.market_name(desk, xos.MarketKind.VENUE, number)
        case xos.ActKind.UPDATE_QUESTION:
            return governance_words.market_name(desk, xos.MarketKind.QUESTION, number)
    return governance_words.market_name(desk, xos.MarketKind.INSTRUMENT, number)


def state(event: Event) -> str:
    """The act, the vote, or the state that an emergency holds an instrument to."""
    if event["kind"] in VOTES:
        return "for" if event["side"] else "against"
    if event["kind"] in ACTS:
        return xos.ActKind(event["side"]).name.lower()
    return xos.InstrumentState(event["side"]).name.lower()


def proposals(desk: Desk) -> list[dict[str, str]]:
    """Rows of `then proposals`."""

    def names(votes: dict[int, bool], is_for: bool) -> str:
        return ",".join(desk.account_name(who) for who, vote in votes.items() if vote is is_for)

    return [
        {
            "proposal": desk.order_name(found.id),
            "act": found.act.name.lower(),
            "account": desk.account_name(found.account),
            "for": names(found.votes, True),
            "against": names(found.votes, False),
            "ends": str(found.ends_ns),
            "effective": "" if found.effective_ns is None else str(found.effective_ns),
        }
        for found in desk.exchange.proposals()
    ]


def emergencies(desk: Desk) -> list[dict[str, str]]:
    """Rows of `then emergencies`."""
    return [
        {
            "instrument": found.market,
            "state": found.state.name.lower(),
            "account": desk.account_name(found.account),
            "until": str(found.until_ns),
        }
        for found in desk.exchange.emergencies()
    ]


def send(desk: Desk, account: int, proposal: int, words: Given, row: Given, given: Given) -> object:
    """Votes and emergencies, by their own methods."""
    if row["do"] == "vote":
        return desk.exchange.vote(account, proposal, row["side"] == "for", **given)
    return desk.exchange.set_emergency(account, row["on"], words["state"], **given)
