"""One idea: an exchange is an object. Open one, fund two accounts, trade."""

from decimal import Decimal
from pathlib import Path

import exchange_os as xos

with xos.open() as exchange:
    exchange.deploy(Path(__file__).with_name("market.toml"))
    alice, bob = exchange.open_account("alice"), exchange.open_account("bob")
    exchange.deposit(alice, "USDC", 100_000)
    exchange.deposit(bob, "BTC", 2)

    bid = exchange.buy(alice, "BTC-USDC", price="50000.1", qty="0.5")
    print(bid.status, exchange.book("BTC-USDC").bids[0])

    sale = exchange.sell(bob, "BTC-USDC", price=50_000, qty=Decimal("0.2"), tif="ioc")
    (fill,) = sale.fills
    print(f"{fill.qty} BTC at {fill.price}, the taker paid {fill.taker_fee} {fill.fee_asset}")
    print(exchange.balance(bob, "USDC"))

    # A number finer than the tick is refused, never rounded; so is a float.
    for price in ("50000.05", 50_000.1):
        try:
            exchange.buy(alice, "BTC-USDC", price, 1)  # type: ignore[arg-type]
        except xos.Error as error:
            print(f"{type(error).__name__}: {error}")

    assert fill.price == Decimal("50000.1")
    assert exchange.balance(bob, "USDC").total == Decimal("10000.02") - fill.taker_fee
    assert set(exchange.conservation().values()) == {Decimal(0)}
