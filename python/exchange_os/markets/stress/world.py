"""A market of a file in memory: traders at the highest leverage, others' orders, a price to move."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from types import TracebackType

from exchange_os._core import EventKind, Reject
from exchange_os.errors import InvalidArgument
from exchange_os.exchange import Exchange
from exchange_os.markets.load import Loaded
from exchange_os.markets.spec import Perpetual
from exchange_os.markets.stress.assumptions import Taken
from exchange_os.markets.to_commands import plan
from exchange_os.receipts import receipts_of
from exchange_os.records import integers_128

_BEGIN_NS = 1_700_000_000 * 10**9
_SECOND_NS = 10**9
_DEPTH_LEVELS = 10
_DEPTH_PPM = 20_000
_STEPS_MAX = 200
_SETTLING_TICKS_MAX = 400
_TRADERS_MAX = 64


class World:
    """One perpetual of the file. `insurance_paid`, and `haircuts` by account, are counted as they happen."""

    def __init__(self, loaded: Loaded, item: Perpetual, taken: Taken) -> None:
        self.item, self.taken, self.symbol = item, taken, item.symbol
        self.exchange = Exchange.open(events_kept_max=0, trades_kept_max=0)
        self.now_ns = _BEGIN_NS
        for deployment in plan(loaded).missing:
            self.exchange.deploy_body(deployment.body, time_ns=self.now_ns)
        self.money = self.exchange.assets[0]
        self.insurance_paid = Decimal(0)
        self.haircuts: dict[int, Decimal] = {}
        self.maker: int | None = None
        self.paid_in: dict[int, Decimal] = {}
        self._heard = self.exchange.subscribe(kinds=["insurance_paid", "deleveraged"], kept_max=1_000_000)
        self._atoms = self.exchange._directory.assets[1].amount
        self.tranche = self._open_tranche()
        self.price = taken.price
        self.tell(self.price)

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.exchange.close()

    # --- accounts ---

    def _open_tranche(self) -> int | None:
        terms = self.item.liquidation
        if terms is None or terms.tranche is None or terms.tranche.account > _TRADERS_MAX:
            return None
        account = 0
        while account < terms.tranche.account:
            account = self.exchange.open_account(f"tranche {account + 1}", time_ns=self.now_ns)
        self.deposit(account, self.taken.tranche)
        return account

    def account(self, owner: str) -> int:
        """A new account without money."""
        return self.exchange.open_account(owner, time_ns=self.now_ns)

    def deposit(self, account: int, amount: Decimal) -> None:
        """Whole atoms, rounded down; nothing for nothing."""
        atoms = amount.quantize(self._atoms.step, ROUND_DOWN)
        if atoms > 0:
            self.exchange.deposit(account, self.money, atoms, time_ns=self.now_ns)
            self.paid_in[account] = self.paid_in.get(account, Decimal(0)) + atoms

    def equity(self, account: int) -> Decimal:
        """With unrealised profit, at the mark."""
        return self.exchange.risk(account).equity_for_maintenance

    def gained(self, account: int) -> Decimal:
        """Since its first deposit. Nobody pays an account's debt: a loss ends at what was paid in."""
        return max(Decimal(0), self.equity(account)) - self.paid_in.get(account, Decimal(0))

    # --- orders ---

    def ticks(self, price: Decimal) -> Decimal:
        """A price as the market has it: rounded down, and within its bounds."""
        step = self.item.tick_size
        return min(max(price // step * step, step), self.item.price_max // step * step)

    def lots(self, value: Decimal, price: Decimal) -> Decimal:
        """So many lots as `value` buys, at most what one order and one position may have."""
        step = self.item.lot_size
        most = min(self.item.qty_max, self.item.position_max, self.item.notional_max / price)
        return min(value / price, most) // step * step

    def place_at_full_leverage(self, account: int, side: str, price: Decimal, qty: Decimal) -> bool:
        """Deposits what is missing, and no more, and places."""
        for _ in range(3):
            result = self.exchange.try_place(
                account, self.symbol, "buy" if side == "buy" else "sell", price, qty, time_ns=self.now_ns
            )
            refused = result.rejection
            if refused is None:
                return True
            if refused.reject is not Reject.INSUFFICIENT_MARGIN:
                return False
            self.deposit(account, self._atoms.value(refused.value))
        return False

    def trade(self, long: int, short: int, qty: Decimal, price: Decimal) -> bool:
        """Two accounts trade with each other; both pay in what that needs. False: an order was refused."""
        return self.place_at_full_leverage(short, "sell", price, qty) and self.place_at_full_leverage(
            long, "buy", price, qty
        )

    def quote(self) -> None:
        """Orders of `depth` within 2 % of the price, each side, in the place of those before."""
        if self.maker is None:
            self.maker = self.account("maker")
            self.deposit(self.maker, 4 * self.taken.depth)
        maker = self.maker
        self.exchange.mass_cancel(maker, time_ns=self.now_ns)
        for side, sign in (("buy", -1), ("sell", 1)):
            for level in range(1, _DEPTH_LEVELS + 1):
                away = self.price * sign * _DEPTH_PPM * level / (_DEPTH_LEVELS * 1_000_000)
                price = self.ticks(self.price + away)
                qty = self.lots(self.taken.depth / _DEPTH_LEVELS, price)
                if qty > 0 and (price < self.price) == (sign < 0):
                    self.place_at_full_leverage(maker, side, price, qty)

    # --- prices and time ---

    def tell(self, price: Decimal) -> None:
        """One price from every source, or the mark itself where the file has no oracle; then a tick."""
        self.now_ns += _SECOND_NS
        price = self.ticks(price)
        if self.item.oracle is None:
            self.exchange.set_index(self.symbol, price, time_ns=self.now_ns)
            self.exchange.set_mark(self.symbol, price, time_ns=self.now_ns)
        else:
            for source in self.exchange.sources(self.symbol):
                near = price
                if source.price:  # ten times the last one would be refused
                    near = min(max(price, self.ticks(source.price / 9)), self.ticks(source.price * 9))
                self.exchange.publish_price(source.publisher, self.symbol, near, time_ns=self.now_ns)
        self.exchange.tick(time_ns=self.now_ns)
        self._listen()

    def move(self, price: Decimal) -> None:
        """Makers see it coming and quote around `price`, as far as bands let them; then it is told until the
        index is there, and time passes until the ladder has done what it can."""
        self.price = self.ticks(price)
        self.quote()
        for _ in range(_STEPS_MAX):
            self.tell(self.price)
            if self.exchange.instrument(self.symbol).index_price == self.price:
                break
        self.quote()
        self.settle()

    def settle(self) -> None:
        """Lets time pass until the mark stands and the ladder has done what it can."""
        still = 0
        before: object = None
        for _ in range(_SETTLING_TICKS_MAX):
            waiting = self.exchange.liquidations()
            now = (self.exchange.instrument(self.symbol).mark_price, waiting)
            still = still + 1 if now == before else 0
            if still >= (2 if not waiting else 40):
                return
            before = now
            self.tell(self.price)

    def _listen(self) -> None:
        for events in self._heard:
            kinds = events["kind"]
            for amount in integers_128(events[kinds == EventKind.INSURANCE_PAID], "amount"):
                self.insurance_paid += self._atoms.value(amount)
            taken = receipts_of(events[kinds == EventKind.DELEVERAGED], self.exchange._directory)
            for receipt in taken:
                before = self.haircuts.get(receipt.account, Decimal(0))
                self.haircuts[receipt.account] = before + receipt.haircut


def traders_of(value: Decimal, world: World) -> list[Decimal]:
    """Lots of the accounts that together hold `value`, at most 64 of them."""
    lots: list[Decimal] = []
    left = value
    while left > 0 and len(lots) < _TRADERS_MAX:
        qty = world.lots(max(left, Decimal(0)), world.price)
        if qty <= 0:
            break
        lots.append(qty)
        left -= qty * world.price
    if not lots:
        raise InvalidArgument(f"{world.symbol}: no order fits its bounds at a price of {world.price}")
    return lots
