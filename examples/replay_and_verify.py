"""One idea: the log is the exchange. Executed again it gives the same events and the same state hash."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import exchange_os as xos
from exchange_os import log

with TemporaryDirectory() as directory:
    with xos.open(directory) as exchange:
        heard = exchange.subscribe()
        exchange.deploy(Path(__file__).with_name("market.toml"))
        for owner in ("alice", "bob"):
            account = exchange.open_account(owner)
            exchange.deposit(account, "USDC", 1_000_000)
            exchange.deposit(account, "BTC", 100)
        exchange.snapshot()
        for price in range(50_000, 50_100):
            exchange.sell(1, "BTC-USDC", price, "0.01")
            exchange.buy(2, "BTC-USDC", price, "0.005")
        state_hash = exchange.state_hash
        events = np.concatenate(list(heard))

    again: list[xos.records.Events] = []
    report = log.replay(directory, on_events=again.append)
    print(f"{report.commands} commands again, {report.events} events, state {report.state_hash[:16]}")
    assert report.state_hash == state_hash
    assert np.array_equal(events, np.concatenate(again))

    proof = log.verify(directory)
    print(f"chain head {proof.chain_hash[:16]}, snapshots equal at {proof.snapshots}")
    for line in proof.conservation:
        print(f"{line.asset}: users {line.users_atoms} + house {line.house_atoms} = 0")
    assert proof.state_hash == state_hash
