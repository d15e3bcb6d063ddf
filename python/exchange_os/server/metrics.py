"""Health, readiness and Prometheus metrics of a node over HTTP, for whoever watches it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from exchange_os.server.node import Node

_HELP = {
    "connections": "Connections open now.",
    "commands": "Commands admitted to the log.",
    "cancels": "Cancels among them.",
    "cancels_over": "Cancels past their own budget: admitted, and their session was read again later.",
    "refused": "Commands refused before the log.",
    "throttled": "Commands refused because they came too fast.",
    "repeated": "Commands passed over because they had been taken before.",
    "frames": "Frames of the log made durable.",
    "events": "Events of durable frames.",
    "events_sent": "Events sent to connections.",
    "bytes_in": "Bytes read from connections.",
    "take_ns": "Nanoseconds spent until frames were durable and executed.",
    "cut": "Connections cut because they read too slowly.",
    "durable_sequence": "Sequence of the last durable command.",
}
_GAUGES = {"connections", "durable_sequence"}


class _Counters(Collector):
    def __init__(self, node: Node) -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        for name, value in self._node.stats().items():
            if name in _GAUGES:
                yield GaugeMetricFamily(f"xos_{name}", _HELP[name], value=value)
            else:
                yield CounterMetricFamily(f"xos_{name}", _HELP[name], value=value)


class Watch:
    """Serves `/metrics`, `/health`, `/ready` and `/status`; the last says more, in JSON."""

    def __init__(self, node: Node, host: str, port: int) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Counters(node))
        begun = time.monotonic()

        def status() -> dict[str, Any]:
            up_s = round(time.monotonic() - begun, 1)
            return {"serving": node.running, "address": node.address, "up_s": up_s, **node.stats()}

        handler = _handler(node, registry, status)
        self._server = ThreadingHTTPServer((host, port), handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="xos-watch", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(
    node: Node, registry: CollectorRegistry, status: Callable[[], dict[str, Any]]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, kind, body = 200, "application/json", b""
            match self.path.partition("?")[0]:
                case "/metrics":
                    encode, kind = choose_encoder(self.headers.get("Accept", ""))
                    body = encode(registry)
                case "/health":
                    # The process answers: that is all it takes.
                    body = b'{"alive": true}'
                case "/ready":
                    code = 200 if node.running else 503
                    body = json.dumps({"ready": node.running}).encode()
                case "/status":
                    body = json.dumps(status()).encode()
                case _:
                    code, body = 404, b'{"error": "there is no such page"}'
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
            """Says nothing: whoever scrapes every second is no news."""

    return Handler
