"""Options of the interface about who may come in: control database, wallets, issuers, delays."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from exchange_os.cli._numbers import IntRange

if TYPE_CHECKING:
    from aiohttp import web

    from exchange_os.api import Keys

_FILE = click.Path(dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option(
        "--control",
        help="Control database: a file or a PostgreSQL URL.  [default: DIRECTORY.control.db]",
    ),
    click.option(
        "--seal", type=_FILE, help="File of the key that seals secrets.  [default: beside the file]"
    ),
    click.option(
        "--domain",
        "domains",
        multiple=True,
        default=("127.0.0.1", "localhost"),
        show_default=True,
        help="Domain that wallets sign in to; without a port it stands for every port. Repeat it.",
    ),
    click.option(
        "--chain-id",
        "chain_ids",
        multiple=True,
        type=IntRange(1),
        default=(196, 1952),
        show_default=True,
        help="Chain that wallets sign for; repeat it.",
    ),
    click.option(
        "--known-wallets", is_flag=True, help="A wallet without an account is refused, and gets none."
    ),
    click.option(
        "--issuers", type=_FILE, help="Market file whose issuers' credentials customers may upload."
    ),
    click.option(
        "--withdrawal-delay",
        default=600,
        show_default=True,
        type=IntRange(0, 2_592_000),
        help="Seconds in which a withdrawal can be cancelled.",
    ),
    click.option(
        "--address-delay",
        default=86_400,
        show_default=True,
        type=IntRange(0, 2_592_000),
        help="Seconds until a new address can be withdrawn to.",
    ),
)


class Chosen(msgspec.Struct, frozen=True):
    """What was chosen."""

    control: str | None
    seal: Path | None
    domains: tuple[str, ...]
    chain_ids: tuple[int, ...]
    known_wallets: bool
    issuers: Path | None
    withdrawal_delay: int
    address_delay: int

    def keys(self, directory: Path) -> Keys:
        """The keys of the control database."""
        from exchange_os.api import Keys
        from exchange_os.control import Database

        place = self.control or directory.with_name(directory.name + ".control.db")
        return Keys(Database(place, key_file=self.seal))

    def apply(self, app: web.Application) -> web.Application:
        """Sets the terms of an application."""
        from exchange_os.api.identity import Terms
        from exchange_os.api.server import DESK
        from exchange_os.api.wallet import Terms as WalletTerms

        desk = app[DESK]
        desk.identity.terms = Terms(
            domains=self.domains, chain_ids=self.chain_ids, opens_accounts=not self.known_wallets
        )
        desk.wallet.terms = WalletTerms(self.withdrawal_delay, self.address_delay)
        if self.issuers is not None:
            register = self.issuers.with_name(self.issuers.name + ".register")
            desk.exchange.credentials.trust(self.issuers, register=register)
        return app


def identity_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options; the command gets them as one argument, `chosen`."""

    @wraps(command)
    def wrapped(*args: Any, **words: Any) -> Any:
        own = {name: words.pop(name) for name in Chosen.__struct_fields__}
        return command(*args, chosen=Chosen(**own), **words)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
