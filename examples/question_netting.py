"""One idea: of a question exactly one outcome pays, so selling several of them needs collateral for one."""

from pathlib import Path

import exchange_os as xos

OUTCOMES = ("CUP-ARG", "CUP-BRA", "CUP-ESP", "CUP-FRA")

with xos.open() as exchange:
    exchange.deploy(Path(__file__).with_name("market.toml"))
    maker, buyer = exchange.open_account("maker"), exchange.open_account("buyer")
    exchange.deposit(maker, "USDC", 100)
    exchange.deposit(buyer, "USDC", 1_000)

    # The maker sells 100 shares of every outcome, each of which could cost 100 USDC, with 100 USDC in all.
    for outcome in OUTCOMES:
        exchange.buy(buyer, outcome, price="0.3", qty=100)
        sale = exchange.sell(maker, outcome, price="0.3", qty=100)
        risk = exchange.risk(maker)
        print(
            f"sold {sale.filled} {outcome}: equity in the worst case {risk.equity}, free {risk.withdrawable}"
        )

    # Sold at 0.3 four times: 120 in, and 100 to pay whatever happens.
    assert exchange.risk(maker).equity == 120
    assert exchange.balance(maker, "USDC").total == 220

    exchange.resolve("CUP", "CUP-ESP")
    print("the maker ends with", exchange.balance(maker, "USDC").total)
    assert exchange.balance(maker, "USDC").total == 120
    assert exchange.balance(buyer, "USDC").total == 980
