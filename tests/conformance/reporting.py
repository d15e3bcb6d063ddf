"""What a program that uses a client says: one line of JSON for each step, and one at the end."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager


def given() -> dict[str, str]:
    """Addresses and key of the server: rest, ws, https, wss, authority, key, secret, passphrase."""
    found: dict[str, str] = json.loads(os.environ["XOS_CONFORMANCE"])
    return found


class Report:
    """Steps of one client; a step that fails does not keep the next from being tried."""

    def __init__(self, client: str, version: str) -> None:
        self._failed = 0
        self._say(client=client, version=version)

    @staticmethod
    def _say(**words: object) -> None:
        print(json.dumps(words), flush=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """What is exercised in it; whatever it raises is told."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever a client raises is its result
            traceback.print_exc()
            self._failed += 1
            self._say(step=name, result="failed", why=f"{type(error).__name__}: {error}"[:400])
        else:
            self._say(step=name, result="passed")

    def end(self) -> None:
        """Ends the program: 0 if all went well."""
        sys.stdout.flush()
        os._exit(1 if self._failed else 0)  # threads of a client do not hold it up
