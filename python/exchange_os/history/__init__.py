"""History: a read model beside the exchange, folded out of its log, and made anew from it at will."""

from exchange_os.history.feed import History, HistoryUnavailable, rebuild
from exchange_os.history.rows import Bits, Kind, Row, Source
from exchange_os.history.store import Asked, Store

__all__ = ["Asked", "Bits", "History", "HistoryUnavailable", "Kind", "Row", "Source", "Store", "rebuild"]
