"""Running an application until it is told to stop, and keeping connections in bounds.

The head of a request has its time by aiohttp's own clock of a connection; a body has it where it is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

from exchange_os.errors import InvalidArgument

HEAD_S = 30.0
"""From the connection, or the answer before, to the end of a request's head."""
LINGER_S = 1.0
"""For a body that was refused, so that its sender reads why."""
CONNECTIONS_MAX = 8_192
_LOOK_S = 0.5
_BACKLOG = 1_024


class _Handler(RequestHandler):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As in aiohttp; one connection too many is closed at once."""
        super().connection_made(transport)
        if self._manager is not None and len(self._manager.connections) > CONNECTIONS_MAX:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp passes it
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """What is no HTTP is answered like everything else."""
        if status >= 500:
            self.logger.error("request", exc_info=exc)
        code, why = ("50026", "System error.") if status >= 500 else ("50000", "This is no HTTP request.")
        body = msgspec.json.encode({"code": code, "msg": why, "data": []})
        response = web.Response(body=body, status=status, content_type="application/json")
        response.force_close()
        return response


class _Server(Server):
    """Makes them."""

    def __call__(self) -> _Handler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Of an application whose connections are kept in bounds."""

    def __init__(self, app: web.Application) -> None:
        super().__init__(app, access_log=None, keepalive_timeout=HEAD_S, lingering_time=LINGER_S)

    async def _make_server(self) -> Server:
        server = await super()._make_server()
        server.__class__ = _Server  # aiohttp has no way to say which class handles a connection
        return server


class Tls(NamedTuple):
    """A second port, for clients that speak TLS alone."""

    port: int
    certificate: Path
    private_key: Path

    def context(self) -> ssl.SSLContext:
        """`InvalidArgument` where the files are no certificate and its key."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.private_key)
        except (OSError, ssl.SSLError) as error:
            raise InvalidArgument(f"{self.certificate} and {self.private_key}: {error}") from None
        return context


async def serve(
    app: web.Application,
    host: str,
    port: int,
    ready: Callable[[list[int]], None],
    lost: Callable[[], bool] = lambda: False,
    tls: Tls | None = None,
) -> bool:
    """Serves until SIGINT or SIGTERM; `ready` is told the ports. False: what it served was lost."""
    secured = None if tls is None else tls.context()
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    allow_connections()
    runner = Runner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
        if tls is not None:
            await web.TCPSite(runner, host, tls.port, ssl_context=secured, backlog=_BACKLOG).start()
        ready([int(address[1]) for address in runner.addresses])
        while not stopping.is_set() and not lost():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _LOOK_S)
    finally:
        await runner.cleanup()
    return stopping.is_set()


def allow_connections() -> None:
    """As many open files as the system allows this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS_MAX if hard == resource.RLIM_INFINITY else min(hard, 2 * CONNECTIONS_MAX)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
