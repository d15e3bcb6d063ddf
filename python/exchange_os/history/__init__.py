"""History: a read model beside the exchange, fed by its events and rebuilt from its log at will."""

from exchange_os.history.feed import History, HistoryUnavailable, rebuild
from exchange_os.history.store import FillRow, Store

__all__ = ["FillRow", "History", "HistoryUnavailable", "Store", "rebuild"]
