"""The control database: keys, wallets, addresses and withdrawals. What is personal or secret lies here,
never in the log."""

from exchange_os.control.database import Database
from exchange_os.control.sealing import Sealing

__all__ = ["Database", "Sealing"]
