"""One idea: a batch of commands is a numpy array, and so are its events; prices in ticks, sizes in lots."""

from pathlib import Path

import numpy as np

import exchange_os as xos
from exchange_os.records import trades_of

ACCOUNTS, ORDERS = 100, 100_000

with xos.open(limits={"orders_per_account_max": 100_000}) as exchange:
    exchange.deploy(Path(__file__).with_name("market.toml"))
    for number in range(1, ACCOUNTS + 1):
        exchange.deposit(exchange.open_account(f"trader {number}"), "USDC", 1_000_000_000)
    exchange.set_mark("BTC-PERP", 50_000)

    random = np.random.default_rng(7)
    middle = exchange.price_ticks("BTC-PERP", 50_000)
    batch = xos.orders(
        account=random.integers(1, ACCOUNTS + 1, ORDERS),
        instrument=exchange.number_of("BTC-PERP"),
        side=random.integers(0, 2, ORDERS),
        price=middle + random.integers(-50, 51, ORDERS),
        qty=random.integers(1, 20, ORDERS),
        tif=random.integers(0, 2, ORDERS),  # good till cancelled, or immediate
    )
    events = exchange.submit(batch)

    trades = trades_of(events)
    print(f"{len(batch)} orders, {len(events)} events, {len(trades)} trades of {trades['qty'].sum()} lots")
    print(exchange.trades_frame("BTC-PERP").select("trade_id", "side", "price", "qty", "taker_fee").tail(3))

    assert len(trades) > 10_000
    assert set(events["sequence"]) >= set(range(exchange.sequence - ORDERS + 1, exchange.sequence + 1))
