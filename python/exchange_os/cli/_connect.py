"""How commands reach a server: the options of a connection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from exchange_os.exchange import Exchange

F = TypeVar("F", bound=Callable[..., Any])


def connection_options(function: F) -> F:
    """`--server`, `--keys` and `--key`, as `server`, `key_path` and `key`."""
    for option in (
        click.option("--key", default="operator", show_default=True, help="Name of the key."),
        click.option(
            "--keys",
            "key_path",
            default=Path("keys.toml"),
            show_default=True,
            type=click.Path(dir_okay=False, path_type=Path),
            help="File of keys with its secret.",
        ),
        click.option("--server", default="127.0.0.1:7001", show_default=True, help="Address of the gateway."),
    ):
        function = option(function)
    return function


def connected(server: str, key_path: Path, key: str) -> Exchange:
    """Connects with the secret of a key in a file."""
    from exchange_os.client import connect

    return connect(server, key=key, secret=secret_of(key_path, key), session=2**32 - 1)


def secret_of(key_path: Path, key: str) -> bytes:
    """The secret of a key in a file."""
    from exchange_os.errors import InvalidArgument
    from exchange_os.server import load_keys

    if not key_path.is_file():
        raise InvalidArgument(f"there is no file of keys at {key_path}; --keys names it")
    for name, is_secret, proof, _, _ in load_keys(key_path).rows:
        if name == key and is_secret:
            return proof
    raise InvalidArgument(f"{key_path} has no secret of a key named {key}")
