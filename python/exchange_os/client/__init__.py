"""Speaking to a server, in both of its languages. Nothing is sent before a method is called.

`Client` and `AsyncClient` speak to the public interface (`xos api`), with API keys. `connect` speaks to the
binary gateway (`xos up`) and gives an `Exchange`. Each is imported when it is first asked for.
"""

from typing import TYPE_CHECKING

from exchange_os.client.connect import connect, connect_async, position_of
from exchange_os.client.later import AsyncExchange

if TYPE_CHECKING:
    from exchange_os.client.public.async_client import AsyncClient
    from exchange_os.client.public.client import Client
    from exchange_os.client.public.endpoints import NewOrder

_LATER = {"AsyncClient": "async_client", "Client": "client", "NewOrder": "endpoints"}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.public.{_LATER[name]}"), name)


__all__ = ["AsyncClient", "AsyncExchange", "Client", "NewOrder", "connect", "connect_async", "position_of"]
