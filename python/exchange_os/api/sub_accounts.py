"""Sub-accounts: accounts of the engine with the same owner, by names that their main account gives them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from exchange_os.api import asset
from exchange_os.api.account import balance
from exchange_os.api.codes import Refused, Row
from exchange_os.api.desk import Desk
from exchange_os.api.keys import Key
from exchange_os.api.numbers import limit_of, text, word
from exchange_os.control.accounts import OwnAccount

Fields = Mapping[str, Any]

_NAME_MAX = 20
_LABEL_MAX = 50


def listed(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Those of a main account, newest first."""
    wanted = word(fields, "subAcct", "")
    found = desk.wallet.accounts.subs_of(key.account)
    rows = [_row(each) for each in reversed(found) if wanted in {"", each.name}]
    return rows[: limit_of(fields, 100, 100)]


def _row(each: OwnAccount) -> Row:
    row: Row = {
        "type": "1",
        "enable": True,
        "subAcct": each.name,
        "uid": str(each.account),
        "label": each.label,
    }
    row |= {"mobile": "", "gAuth": False, "frozenFunc": [], "canTransOut": True, "subAcctLv": "1"}
    return row | {"firstLvSubAcct": "", "ifDma": False, "ts": str(each.created_ms)}


async def create(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Opens one: 6 to 20 letters and digits."""
    desk.limits.check(key, "own", fields)
    name, label = word(fields, "subAcct"), word(fields, "label", "")
    if not (name.isascii() and name.isalnum() and 6 <= len(name) <= _NAME_MAX) or len(label) > _LABEL_MAX:
        raise Refused(
            "59601", f"Parameter subAcct error: expected 6 to {_NAME_MAX} letters and digits of ASCII."
        )
    if desk.wallet.accounts.main_of(key.account) != key.account:
        raise Refused("59604", "Only a main account has sub-accounts.")
    made = await desk.wallet.open_sub(key.account, name, label)
    return [{"subAcct": name, "label": label, "uid": str(made.account), "ts": str(made.created_ms)}]


def funding_balances(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """What lies in the funding account of a sub-account."""
    return asset.funds(desk, _named(desk, key, "subAcct", fields).account, fields)


def trading_balances(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Balance of a sub-account."""
    sub = _named(desk, key, "subAcct", fields)
    return balance(desk, Key("", sub.account, frozenset({"read"}), b"", ""), {})


async def transfer(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Between two sub-accounts, by their main account."""
    ends = [_named(desk, key, name, fields) for name in ("fromSubAccount", "toSubAccount")]
    said = {"type": "4", "subAcct": ends[1].name}
    done = await asset.moved(desk, key, ends[0].account, ends[1].account, fields, said)
    return [{"transId": str(done.id)}]


def bills(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Transfers between a main account and its sub-accounts, newest first."""
    accounts = desk.wallet.accounts
    names = {each.account: each.name for each in accounts.subs_of(key.account)}
    of_sub = {accounts.funding_of(number): name for number, name in names.items()} | names
    wanted, rows = word(fields, "subAcct", ""), []
    for each in desk.wallet.transfers.between(key.account, {number for number in of_sub if number}):
        leaves = each.receiver in of_sub
        name = of_sub[each.receiver if leaves else each.sender]
        if each.state == "success" and wanted in {"", name}:
            row = {"billId": str(each.id), "ccy": each.asset, "amt": text(each.amount), "subAcct": name}
            rows.append(row | {"type": "0" if leaves else "1", "ts": str(each.created_ms)})
    return rows[: limit_of(fields, 100, 100)]


def _named(desk: Desk, key: Key, name: str, fields: Fields) -> OwnAccount:
    found = desk.wallet.accounts.sub_named(key.account, word(fields, name))
    if found is None:
        raise Refused("59510", "Sub-account does not exist.")
    return found


READING: dict[str, tuple[Callable[[Desk, Key, Fields], list[Row]], int]] = {
    "users/subaccount/list": (listed, 4),
    "account/subaccount/balances": (trading_balances, 12),
    "asset/subaccount/balances": (funding_balances, 12),
    "asset/subaccount/bills": (bills, 12),
}
CHANGING: dict[str, tuple[Callable[[Desk, Key, Fields], Awaitable[list[Row]]], int, str]] = {
    "users/subaccount/create-subaccount": (create, 2, "trade"),
    "asset/subaccount/transfer": (transfer, 4, "trade"),
}
"""Path: what answers, how many in two seconds of one account, and the scope that it needs."""
