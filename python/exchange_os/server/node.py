"""A server in this process: the Rust threads serve sessions, one Python thread answers what clients ask."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

from exchange_os import _core, errors
from exchange_os.client.words import pack, unpack

if TYPE_CHECKING:
    from typing import Self

    from exchange_os.exchange import Exchange
    from exchange_os.server.keys import KeyFile

_WAIT_MS = 200

# What everybody may ask.
PUBLIC = frozenset(
    {
        "account_count",
        "auction",
        "book",
        "book_with_implied",
        "funding",
        "instrument",
        "question",
        "resolution",
        "sequence",
        "sources",
        "specification",
        "state_hash",
        "time_ns",
    }
)
# What is asked of an account, the first argument: its owner may.
OF_ACCOUNT = frozenset(
    {
        "balance",
        "balances",
        "countdown",
        "credential",
        "debt",
        "family",
        "is_simulated",
        "orders",
        "positions",
        "preview",
        "protection",
        "risk",
        "scenario_risk",
        "triggers",
    }
)
# What operators may, beside all of this.
OF_OPERATORS = frozenset({"conservation", "deleveraging", "house", "liquidations", "snapshot"})
# Of one order: its owner may.
OF_ORDER = frozenset({"order", "order_lots"})

# Where account, quantity, and remaining stand in the row of an order.
_ORDER_ACCOUNT, _ORDER_TOTAL, _ORDER_REMAINING = 1, 5, 6


class Node:
    """Serves an exchange until it is stopped. `exchange` is given back then, open."""

    def __init__(
        self,
        exchange: Exchange,
        keys: KeyFile,
        *,
        address: str = "127.0.0.1:7001",
        options: dict[str, Any] | None = None,
    ) -> None:
        self._exchange = exchange
        self._server = _core.Server.start(exchange._core, address, keys.rows, options or {})
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._answer_all, name="xos-questions", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        host, port = self._server.address()
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def running(self) -> bool:
        return self._server.is_running()

    def stats(self) -> dict[str, int]:
        """Counters of the server by name."""
        return self._server.stats()

    def query(self, method: str, *arguments: Any) -> Any:
        """What a method of the engine says, between two frames."""
        return self._server.query(method, arguments)

    def stop(self) -> Exchange:
        """Tells every client, lets what was admitted become durable, and gives the exchange back."""
        self._stopping.set()
        self._thread.join()
        self._server.stop()
        return self._exchange

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answer_all(self) -> None:
        while not self._stopping.is_set():
            try:
                asked = self._server.next_question(_WAIT_MS)
                if asked is None:
                    continue
                ticket, owner, operates, body = asked
                self._server.answer(ticket, pack(self._answer(owner, operates, body)))
            except RuntimeError:
                return  # the server has stopped

    def _answer(self, owner: bytes | None, operates: bool, body: bytes) -> list[Any]:
        try:
            match unpack(body):
                case [str(method), list(arguments)]:
                    return ["ok", self._permitted(owner, operates, method, arguments)]
            return ["error", "InvalidArgument", "a question is a method and its arguments"]
        except errors.Error as error:
            return ["error", type(error).__name__, str(error)]
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            return ["error", "InvalidArgument", str(error)]

    def _permitted(self, owner: bytes | None, operates: bool, method: str, arguments: list[Any]) -> Any:
        if method in OF_ORDER:
            return self._order(owner, operates, method, arguments)
        known = PUBLIC | OF_ACCOUNT | (OF_OPERATORS if operates else frozenset())
        if method not in known:
            raise errors.InvalidArgument(f"{method!r} is not asked here")
        of_another = method in OF_ACCOUNT and owner is not None
        if of_another and (not arguments or self._owner_of(arguments[0]) != owner):
            raise errors.InvalidArgument("the account is not one of the key's owner")
        return self.query(method, *arguments)

    def _owner_of(self, account: int) -> bytes | None:
        family = self.query("family", account)
        return None if family is None else family[0]

    def _order(self, owner: bytes | None, operates: bool, method: str, arguments: list[Any]) -> Any:
        row = self.query("order", *arguments)
        if row is None or (owner is not None and self._owner_of(row[_ORDER_ACCOUNT]) != owner):
            return None
        if owner is None and not operates:
            return None
        return row if method == "order" else (row[_ORDER_TOTAL], row[_ORDER_REMAINING])
