"""The public interface as a client sees it: calls, pages and streams, typed, in whole units."""

from exchange_os.client.public.calls import Answer, Lost, Send, Wait
from exchange_os.client.public.client import Client
from exchange_os.client.public.endpoints import NewOrder
from exchange_os.client.public.rows import (
    AccountFill,
    AccountPosition,
    AssetBalance,
    Candle,
    Market,
    MarketTrade,
    Moved,
    OrderState,
    Placed,
    Ticker,
    WithdrawalState,
)

__all__ = [
    "AccountFill",
    "AccountPosition",
    "Answer",
    "AssetBalance",
    "Candle",
    "Client",
    "Lost",
    "Market",
    "MarketTrade",
    "Moved",
    "NewOrder",
    "OrderState",
    "Placed",
    "Send",
    "Ticker",
    "Wait",
    "WithdrawalState",
]
