"""What has to be done from time to time while the interface runs."""

from __future__ import annotations

import asyncio
import logging

from exchange_os.api.desk import Desk

_EVERY_S = 1.0
_log = logging.getLogger("exchange_os.api")


async def chores(desk: Desk) -> None:
    """Every second: withdrawals that are due are paid, results of keys are written. A failure is logged and
    tried again."""
    resumed = False
    while True:
        try:
            if not resumed:
                await desk.wallet.resume()
                resumed = True
            await desk.wallet.pay()
            desk.limits.write()
        except Exception:  # noqa: BLE001 - whatever it is, the interface goes on
            _log.exception("chores")
        await asyncio.sleep(_EVERY_S)
