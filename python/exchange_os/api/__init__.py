"""The public interface over HTTP, compatible with OKX v5: translation, identity and rates, and no rule
of the exchange. It needs an `Exchange`, in this process or connected, and a database of keys."""

from exchange_os.api.keys import Key, Keys
from exchange_os.api.server import application

__all__ = ["Key", "Keys", "application"]
