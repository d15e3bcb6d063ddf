"""The attacks themselves: each plays one on a fresh market and says who lost what."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal

from exchange_os.markets.load import Loaded
from exchange_os.markets.spec import Perpetual
from exchange_os.markets.stress.assumptions import Taken
from exchange_os.markets.stress.world import World, traders_of

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack on one perpetual; amounts in the settlement asset.

    `lost_by_others` is what accounts lost that had no part in it: the tranche, what insurance paid, what
    deleveraging took against the mark, and debts that nobody has closed. A bond has to cover it.
    `attacker_gained` is None where nobody attacks: a price moves on its own.
    """

    name: str
    instrument: str
    held: Decimal
    """Value of the positions of each side when it began."""
    tranche_lost: Decimal
    insurance_paid: Decimal
    haircuts: Decimal
    debts: Decimal
    attacker_gained: Decimal | None = None
    liquidated: int = 0
    """Accounts without a part in it whose position shrank."""

    @property
    def lost_by_others(self) -> Decimal:
        return self.tranche_lost + self.insurance_paid + self.haircuts + self.debts


def attacks(loaded: Loaded, item: Perpetual, taken: Taken) -> Iterator[Attack]:
    """Every attack, one after the other."""
    for percent in (10, 25, 50):
        yield gap(loaded, item, taken, -percent)
    yield gap(loaded, item, taken, 50)
    yield squeeze(loaded, item, taken)
    if item.oracle is not None:
        yield book_alone(loaded, item, taken)


def gap(loaded: Loaded, item: Perpetual, taken: Taken, percent: int) -> Attack:
    """The price jumps by `percent` at once, against positions at the highest leverage."""
    with World(loaded, item, taken) as world:
        weak_is_long = percent < 0
        weak: list[int] = []
        strong: list[int] = []
        held = _ZERO
        for qty in traders_of(taken.open_interest, world):
            loser, winner = world.account(f"loser {len(weak)}"), world.account(f"winner {len(weak)}")
            world.deposit(winner, 2 * qty * world.price)
            long, short = (loser, winner) if weak_is_long else (winner, loser)
            if world.trade(long, short, qty, world.price):
                weak.append(loser)
                strong.append(winner)
                held += qty * world.price
        world.quote()
        before = world.equity(world.tranche) if world.tranche else _ZERO
        world.move(world.price * (100 + percent) / 100)
        name = f"price {'falls' if weak_is_long else 'rises'} {abs(percent)} %"
        return _result(name, world, held, before, [*weak, *strong], ())


def squeeze(loaded: Loaded, item: Perpetual, taken: Taken) -> Attack:
    """The shape of JELLY: one owner trades with himself at full leverage, then drives the price to four times
    in thin outside markets, so that his loss falls on the backstop and his profit stays."""
    with World(loaded, item, taken) as world:
        short, long = world.account("attacker"), world.account("attacker's friend")
        qty = world.lots(taken.open_interest, world.price)
        began = world.trade(long, short, qty, world.price)
        world.quote()
        before = world.equity(world.tranche) if world.tranche else _ZERO
        begin, target = world.price, 4 * world.price
        for step in range(1, 16):
            world.move(begin + (target - begin) * step / 15)
        own = {short, long}
        gained = sum((world.gained(account) for account in own), _ZERO)
        if world.maker is not None:  # whoever quotes into a rising price loses to anybody: that is no attack
            gained += min(_ZERO, world.gained(world.maker))
        held = qty * begin if began else _ZERO
        return _result("self-traded squeeze to 4 x", world, held, before, [], own, gained)


def book_alone(loaded: Loaded, item: Perpetual, taken: Taken) -> Attack:
    """The index stands still; somebody buys the book empty and quotes far away, to move the mark."""
    with World(loaded, item, taken) as world:
        shorts: dict[int, Decimal] = {}
        held = _ZERO
        for qty in traders_of(taken.open_interest, world):
            short, long = world.account("short"), world.account("long")
            world.deposit(long, 2 * qty * world.price)
            if world.trade(long, short, qty, world.price):
                shorts[short] = qty
                held += qty * world.price
        world.quote()
        attacker, friend = world.account("attacker"), world.account("attacker's friend")
        for account in (attacker, friend):
            world.deposit(account, 20 * taken.depth + 4 * taken.open_interest)
        away = world.ticks(world.price * (1_000_000 + (item.band_ppm or 999_000) * 9 // 10) / 1_000_000)
        _buy_empty(world, attacker, away)
        least = max(item.qty_min or item.lot_size, item.lot_size, -(-item.notional_min // away))
        for account, side, price, qty in (
            (friend, "sell", away, least),
            (attacker, "buy", away, 2 * least),  # prints there, and stays as the best bid
            (friend, "sell", away + item.tick_size, least),
        ):
            world.place_at_full_leverage(account, side, price, qty)
        _wait(world)
        hit = sum(_held(world, account) < qty for account, qty in shorts.items())
        # What it is worth shows once the book is as it was: a profit at the moved mark cannot leave.
        for account in (attacker, friend):
            world.exchange.mass_cancel(account, time_ns=world.now_ns)
        world.quote()
        _wait(world)
        gained = world.gained(attacker) + world.gained(friend)
        return _result(
            "mark moved by the book alone", world, held, _ZERO, list(shorts), {attacker, friend}, gained, hit
        )


def _wait(world: World) -> None:
    """Longer than the averages of the mark look back."""
    for _ in range(180):
        world.tell(world.price)
    world.settle()


def _buy_empty(world: World, account: int, price: Decimal) -> None:
    """Takes every ask up to a price."""
    for _ in range(20):
        qty = world.lots(world.taken.depth, price)
        if qty <= 0:
            return
        order = world.exchange.try_place(
            account, world.symbol, "buy", price, qty, tif="ioc", time_ns=world.now_ns
        )
        if not order.accepted or not order.filled:
            return


def _held(world: World, account: int) -> Decimal:
    return sum((abs(position.qty) for position in world.exchange.positions(account)), _ZERO)


def _result(
    name: str,
    world: World,
    held: Decimal,
    tranche_before: Decimal,
    others: list[int],
    own: Collection[int],
    gained: Decimal | None = None,
    liquidated: int = 0,
) -> Attack:
    debts = sum((max(_ZERO, -world.equity(account)) for account in {*others, *own}), _ZERO)
    lost = max(_ZERO, tranche_before - world.equity(world.tranche)) if world.tranche else _ZERO
    taken = sum((haircut for account, haircut in world.haircuts.items() if account not in own), _ZERO)
    return Attack(name, world.symbol, held, lost, world.insurance_paid, taken, debts, gained, liquidated)
