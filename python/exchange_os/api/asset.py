"""Endpoints of the wallet: what lies in it, deposits, withdrawals and transfers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

from exchange_os.api.account import symbols_of
from exchange_os.api.codes import Refused, Row
from exchange_os.api.desk import Desk
from exchange_os.api.keys import Key, now_ms
from exchange_os.api.moves import Move
from exchange_os.api.numbers import blank, choice, decimal_of, limit_of, ms, text, word
from exchange_os.api.orders import client_id_of
from exchange_os.api.wallet import PLACES
from exchange_os.control.addresses import address_of
from exchange_os.control.transfers import Transfer
from exchange_os.control.withdrawals import Withdrawal
from exchange_os.errors import InvalidArgument

Fields = Mapping[str, Any]

_PAGE = 100
_ON_CHAIN = "4"
_STATES = {"waiting": "0", "sending": "1", "paid": "2", "failed": "-1", "cancelled": "-2", "unclear": "5"}
_NOTHING = Decimal(0)


def chain_of(symbol: str) -> str:
    """The name of the one way in and out: the exchange itself, by its operator."""
    return f"{symbol}-Exchange"


def _address(account: int) -> str:
    """How an account is named, as in a credential."""
    return f"urn:exchange-os:account:{account}"


# --- what there is ---


def balances(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """What lies in the funding account; `frozenBal` waits to be withdrawn."""
    return funds(desk, key.account, fields)


def funds(desk: Desk, account: int, fields: Fields) -> list[Row]:
    """Of any account, by currency."""
    number, rows = desk.wallet.accounts.funding_of(account), []
    for symbol in symbols_of(fields) or list(desk.exchange.assets):
        asset = desk.exchange._directory.asset(symbol)
        total = _NOTHING if number is None else desk.exchange.balance(number, symbol).total
        frozen = _NOTHING if number is None else desk.wallet.withdrawals.frozen(number, symbol)
        rows.append(
            {
                "ccy": asset.symbol,
                "bal": text(total),
                "frozenBal": text(frozen),
                "availBal": text(total - frozen),
            }
        )
    return rows


def currencies(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Every asset on one chain, the exchange itself: money comes and goes by its operator."""
    wanted, leaves = symbols_of(fields), not desk.exchange.is_simulated(key.account)
    empty = (
        "minFee maxFee maxWd minDep wdQuota usedWdQuota minDepArrivalConfirm minWdUnlockConfirm "
        "depQuotaFixed usedDepQuotaFixed burningFeeRate logoLink ctAddr"
    )
    rows = []
    for symbol in desk.exchange.assets:
        if wanted and symbol not in wanted:
            continue
        asset = desk.exchange._directory.asset(symbol)
        rows.append(
            {
                **blank(empty),
                "ccy": symbol,
                "name": symbol,
                "chain": chain_of(symbol),
                "fee": "0",
                "minWd": text(asset.amount.step),
                "wdTickSz": str(asset.decimals),
                "canDep": False,
                "canWd": leaves,
                "canInternal": False,
                "needTag": False,
                "mainNet": True,
            }
        )
    return rows


def deposit_address(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """The operator credits accounts: that is where a deposit goes."""
    symbol = desk.exchange._directory.asset(word(fields, "ccy")).symbol
    return [
        {
            **blank("tag memo pmtId ctAddr"),
            "addr": _address(key.account),
            "addrEx": {},
            "ccy": symbol,
            "chain": chain_of(symbol),
            "to": "18",
            "selected": True,
        }
    ]


def deposit_history(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """What was credited, newest first; `after` and `before` are times in milliseconds."""
    funding = desk.wallet.accounts.funding_of(key.account)
    own = {key.account, funding or key.account}
    rows = []
    for each in desk.wallet.moves.of(own):
        if each.kind != "deposit":
            continue
        asset = desk.exchange._directory.assets[each.asset]
        rows.append(
            {
                **blank("from areaCodeFrom txId fromWdId actualDepBlkConfirm"),
                "ccy": asset.symbol,
                "chain": chain_of(asset.symbol),
                "amt": text(asset.amount.value(each.amount)),
                "to": _address(each.account),
                "ts": ms(each.time_ns),
                "state": "2",
                "depId": str(each.sequence),
            }
        )
    wanted = {name: word(fields, name, "") for name in ("ccy", "depId", "txId", "state")}
    return _page(desk, [row for row in rows if _fits(row, wanted)], fields)


def bills(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """What changed the funding account, newest first."""
    funding = desk.wallet.accounts.funding_of(key.account)
    if funding is None:
        return []
    wanted = {name: word(fields, name, "") for name in ("ccy", "type")}
    running: dict[int, int] = {}
    rows = []
    for each in desk.wallet.moves.of({funding}):
        asset = desk.exchange._directory.assets[each.asset]
        leaves = each.account == funding and each.kind != "deposit"
        change = -each.amount if leaves else each.amount
        if each.account == funding:
            running[each.asset] = each.balance
        elif each.asset not in running:
            running[each.asset] = desk.exchange._core.balance(funding, each.asset)[0]  # type: ignore[index]
        row = {"billId": str(each.sequence), "ccy": asset.symbol, "clientId": "", "notes": ""}
        row |= {
            "balChg": text(asset.amount.value(change)),
            "bal": text(asset.amount.value(running[each.asset])),
        }
        rows.append(row | {"type": _bill_type(key.account, each, funding), "ts": ms(each.time_ns)})
        running[each.asset] -= change
    return _page(desk, [row for row in rows if _fits(row, wanted)], fields)


def _bill_type(account: int, each: Move, funding: int) -> str:
    """As OKX counts them: deposit, withdrawal, from and to the trading account, from and to a sub-account."""
    if each.kind != "transfer":
        return "1" if each.kind == "deposit" else "2"
    other = each.receiver if each.account == funding else each.account
    leaves = each.account == funding
    if other == account:
        return "131" if leaves else "130"
    return "20" if leaves else "21"


# --- transfers ---


async def transfer(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Between funding (6) and trading (18), and with sub-accounts by `type`."""
    kind = choice(fields, "type", ("0", "1", "2", "3", "4"), "0")
    sender, receiver = _ends(desk, key, kind, fields)
    done = await moved(
        desk, key, sender, receiver, fields, {"type": kind, "subAcct": word(fields, "subAcct", "")}
    )
    return [
        {
            "transId": str(done.id),
            "ccy": done.asset,
            "clientId": done.client_id,
            "from": done.fields["from"],
            "amt": text(done.amount),
            "to": done.fields["to"],
        }
    ]


async def moved(
    desk: Desk, key: Key, sender: int, receiver: int, fields: Fields, more: dict[str, str]
) -> Transfer:
    """A transfer between the places `from` and `to` of two accounts."""
    desk.limits.check(key, "own", fields)
    symbol, amount = _money(desk, fields)
    named = {name: choice(fields, name, tuple(PLACES)) for name in ("from", "to")}
    if sender == receiver and named["from"] == named["to"]:
        raise Refused("51000", "Parameter to error: it is where the money comes from.")
    paying = desk.wallet.number(sender, named["from"])
    if paying is None:
        raise Refused("58350", f"Insufficient balance: the funding account has no {symbol}.")
    taking = await desk.wallet.open(receiver, named["to"])
    return await desk.wallet.transfer(
        Transfer(
            id=0,
            account=key.account,
            client_id=client_id_of(fields, "clientId"),
            sender=paying,
            receiver=taking,
            asset=symbol,
            amount=amount,
            fields=named | more,
            state="pending",
            created_ms=now_ms(),
        )
    )


def _ends(desk: Desk, key: Key, kind: str, fields: Fields) -> tuple[int, int]:
    """Whose money, and to whom: a main account or one of its sub-accounts."""
    if kind == "0":
        return key.account, key.account
    accounts, main = desk.wallet.accounts, desk.wallet.accounts.main_of(key.account)
    of_main = main == key.account
    if of_main != (kind in {"1", "2"}):
        raise Refused(
            "51000", f"Parameter type error: {kind} is for keys of {'sub-' if of_main else 'main '}accounts."
        )
    if kind == "3":
        return key.account, main
    sub = accounts.sub_named(main, word(fields, "subAcct"))
    if sub is None:
        raise Refused("59510", "Sub-account does not exist.")
    return (sub.account, key.account) if kind == "2" else (key.account, sub.account)


def transfer_state(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """One transfer that the account asked for, by transId or clientId."""
    number, client_id = word(fields, "transId", ""), client_id_of(fields, "clientId")
    if not number and not client_id:
        raise Refused("50015", "Either parameter transId or clientId is required.")
    found = desk.wallet.transfers.find(
        key.account, number=_whole("transId", number) if number else None, client_id=client_id
    )
    if found is None:
        raise Refused("58129", "No transfer of this account has this transId or clientId.")
    return [
        {
            "transId": str(found.id),
            "clientId": found.client_id,
            "ccy": found.asset,
            "amt": text(found.amount),
            "state": found.state,
            **{name: found.fields[name] for name in ("from", "to", "type", "subAcct")},
        }
    ]


# --- withdrawals ---


async def withdraw(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """From the funding account to an address of the list, paid when the delay is over."""
    desk.limits.check(key, "own", fields)
    symbol, amount = _money(desk, fields)
    if choice(fields, "dest", ("3", "4")) != _ON_CHAIN:
        raise Refused(
            "51000", "Parameter dest error: 3, expected 4; between accounts of one owner there is transfer."
        )
    if (chain := word(fields, "chain", chain_of(symbol))) != chain_of(symbol):
        raise Refused("51000", f"Parameter chain error: {chain[:40]!r}, expected {chain_of(symbol)}.")
    if (fee := word(fields, "fee", "0")) and decimal_of("fee", fee):
        raise Refused("51000", f"Parameter fee error: {fee}, expected 0.")
    if desk.exchange.is_simulated(key.account):
        raise Refused("58204", "Withdrawal suspended: the money of a simulated account cannot leave.")
    address, client_id = _allowed(desk, key.account, word(fields, "toAddr")), client_id_of(fields, "clientId")
    async with desk.wallet.moving:
        asked = _asked(desk, key, symbol, amount, address, client_id)
    said = {"wdId": str(asked.id), "ccy": symbol, "amt": text(amount), "clientId": client_id}
    return [{**said, "chain": chain_of(symbol)}]


def _asked(desk: Desk, key: Key, symbol: str, amount: Decimal, address: str, client_id: str) -> Withdrawal:
    """Written down, if the funding account has it."""
    moment = now_ms()
    if client_id and (before := desk.wallet.withdrawals.named(key.account, client_id)):
        raise Refused("51000", f"Parameter clientId error: {client_id} was withdrawal {before.id}.")
    payer = desk.wallet.accounts.funding_of(key.account)
    free = desk.wallet.available(payer, symbol)
    if payer is None or amount > free:
        raise Refused(
            "58350",
            f"Insufficient balance: the funding account has {text(free)} {symbol} to withdraw; "
            "move it there from the trading account first.",
        )
    return desk.wallet.withdrawals.ask(
        Withdrawal(
            id=0,
            account=key.account,
            payer=payer,
            asset=symbol,
            amount=amount,
            address=address,
            client_id=client_id,
            state="waiting",
            why="",
            created_ms=moment,
            due_ms=moment + desk.wallet.terms.withdrawal_delay_s * 1_000,
            sent_ms=None,
        )
    )


def _allowed(desk: Desk, account: int, given: str) -> str:
    """An address of the account's list whose time has come."""
    try:
        address = address_of(given)
    except InvalidArgument as error:
        raise Refused("58221", f"Parameter toAddr error: {error}.") from None
    found = desk.wallet.withdrawals.address(account, address)
    if found is None:
        raise Refused("58207", f"The withdrawal address {address} is not on the list of this account.")
    if now_ms() < found.usable_ms:
        raise Refused("58207", f"The withdrawal address {address} can be used from {found.usable_ms} ms on.")
    return address


async def cancel_withdrawal(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Takes back one that still waits."""
    number = _whole("wdId", word(fields, "wdId"))
    if not desk.wallet.withdrawals.cancel(key.account, number):
        found = desk.wallet.withdrawals.find(key.account, number)
        if found is None:
            raise Refused("58215", "Withdrawal ID does not exist.")
        if found.state == "cancelled":
            raise Refused("58220", "The withdrawal request is already canceled.")
        raise Refused("58216", f"Operation not allowed: the withdrawal is {found.state}.")
    return [{"wdId": str(number)}]


def withdrawal_history(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """All withdrawals that were ever asked for, newest first."""
    wanted = {name: word(fields, name, "") for name in ("ccy", "wdId", "clientId", "txId", "state")}
    rows = [_withdrawal_row(each) for each in desk.wallet.withdrawals.of(key.account)]
    return _page(desk, [row for row in rows if _fits(row, wanted)], fields, complete=True)


def _withdrawal_row(each: Withdrawal) -> Row:
    return {
        **blank("areaCodeFrom areaCodeTo txId tag pmtId memo addrEx nonTradableAsset"),
        "note": each.why,
        "ccy": each.asset,
        "chain": chain_of(each.asset),
        "amt": text(each.amount),
        "ts": str(each.created_ms),
        "from": "",
        "to": each.address,
        "fee": "0",
        "feeCcy": each.asset,
        "state": _STATES[each.state],
        "wdId": str(each.id),
        "clientId": each.client_id,
    }


# --- inside ---


def _money(desk: Desk, fields: Fields) -> tuple[str, Decimal]:
    asset = desk.exchange._directory.asset(word(fields, "ccy"))
    amount = decimal_of("amt", word(fields, "amt"))
    if amount <= 0:
        raise Refused("51000", f"Parameter amt error: {text(amount)}, expected a number above 0.")
    asset.amount.count(amount)
    return asset.symbol, amount


def _whole(name: str, given: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise Refused("51000", f"Parameter {name} error: {given[:40]!r} is no id.")
    return int(given)


def _fits(row: Row, wanted: dict[str, str]) -> bool:
    return all(not value or row[name] == value for name, value in wanted.items())


def _page(desk: Desk, rows: list[Row], fields: Fields, *, complete: bool = False) -> list[Row]:
    """Between two times, exclusive; refused if it may reach back beyond what is known."""
    after, before = (word(fields, name, "") for name in ("after", "before"))
    older, newer = (
        _whole(name, given) if given else None for name, given in (("after", after), ("before", before))
    )
    found = [
        row
        for row in rows
        if (older is None or int(row["ts"]) < older) and (newer is None or int(row["ts"]) > newer)
    ]
    limit = limit_of(fields, _PAGE, _PAGE)
    known_ms = desk.wallet.moves.known_after_ns // 1_000_000
    if not complete and len(found) < limit and (newer is None or newer < known_ms):
        desk.wallet.moves.refuse_unknown()
    return found[:limit]


READING: dict[str, tuple[Callable[[Desk, Key, Fields], list[Row]], int]] = {
    "asset/balances": (balances, 12),
    "asset/currencies": (currencies, 12),
    "asset/deposit-address": (deposit_address, 12),
    "asset/deposit-history": (deposit_history, 12),
    "asset/withdrawal-history": (withdrawal_history, 12),
    "asset/transfer-state": (transfer_state, 20),
    "asset/bills": (bills, 12),
}
CHANGING: dict[str, tuple[Callable[[Desk, Key, Fields], Awaitable[list[Row]]], int, str]] = {
    "asset/transfer": (transfer, 4, "trade"),
    "asset/withdrawal": (withdraw, 12, "withdraw"),
    "asset/cancel-withdrawal": (cancel_withdrawal, 12, "withdraw"),
}
"""Path: what answers, how many in two seconds of one account, and the scope that it needs."""
