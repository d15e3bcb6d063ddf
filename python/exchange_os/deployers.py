"""Deployers: stakes, slots and the markets that they brought."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from exchange_os._core import CommandKind, MarketKind, SlotKind
from exchange_os.bounds import whole, whole_or_none
from exchange_os.errors import InvalidArgument
from exchange_os.exact import Number
from exchange_os.governance import GovernanceMethods, market_symbol
from exchange_os.results import Receipt, receipt

if TYPE_CHECKING:
    from exchange_os.directory import Asset

_SLOTS = {kind.name.lower(): kind for kind in SlotKind}


class DeployedMarket(msgspec.Struct, frozen=True):
    """A market that a deployer brought, what it locks, and when slot and stake are free (None: it lives)."""

    deployer: int
    kind: MarketKind
    market: str
    slot: SlotKind
    locked: Decimal
    released_ns: int | None


class Deployer(msgspec.Struct, frozen=True):
    """What an account has staked, what of it is locked now, what open proposals would slash, and the slots
    that it bought by kind. It takes back what is above the greater of `locked` and `slashing`."""

    account: int
    stake: Decimal
    locked: Decimal
    slashing: Decimal
    bought: dict[str, int]


class DeployerMethods(GovernanceMethods):
    """What `Exchange` can do with deployers."""

    def stake(self, account: int, amount: Number, *, time_ns: int | None = None) -> Receipt:
        """Stakes an amount of the asset that governance names. The receipt says what is staked then."""
        return self._staking(CommandKind.STAKE, account, amount, time_ns)

    def unstake(self, account: int, amount: Number, *, time_ns: int | None = None) -> Receipt:
        """Takes back what of a stake is free."""
        return self._staking(CommandKind.UNSTAKE, account, amount, time_ns)

    def buy_slot(
        self, account: int, kind: str | SlotKind, *, at_most: Number, time_ns: int | None = None
    ) -> Decimal:
        """Buys a slot for one more market of a kind ("spot", "perpetual", "question", "venue"); its price."""
        if not isinstance(kind, SlotKind):
            if kind not in _SLOTS:
                raise InvalidArgument(f"{kind!r} is no kind of slot; there are {', '.join(_SLOTS)}")
            kind = _SLOTS[kind]
        asset = self._stake_asset()
        outcome = self._command(
            CommandKind.BUY_SLOT,
            side=int(kind),
            account=account,
            amount=asset.amount.count(at_most),
            time_ns=time_ns,
        )
        return asset.amount.value(outcome.amount)

    def slot_price(self, *, time_ns: int | None = None) -> Decimal | None:
        """What a slot costs at a logged time (None: the last frame's); None: there is no governance."""
        price = self._core.slot_price(whole_or_none("time_ns", time_ns))
        return None if price is None else self._stake_asset().amount.value(price)

    def deployers(self) -> list[Deployer]:
        """Who staked or bought slots."""
        found = self._governance().get("deployers", [])
        return [self._deployer(one) for one in found]

    def deployed_markets(self) -> list[DeployedMarket]:
        """The markets that deployers brought, in order of deployment."""
        found = self._governance().get("markets", [])
        amount = self._stake_asset().amount if found else None
        rows = []
        for one in found:
            kind = MarketKind(one["kind"])
            assert amount is not None
            rows.append(
                DeployedMarket(
                    deployer=one["account"],
                    kind=kind,
                    market=market_symbol(self._directory, kind, one["target"]),
                    slot=SlotKind(one["slot"]),
                    locked=amount.value(int(one["locked"])),
                    released_ns=one["released_ns"] or None,
                )
            )
        return rows

    def governance(self) -> dict[str, Any] | None:
        """The terms of governance as they travel; None: only the operator deploys."""
        return self._governance().get("terms")

    def _deployer(self, found: dict[str, Any]) -> Deployer:
        amount = self._stake_asset().amount
        return Deployer(
            account=found["account"],
            stake=amount.value(int(found["stake"])),
            locked=amount.value(self._core.locked_stake(found["account"])),
            slashing=amount.value(self._core.open_slashes(found["account"])),
            bought=dict(zip(_SLOTS, found["bought"], strict=True)),
        )

    def _staking(self, kind: CommandKind, account: int, amount: Number, time_ns: int | None) -> Receipt:
        asset = self._stake_asset()
        outcome = self._command(
            kind, account=whole("account", account), amount=asset.amount.count(amount), time_ns=time_ns
        )
        return receipt(outcome, asset.amount.value(outcome.counter_amount))

    def _stake_asset(self) -> Asset:
        """The asset of stakes; without governance the settlement asset: the engine will say why not."""
        terms = self.governance()
        return self._directory.asset(terms["stake_asset"] if terms else 1)
