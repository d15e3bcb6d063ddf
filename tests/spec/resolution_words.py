"""Terms of resolution of a question in words: `resolvers=ann second=ben close=+1h`, others by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from scenario_file import nanoseconds


def _ppm(text: str) -> int:
    return int(Decimal(text.removesuffix("%")) * 10_000) if text.endswith("%") else int(text)


def _listed(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def resolution_of(
    pairs: dict[str, str], outcomes: int, accounts: dict[str, int], now_ns: int
) -> dict[str, Any]:
    """The terms as they travel; nothing for a question without resolvers."""
    if "resolvers" not in pairs:
        return {}

    def numbers(text: str) -> list[int]:
        return [int(name[1:]) if name.startswith("#") else accounts[name] for name in _listed(text)]

    resolvers, second = numbers(pairs.pop("resolvers")), numbers(pairs.pop("second"))
    wait_ns = nanoseconds(pairs.pop("close"))
    assert wait_ns is not None
    void = pairs.pop("void", ",".join(["100%"] + ["0"] * (outcomes - 1)))
    terms: dict[str, Any] = {
        "rule": pairs.pop("rule", "as-it-happened") * int(pairs.pop("rule_times", "1")),
        "sources": _listed(pairs.pop("sources", "paper")),
        "close_ns": now_ns + wait_ns,
        "propose_s": int(pairs.pop("propose_s", "3_600")),
        "resolvers": resolvers,
        "bond": str(int(pairs.pop("bond", "100"))),
        "challenge_s": int(pairs.pop("challenge_s", "7_200")),
        "second_resolvers": second,
        "second_bond": str(int(pairs.pop("second_bond", "500"))),
        "quorum": int(pairs.pop("quorum", len(second) // 2 + 1)),
        "decide_s": int(pairs.pop("decide_s", "86_400")),
        "void_payouts_ppm": [_ppm(share) for share in _listed(void)],
    }
    if "bond_share" in pairs:
        terms["bond_share_ppm"] = _ppm(pairs.pop("bond_share"))
    if pairs.pop("risk", "no") == "yes":
        terms["dispute_risk"] = True
    return {"resolution": terms}
