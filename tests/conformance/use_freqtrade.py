"""freqtrade, live and not dry: its bot buys, holds and sells ETH, and its own books say so."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reporting import Report, given

_WAIT_S = 150
_STRATEGY = """
from datetime import timedelta

from freqtrade.strategy import IStrategy


class BuysAndSells(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    minimal_roi = {"0": 10}
    stoploss = -0.9
    startup_candle_count = 0
    process_only_new_candles = False
    order_types = {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "held" if current_time - trade.open_date_utc > timedelta(seconds=10) else None
"""


def configured(folder: Path) -> Path:
    said = given()
    urls: dict[str, Any] = {"urls": {"api": {"rest": said["rest"], "ws": said["ws"]}}}
    config = {
        "dry_run": False,
        "initial_state": "running",
        "trading_mode": "spot",
        "max_open_trades": 1,
        "stake_currency": "USD",
        "stake_amount": 500,
        "timeframe": "1m",
        "exchange": {
            "name": "okx",
            "key": said["key"],
            "secret": said["secret"],
            "password": said["passphrase"],
            "ccxt_config": urls,
            "ccxt_async_config": urls,
            "pair_whitelist": ["ETH/USD"],
        },
        "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "pairlists": [{"method": "StaticPairList"}],
        "internals": {"process_throttle_secs": 2},
        "db_url": f"sqlite:///{folder}/trades.sqlite",
        "user_data_dir": str(folder / "user_data"),
    }
    (folder / "strategies").mkdir()
    (folder / "strategies" / "buys_and_sells.py").write_text(_STRATEGY, encoding="utf-8")
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    path = folder / "trades.sqlite"
    if not path.exists():
        return []
    with sqlite3.connect(path) as database:
        try:
            return database.execute(query).fetchall()
        except sqlite3.OperationalError:  # not made yet
            return []


def main() -> None:
    report = Report("freqtrade", version("freqtrade"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "user_data").mkdir()
        log = folder / "log"
        program = [str(Path(sys.executable).with_name("freqtrade")), "trade", "-s", "BuysAndSells"]
        program += ["--config", str(configured(folder)), "--strategy-path", str(folder / "strategies")]
        with log.open("w") as out, subprocess.Popen(program, stdout=out, stderr=out, env=os.environ) as bot:
            until = time.monotonic() + _WAIT_S
            closed: list[tuple[Any, ...]] = []
            while not closed and bot.poll() is None and time.monotonic() < until:
                time.sleep(1)
                closed = rows(folder, "select open_rate, close_rate, amount from trades where is_open = 0")
            orders = rows(folder, "select side, status, filled from orders order by id")
            bot.send_signal(signal.SIGINT)
        said = log.read_text(errors="replace")
        lines = [line for line in said.splitlines() if " ERROR " in line or "Exception" in line]
        with report.step("a bot starts live: markets, fees, balance, candles"):
            assert orders, said[-3_000:]
        with report.step("its order is filled, and the position sold again"):
            assert closed, (orders, lines[-3:])
            sides = [row[:2] for row in orders]
            assert sides[:2] == [("buy", "closed"), ("sell", "closed")], orders
        with report.step("no error on the way"):
            assert not lines, lines[:3]
    report.end()


main()
