"""Speaking to a server: `exchange_os.connect`. Nothing is sent before a method is called."""

from exchange_os.client.connect import connect, connect_async, position_of
from exchange_os.client.later import AsyncExchange

__all__ = ["AsyncExchange", "connect", "connect_async", "position_of"]
