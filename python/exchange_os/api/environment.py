"""Which money a request is about: simulated accounts with `x-simulated-trading: 1`, others without."""

from __future__ import annotations

from collections.abc import Mapping

from exchange_os.api.codes import Refused
from exchange_os.api.desk import Desk
from exchange_os.api.keys import Key

_HEADER = "x-simulated-trading"
_UNAUTHORISED = 401


def check_environment(desk: Desk, key: Key, headers: Mapping[str, str]) -> None:
    """`Refused` (50101) if the money of the key's account is not what the header says.

    What an account is never changes, so it is asked once.
    """
    simulated = desk.simulated.get(key.account)
    if simulated is None:
        simulated = desk.simulated[key.account] = desk.exchange.is_simulated(key.account)
    wanted = headers.get(_HEADER, "0").strip() == "1"
    if wanted == simulated:
        return
    why = (
        f"the key is of a simulated account; send {_HEADER}: 1"
        if simulated
        else f"the key is of an account with real money; leave {_HEADER} away"
    )
    raise Refused("50101", f"APIKey does not match current environment: {why}.", _UNAUTHORISED)
