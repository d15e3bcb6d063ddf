"""What the interface says of fees is what the engine charges."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tests.api.conftest import Server


def told(server: Server, key: Any, **fields: str) -> dict[str, Any]:
    status, answer = server.signed(key, "GET", f"/api/v5/account/trade-fee?{urlencode(fields)}")
    assert (status, answer["code"]) == (200, "0"), answer
    [row] = answer["data"]
    return dict(row)


def test_a_cap_of_the_account_lowers_what_is_told_to_it(server: Server) -> None:
    asked = {"instType": "SPOT", "instId": "ETH-USDC"}
    schedule = server.exchange.fee_rates(1, 0, "ETH-USDC")
    before = told(server, server.ann, **asked)
    assert (before["maker"], before["taker"]) == ("-0.0002", "-0.0005")
    assert (schedule.maker_ppm, schedule.taker_ppm) == (200, 500)
    server.exchange.set_fee_cap(server.accounts[0], 0, 300)
    capped = told(server, server.ann, **asked)
    assert (capped["maker"], capped["taker"], capped["level"]) == ("-0.0002", "-0.0003", "Lv1")
    assert told(server, server.bob, **asked)["taker"] == "-0.0005", "another account pays the schedule"
