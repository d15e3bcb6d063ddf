"""Sends the commands of a scenario through `exchange_os`, each by its own method where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Context, Decimal, Inexact
from functools import partial
from pathlib import Path
from typing import Any, cast

import credential_rows
import governance_words
import numpy as np
from answers import Event, agree, as_events, is_of_time
from deployment_lines import ON_QUESTIONS, Numbers, body_of, numbered
from scenario_file import Row, nanoseconds
from trigger_rows import is_plain

import exchange_os as xos
from exchange_os.log import replay
from exchange_os.records import Events, set_amounts

_KINDS = {kind.name.lower(): kind for kind in xos.CommandKind}
_FLAGS = {flag.name.lower(): flag for flag in xos.Flags if flag.name}
_TIFS = {"gtc", "ioc", "fok"}
_WITH_CLIENT_ID = {
    "place",
    "place_trigger",
    "place_bracket",
    "amend",
    "amend_trigger",
    "cancel",
    "deposit",
    "withdraw",
    "transfer",
    "split_set",
    "merge_set",
}
# There the column "account" says who is opened, or who publishes.
_OF_NO_ACCOUNT = {"open_account", "publish_price"}
_SOURCES = {source.name.lower(): int(source) for source in xos.PriceSource}
_EXITS = 1 << 52
_BOTH_SIDES = 2
_EXACT = Context(prec=60, traps=[Inexact])

Given = dict[str, Any]


class Desk:
    """An exchange, what the scenario calls things on it, and what came back."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.time_ns = 0
        self.accounts: dict[str, int] = {}
        self.labels: dict[str, int] = {}
        self.kinds: dict[int, int] = {}
        self.decimals: dict[str, int] = {}
        self.publishers: list[str] = []
        self.methods: set[str] = set()
        self.open()

    def open(self) -> None:
        """In memory, or over the directory, which may hold what was there before."""
        self.exchange = xos.open(self.path, durable=False, segment_bytes=8 << 20)
        self.subscription = self.exchange.subscribe()

    def open_again(self) -> None:
        """What is in the directory leads to the state that stands."""
        if self.path is None:
            return
        before, sequence = self.exchange.state_hash, self.exchange.sequence
        if all(found.price_status is None for found in self.exchange.instruments()):
            self.exchange.close()
            self.open()
            assert self.exchange.state_hash == before
            return
        # Opening says `restart` where prices have an oracle, and the scenario did not: a copy is opened.
        copy = self.path.with_name(f"{self.path.name} at {sequence}")
        shutil.copytree(self.path, copy)
        xos.open(copy, durable=False, segment_bytes=8 << 20).close()
        said: list[Events] = []
        replay(copy, from_sequence=sequence + 1, on_events=said.append)
        # Time passes up to the machine's clock and may bring events of its own before.
        outcome = next(event for array in said for event in as_events(array) if not is_of_time(event))
        assert outcome["kind"] == xos.EventKind.RESTARTED
        assert replay(copy, to_sequence=sequence).state_hash == before
        shutil.rmtree(copy)

    # --- names ---

    def account(self, text: str) -> int:
        return int(text[1:]) if text.startswith("#") else self.accounts[text]

    def account_name(self, number: int) -> str:
        return next((name for name, found in self.accounts.items() if found == number), _raw(number))

    def order(self, text: str) -> int:
        if text.endswith(".exits"):
            return self.order(text.removesuffix(".exits")) | _EXITS
        return int(text[1:]) if text.startswith("#") else self.labels[text]

    def order_name(self, number: int) -> str:
        exits = ".exits" if number & _EXITS else ""
        return (self.label_of(number & ~_EXITS) or _raw(number & ~_EXITS)) + exits

    def label_of(self, sequence: int) -> str:
        return next((label for label, found in self.labels.items() if found == sequence), "")

    def money(self, asset: str, atoms: str | int) -> Decimal:
        return Decimal(int(atoms)).scaleb(-self.decimals[asset], _EXACT)

    def atoms(self, asset: str, amount: Decimal) -> int:
        scaled = amount.scaleb(self.decimals[asset], _EXACT)
        assert scaled == int(scaled)
        return int(scaled)

    @staticmethod
    def named(symbols: list[str] | tuple[str, ...], number: int) -> str:
        """The symbol with this number."""
        return symbols[number - 1] if 0 < number <= len(symbols) else _raw(number)

    @property
    def instruments(self) -> list[str]:
        names = {self.exchange.number_of(i.symbol): i.symbol for i in self.exchange.instruments()}
        # What is reserved for an outcome has no symbol.
        return [names.get(number, _raw(number)) for number in range(1, max(names, default=0) + 1)]

    @property
    def questions(self) -> list[str]:
        return [found.symbol for found in self.exchange.questions()]

    # --- sending ---

    def deploy(self, words: tuple[str, ...], label: str) -> list[Event]:
        tables = (numbered(table) for table in (self.exchange.assets, self.publishers, self.questions))
        rest = (self.exchange.classes, self.accounts, self.time_ns, numbered(self.instruments))
        rest = (*rest, numbered(self.exchange.venues))
        body = body_of(words, Numbers(*tables, *rest))
        self._keep(self.exchange.sequence + 1, label, int(xos.CommandKind.DEPLOY))
        if words[0] == "asset":
            pairs = dict(word.split("=") for word in words[2:])
            self.decimals.setdefault(words[1], int(pairs.get("decimals", 2)))
        events = self._watched(lambda: self.exchange.deploy_body(body, time_ns=self.time_ns))
        if any(event["kind"] == xos.EventKind.PUBLISHER_DEPLOYED for event in events):
            self.publishers.append(words[1])
        return events

    def frame(self, rows: list[Row]) -> list[Event]:
        """A frame: a lonely command by its own method, several as a batch."""
        first = self.exchange.sequence + 1
        for sequence, row in enumerate(rows, first):
            self._keep(sequence, row.get("#", ""), 0)
        act = self._method(rows[0]) if len(rows) == 1 else None
        batch = xos.commands(len(rows))
        amounts = []
        for at, row in enumerate(rows):
            fields = self.record(row)
            amounts.append(fields.pop("amount"))
            for name, value in fields.items():
                batch[name][at] = value
        set_amounts(batch, amounts)
        for sequence, kind in enumerate(batch["kind"].tolist(), first):
            self.kinds[sequence] = kind
        events = self._watched(act or (lambda: self.exchange.submit(batch, time_ns=self.time_ns)))
        for event in events:
            if event["kind"] == xos.EventKind.ACCOUNT_OPENED:
                self.accounts[rows[event["sequence"] - first]["account"]] = event["account"]
        return events

    def _keep(self, sequence: int, label: str, kind: int) -> None:
        self.kinds[sequence] = kind
        if label:
            assert label not in self.labels, f"two commands are labelled {label!r}"
            self.labels[label] = sequence

    def _watched(self, act: Callable[[], object]) -> list[Event]:
        """Does it and takes the events; what the call answered has to agree with them."""
        refused = None
        try:
            answer = act()
        except xos.Rejected as reject:
            answer, refused = reject, reject
        events = [event for array in self.subscription for event in as_events(array)]
        outcomes = [event for event in events if not is_of_time(event)]
        if isinstance(answer, np.ndarray):
            assert as_events(answer) == events
            return events
        outcome = next(event for event in events if not is_of_time(event))
        if isinstance(answer, xos.OrderResult):
            agree(answer, outcome, events)
            refused = answer.rejection
        elif isinstance(answer, xos.Receipt):
            assert (answer.sequence, answer.time_ns) == (outcome["sequence"], outcome["time_ns"])
            assert answer.retry == bool(outcome["flags"] & xos.EventFlags.RETRY)
        rejected = outcomes[0]["kind"] == xos.EventKind.REJECTED if outcomes else False
        assert rejected == (refused is not None), (outcome, answer)
        if refused is not None:
            told = (refused.code, refused.value, refused.limit)
            assert told == (outcome["reason"], outcome["amount"], outcome["counter_amount"])
        return events

    # --- one command by its own method ---

    def _method(self, row: Row) -> Callable[[], object] | None:
        """The call that sends this row, or None where only a record can say it."""
        options, do = row.get("options", ""), row["do"]
        if "raw." in options or "parent=" in options or "#" in options + row.get("on", ""):
            return None
        if (do in {"cancel", "open_account"} and row.get("on")) or (do == "tick" and row.get("account")):
            return None
        call = getattr(self, f"_{do}", None) or self._move_or_price
        words: dict[str, Any] = _words(options)
        if "trigger" in do and not is_plain(row, words):
            return None
        on = self._on(row)
        given: dict[str, Any] = {"time_ns": self.time_ns}
        if do in _WITH_CLIENT_ID:
            given["client_id"] = words.get("id")
        named = row.get("account") and do not in _OF_NO_ACCOUNT
        account = self.account(row["account"]) if named else 0
        if do == "publish_price" and row["account"].startswith("#"):
            return None
        self.methods.add(do)
        return partial(call, row, account, on, words, given)

    def _place(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        side, chosen = cast(Any, row.get("side") or "buy"), self._order_options(words)
        price, qty = self._price(on, row), self._qty(on, row)
        chosen |= self._display(on, words)
        return self.exchange.try_place(account, on, side, price, qty, **chosen, **given)

    def _amend(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        given["price"] = self._price(on, row) if row.get("price") else None
        given["qty"] = self._qty(on, row) if row.get("qty") else None
        given |= self._display(on, words)
        return self.exchange.amend(account, on, self._order(row), post_only="post_only" in words, **given)

    def _place_trigger(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        side, qty = cast(Any, row.get("side") or "buy"), self._qty(on, row) if row.get("qty") else None
        given |= self._order_options(words)
        given.pop("market", None)
        given["limit"] = self._price(on, row) if row.get("price") else None
        given |= self._trigger_prices(on, words)
        if "slippage" in words:
            given["slippage"] = _part(words["slippage"])
        given |= {name: words[name] for name in ("source", "source_below") if name in words}
        return self.exchange.place_trigger(account, on, side, qty, **given)

    def _amend_trigger(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        given["limit"] = self._price(on, row) if row.get("price") else None
        given["qty"] = self._qty(on, row) if row.get("qty") else None
        given |= self._trigger_prices(on, words)
        return self.exchange.amend_trigger(account, on, self._order(row), **given)

    def _place_bracket(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        side = row.get("side") or "buy"
        above, below = ("take_profit", "stop_loss") if side == "buy" else ("stop_loss", "take_profit")
        prices = self._trigger_prices(on, words)
        given |= {above: prices["above"], below: prices["below"], "source": words.get("source", "last")}
        given |= {"slippage": _part(words.get("slippage", "0%"))} | self._order_options(words)
        price, qty = self._price(on, row), self._qty(on, row)
        return self.exchange.bracket(account, on, cast(Any, side), price, qty, **given)

    def _set_protection(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        lot = self.exchange.instrument(on).lot_size
        limits = {name: int(row.get(of) or 0) * lot for name, of in (("qty", "qty"), ("delta", "price"))}
        times = {
            f"{name}_s": Decimal(nanoseconds(f"+{words.get(name, '0s')}") or 0) / 10**9
            for name in ("window", "freeze")
        }
        return self.exchange.set_protection(account, on, **limits, **times, **given)

    def _display(self, on: str, words: Given) -> Given:
        lot = self.exchange.instrument(on).lot_size
        return {"display": int(words["display"]) * lot} if "display" in words else {}

    def _trigger_prices(self, on: str, words: Given) -> Given:
        tick = self.exchange.instrument(on).tick_size
        names = ("above", "below", "limit_below")
        words = words | {"limit_below": words.get("below_limit")}
        return {name: int(words[name]) * tick if words.get(name) else None for name in names}

    def _cancel(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        return self.exchange.cancel(account, self._order(row), **given)

    def _mass_cancel(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        given["side"] = row.get("side") or None
        return self.exchange.mass_cancel(account, on or None, **given)

    def _cancel_all_after(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        return self.exchange.cancel_all_after(account, Decimal(row["qty"]) / 1_000, **given)

    def _open_account(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        given["simulated"] = "simulated" in words
        return self.exchange.open_account(words.get("owner", row["account"]), **given)

    def _split_set(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        return self.exchange.split(account, on, Decimal(row["qty"]), **given)

    def _merge_set(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        return self.exchange.merge(account, on, Decimal(row["qty"]), **given)

    def _set_leverage(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        return self.exchange.set_leverage(account, on, int(row["qty"]), **given)

    def _set_credentials(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        return credential_rows.send(self, account, words, given)

    def _set_margin_mode(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        return self.exchange.set_margin_mode(account, cast(Any, row["side"]), **given)

    def _publish_price(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        given |= {"external": self._qty_as_price(on, row), "published_ns": self._published_ns(words)}
        return self.exchange.publish_price(row["account"], on, self._price(on, row), **given)

    def _qty_as_price(self, on: str, row: Row) -> Decimal | None:
        return int(row["qty"]) * self.exchange.instrument(on).tick_size if row.get("qty") else None

    def _published_ns(self, words: Given) -> int:
        """The publisher's own time: now, `ago=2s` or `ahead=2s`."""
        ago, ahead = (nanoseconds(f"+{words.get(name, '0s')}") or 0 for name in ("ago", "ahead"))
        return self.time_ns - ago + ahead

    def _set_instrument_state(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        state = xos.InstrumentState[words["state"].upper()]
        return self.exchange.set_instrument_state(on, state, **given)

    def _resolve_question(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        return self.exchange.resolve(on, words["pays"], **given)

    def _move_or_price(self, row: Row, account: int, on: str, words: Given, given: Given) -> object:
        """deposit, withdraw, transfer, set_mark, set_index, tick, restart, words of resolvers."""
        act: Callable[..., object]
        if row["do"] in governance_words.COMMANDS:
            return governance_words.send(self, account, self._order(row), words, row, given)
        if row["do"] in {"challenge_resolution", "void_question"}:
            act = self.exchange.void if row["do"] == "void_question" else self.exchange.challenge
            return act(account, on, **given)
        act = getattr(self.exchange, row["do"])
        if row["do"] in {"tick", "restart"}:
            return act(**given)
        if row["do"] == "transfer":
            return self.exchange.transfer(
                account, self.account(words["to"]), on, self.money(on, row["amount"]), **given
            )
        if row["do"] in {"deposit", "withdraw"}:
            return act(account, on, self.money(on, row["amount"]), **given)
        return act(on, self._price(on, row), **given)

    def _order(self, row: Row) -> int:
        return self.order(row["order"]) if row.get("order") else 0

    def _on(self, row: Row) -> str:
        """The asset, question or instrument of a row; where none is named, the only one it can be."""
        if row.get("on"):
            return row["on"]
        match row["do"]:
            case "deposit" | "withdraw" | "transfer" | "collect_fees":
                return self.exchange.assets[0]
            case do if do in ON_QUESTIONS:
                (only,) = self.questions
            case (
                "place"
                | "place_trigger"
                | "place_bracket"
                | "amend"
                | "amend_trigger"
                | "set_protection"
                | "set_leverage"
                | "set_mark"
                | "set_index"
                | "publish_price"
                | "set_instrument_state"
            ):
                (only,) = self.instruments
            case _:
                return ""
        return only

    def _price(self, on: str, row: Row) -> Decimal:
        return int(row["price"]) * self.exchange.instrument(on).tick_size

    def _qty(self, on: str, row: Row) -> Decimal:
        return int(row["qty"]) * self.exchange.instrument(on).lot_size

    def _order_options(self, words: Given) -> dict[str, Any]:
        chosen: dict[str, Any] = {name: True for name in words if name in _FLAGS}
        for name in _TIFS & words.keys():
            chosen["tif"] = name
        chosen |= {name: words[name] for name in ("self_trade", "venue") if name in words}
        if "gtd" in words:
            chosen |= {"tif": "gtd", "expires_ns": self.expiry(words["gtd"])}
        return chosen

    def expiry(self, text: str) -> int:
        wait_ns = nanoseconds(text)
        assert wait_ns is not None, f"gtd is {text!r}"
        return self.time_ns + wait_ns

    # --- the same command as a record ---

    def record(self, row: Row) -> dict[str, Any]:
        """The fields of a row as they travel."""
        kind, words = _KINDS[row["do"]], _words(row.get("options", ""))
        opens = kind == xos.CommandKind.OPEN_ACCOUNT
        fields: dict[str, Any] = {
            "kind": int(kind),
            "account": self._account_number(row),
            "instrument": self._number(row),
            "order_id": self._order(row),
            "price": int(row.get("price") or 0),
            "qty": int(row.get("qty") or 0),
            "amount": int(row.get("amount") or 0),
            "side": int(row.get("side") in {"sell", "scenario"}),
            "client_id": (words.get("owner", row["account"]) if opens else words.get("id", "")).encode(),
            "flags": sum(int(_FLAGS[name]) for name in words if name in _FLAGS),
        }
        if kind == xos.CommandKind.MASS_CANCEL and not row.get("side"):
            fields["side"] = _BOTH_SIDES
        for name, value in words.items():
            fields |= self._option(name, value)
        if (
            above := int(words.get("display", words.get("above", 0))) % (1 << 64)
            | int(words.get("below", 0)) << 64
        ):
            fields["amount"] = above
        window, freeze = (nanoseconds(f"+{words.get(name, '0s')}") or 0 for name in ("window", "freeze"))
        if kind == xos.CommandKind.SET_PROTECTION:
            fields["expires_ns"] = freeze // 10**6 << 32 | window // 10**6
        if kind == xos.CommandKind.SET_CREDENTIALS:
            fields |= credential_rows.fields(self, words)
        if kind == xos.CommandKind.PUBLISH_PRICE:
            fields["expires_ns"] = self._published_ns(words)
        first = _SOURCES[words.get("source_above", words.get("source", "last"))]
        second = _SOURCES[words.get("source_below", words.get("source", "last"))]
        slippage = int(_part(words.get("slippage", "0%")) * 1_000_000)
        fields["order_id"] |= slippage << 32 | second << 8 | first
        return fields

    def _account_number(self, row: Row) -> int:
        name = row.get("account", "")
        if not name or row["do"] == "open_account":
            return 0
        if row["do"] == "publish_price" and not name.startswith("#"):
            return self.publishers.index(name) + 1
        return self.account(name)

    def _number(self, row: Row) -> int:
        on = self._on(row)
        if not on or on.startswith("#"):
            return int(on[1:] or 0)
        match row["do"]:
            case "deposit" | "withdraw" | "transfer" | "collect_fees":
                return self.exchange.assets.index(on) + 1
            case do if do in ON_QUESTIONS:
                return self.questions.index(on) + 1
        return self.instruments.index(on) + 1

    def _option(self, name: str, value: str) -> dict[str, int]:
        match name:
            case "gtc" | "ioc" | "fok":
                return {"tif": int(xos.Tif[name.upper()])}
            case "gtd":
                return {"tif": int(xos.Tif.GTD), "expires_ns": self.expiry(value)}
            case "self_trade":
                return {"self_trade": int(xos.SelfTrade[value.upper()])}
            case "venue":
                raw = value.startswith("#")
                return {"venue": int(value[1:]) if raw else self.exchange.venues.index(value) + 1}
            case "to" | "parent":
                return {"order_id": self.account(value)}
            case "below_limit":
                return {"expires_ns": int(value)}
            case "slot":
                return {"side": int(xos.SlotKind[value.upper()])}
            case "question":
                return {"side": 2, "instrument": self.questions.index(value) + 1}
            case "state":
                return {"side": int(xos.InstrumentState[value.upper()])}
            case "pays":
                raw = value.startswith("#")
                return {"order_id": int(value[1:]) if raw else self.instruments.index(value) + 1}
            case "simulated":
                return {"side": 1}
        return {name.removeprefix("raw."): int(value)} if name.startswith("raw.") else {}


def _part(percent: str) -> Decimal:
    return Decimal(percent.rstrip("%")) / 100


def _words(options: str) -> dict[str, str]:
    return {name: value for name, _, value in (word.partition("=") for word in options.split())}


def _raw(number: int) -> str:
    return f"#{number}" if number else ""
