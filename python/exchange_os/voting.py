"""Votes on acts of governance, slashing of stakes, and what guardians do in an emergency."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import msgspec

from exchange_os._core import ActKind, CommandKind, EventKind, InstrumentState, MarketKind
from exchange_os.bounds import flag, mapping, whole
from exchange_os.deployers import DeployerMethods
from exchange_os.errors import InvalidArgument
from exchange_os.exact import Number
from exchange_os.governance import market_number, market_symbol
from exchange_os.markets.governing import governance_body
from exchange_os.markets.load import Loaded, load
from exchange_os.results import Receipt, receipt

_STATES = {state.name.lower(): state for state in InstrumentState if state <= InstrumentState.HALTED}


class Proposal(msgspec.Struct, frozen=True):
    """An act that is voted on, or passed and waits for its time (`effective_ns`; changes of markets wait
    among `changes()`). `on` is its market, or the account that would be slashed; `terms` the act as it
    travels; weights are those of the voters as they stand now."""

    id: int
    act: ActKind
    account: int
    on: str | int | None
    terms: Any
    votes: dict[int, bool]
    weight_for: int
    weight_against: int
    ends_ns: int
    effective_ns: int | None


class Emergency(msgspec.Struct, frozen=True):
    """What a guardian holds a market to until a logged time; CONTINUOUS: until then nobody does it again."""

    market: str
    state: InstrumentState
    account: int
    until_ns: int


class VotingMethods(DeployerMethods):
    """What `Exchange` can do where acts of governance are voted on. `account` is the voter who proposes."""

    def propose_update(
        self, account: int, market_file: str | PathLike[str] | Loaded, *, time_ns: int | None = None
    ) -> list[int]:
        """A proposal for every market of the file whose terms stand otherwise; their ids."""
        found = self._updates(market_file)
        directory = self._directory
        return [
            self._propose(
                account,
                f"update_{item.kind}",
                {item.kind: market_number(directory, item.kind, item.symbol), **item.content},
                time_ns,
            )
            for item in found
        ]

    def propose_delisting(self, account: int, market: str | int, *, time_ns: int | None = None) -> int:
        """To wind a market down, as `delist` does; the id of the proposal."""
        kind, number = self._market_of(market)
        return self._propose(account, "delist", {"kind": int(kind), "target": number}, time_ns)

    def propose_admission(self, account: int, market: str | int, *, time_ns: int | None = None) -> int:
        """To let every account trade an isolated perpetual."""
        return self._act_on(account, "admit", market, time_ns)

    def propose_state(
        self,
        account: int,
        market: str | int,
        state: str | InstrumentState,
        *,
        time_ns: int | None = None,
    ) -> int:
        """To open, restrict or halt an instrument."""
        return self._act_on(account, "set_state", market, time_ns, state=int(state_of(state)))

    def propose_confirmation(self, account: int, market: str | int, *, time_ns: int | None = None) -> int:
        """To keep what a guardian did; it takes effect as soon as enough weight is in favour."""
        return self._act_on(account, "confirm", market, time_ns)

    def propose_slash(
        self,
        account: int,
        deployer: int,
        amount: Number,
        harmed: Mapping[int, Number],
        *,
        time_ns: int | None = None,
    ) -> int:
        """To take an amount of a deployer's stake: harmed accounts are paid what they claim, the rest goes to
        the insurance fund. Until it is decided the deployer does not take that much back."""
        asset = self._stake_asset().amount
        mapping("harmed", harmed)
        claims = {whole("account", who): asset.count(claim) for who, claim in harmed.items()}
        rows = [{"account": who, "claim": str(claims[who])} for who in sorted(claims)]
        content = {
            "account": whole("account", deployer),
            "amount": str(asset.count(amount)),
            "harmed": rows,
        }
        return self._propose(account, "slash", content, time_ns)

    def propose_terms(
        self, account: int, market_file: str | PathLike[str] | Loaded, *, time_ns: int | None = None
    ) -> int:
        """To have the `[governance]` of a market file: other voters, stakes, slots, bounds."""
        loaded = market_file if isinstance(market_file, Loaded) else load(market_file)
        item = loaded.spec.governance
        if item is None:
            raise InvalidArgument("the file has no [governance]")
        assets = self._directory.standing.assets
        stake = next((asset for asset in assets if asset.symbol == item.stake_asset), None)
        if stake is None:
            raise InvalidArgument(f"there is no asset {item.stake_asset}")
        return self._propose(account, "terms", governance_body(item, stake, assets[0]), time_ns)

    def vote(
        self, account: int, proposal: int, in_favour: bool = True, *, time_ns: int | None = None
    ) -> Receipt:
        """Votes on a proposal, or changes the vote, until its vote ends."""
        return receipt(
            self._command(
                CommandKind.VOTE,
                side=int(flag("in_favour", in_favour)),
                account=whole("account", account),
                order_id=whole("order_id", proposal),
                time_ns=time_ns,
            )
        )

    def set_emergency(
        self,
        account: int,
        market: str | int,
        state: str | InstrumentState,
        *,
        time_ns: int | None = None,
    ) -> int:
        """As a guardian, restricts a market for a time ("reduce_only", "cancel_only", "halted"), or ends that
        ("continuous"); until when it holds, or rests, logged ns."""
        outcome = self._command(
            CommandKind.EMERGENCY,
            side=int(state_of(state)),
            account=whole("account", account),
            instrument=self._directory.market(market).number,
            time_ns=time_ns,
        )
        return outcome.counter_amount

    def proposals(self) -> list[Proposal]:
        """What is voted on, and what passed and waits, in the order in which it was proposed."""
        content = self._governance()
        weights = _weights(content)
        return [self._proposal(found, weights) for found in content.get("proposals", [])]

    def emergencies(self) -> list[Emergency]:
        """What guardians hold markets to, and where they rest."""
        return [
            Emergency(
                market=self._directory.market(found["instrument"]).symbol,
                state=InstrumentState(found["state"]),
                account=found["account"],
                until_ns=found["until_ns"],
            )
            for found in self._governance().get("emergencies", [])
        ]

    def _act_on(self, account: int, act: str, market: str | int, time_ns: int | None, **more: int) -> int:
        number = self._directory.market(market).number
        return self._propose(account, act, {"instrument": number, **more}, time_ns)

    def _propose(self, account: int, act: str, content: dict[str, Any], time_ns: int | None) -> int:
        asked = {"account": whole("account", account), "act": {act: content}}
        events = self.deploy_body(msgspec.msgpack.encode({"propose_act": asked}), time_ns=time_ns)
        (made,) = events[events["kind"] == EventKind.PROPOSAL_MADE]
        return int(made["order_id"])

    def _proposal(self, found: dict[str, Any], weights: dict[int, int]) -> Proposal:
        ((word, terms),) = found["act"].items()
        act = ActKind[word.upper()]
        votes = {vote["account"]: vote["is_for"] for vote in found["votes"]}
        return Proposal(
            id=found["id"],
            act=act,
            account=found["account"],
            on=self._target(act, terms),
            terms=terms,
            votes=votes,
            weight_for=sum(weights.get(who, 0) for who, is_for in votes.items() if is_for),
            weight_against=sum(weights.get(who, 0) for who, is_for in votes.items() if not is_for),
            ends_ns=found["ends_ns"],
            effective_ns=found.get("effective_ns"),
        )

    def _target(self, act: ActKind, terms: dict[str, Any]) -> str | int | None:
        """The market that an act is about, or the account that it slashes."""
        match act:
            case ActKind.TERMS:
                return None
            case ActKind.SLASH:
                return int(terms["account"])
            case ActKind.UPDATE_VENUE:
                return market_symbol(self._directory, MarketKind.VENUE, terms["venue"])
            case ActKind.UPDATE_QUESTION:
                return market_symbol(self._directory, MarketKind.QUESTION, terms["question"])
            case ActKind.DELIST:
                return market_symbol(self._directory, MarketKind(terms["kind"]), terms["target"])
        return market_symbol(self._directory, MarketKind.INSTRUMENT, terms["instrument"])


def state_of(state: str | InstrumentState) -> InstrumentState:
    """A state by its name."""
    if isinstance(state, InstrumentState):
        return state
    if state not in _STATES:
        raise InvalidArgument(f"{state!r} is no state; there are {', '.join(_STATES)}")
    return _STATES[state]


def _weights(content: dict[str, Any]) -> dict[int, int]:
    """Weight by voter."""
    voting = (content.get("terms") or {}).get("voting") or {"voters": []}
    return {voter["account"]: voter["weight"] for voter in voting["voters"]}
