"""What a stress run takes for granted of a market that does not trade yet."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from exchange_os.markets.spec import Perpetual


@dataclass(frozen=True, slots=True)
class Assumptions:
    """None: a default from the file, see `of`. Amounts are in the settlement asset."""

    price: Decimal | None = None
    """Price at which the market begins."""
    depth: Decimal | None = None
    """Value of the orders of others within 2 % of the price, each side; nobody puts new ones there."""
    open_interest: Decimal | None = None
    """Value of the positions of each side, all at the highest leverage."""
    tranche: Decimal | None = None
    """What the liquidity tranche has, where the file names one."""
    bond: Decimal | None = None
    """What the deployer stakes; None: only said what it would have to be."""

    def of(self, item: Perpetual) -> Taken:
        """The assumptions for one perpetual.

        price: a tenth of the highest; depth: the largest order; open interest: where scaling asks for the
        whole value, else twenty times the largest order; tranche: the value that it may take over.
        """
        ticks = max(1, int((self.price or item.price_max / 10) / item.tick_size))
        scaling = item.open_interest_scaling
        cap = item.liquidation.tranche if item.liquidation else None
        return Taken(
            price=ticks * item.tick_size,
            depth=self.depth if self.depth is not None else item.notional_max,
            open_interest=self.open_interest or (scaling.upper if scaling else 20 * item.notional_max),
            tranche=Decimal(0) if cap is None else self.tranche or cap.notional_max,
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """Assumptions with every number filled in."""

    price: Decimal
    depth: Decimal
    open_interest: Decimal
    tranche: Decimal
