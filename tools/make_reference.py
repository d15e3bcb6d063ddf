"""Writes the generated pages of docs/reference.

    python tools/make_reference.py [--check]

Numbers, names and layouts are asked from the built extension, meanings are read from the doc comments of
`crates/protocol`, commands of `xos` from click. Nothing is typed a second time but the table of event fields
by kind in tools/event_fields.py, which tests/tools/test_make_reference.py holds against real events.
`--check` writes nothing and ends with 1 if a page is not what it would write.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any

import click
import msgspec

from event_fields import EVENT_FIELDS
from exchange_os import _core, errors
from exchange_os.cli import main as xos
from exchange_os.credentials import CredentialFault
from exchange_os.markets.schema import json_schema
from exchange_os.records import commands, events_from_bytes

ROOT = Path(__file__).resolve().parent.parent
PROTOCOL = Path("crates/protocol/src")
FOLDER = Path("docs/reference")
NOTE = "<!-- Written by tools/make_reference.py (`make docs`). Do not edit. -->"

ENUMERATIONS: tuple[type[IntEnum] | type[IntFlag], ...] = (
    _core.CommandKind,
    _core.EventKind,
    _core.Side,
    _core.Tif,
    _core.Flags,
    _core.SelfTrade,
    _core.PriceSource,
    _core.Matching,
    _core.InstrumentState,
    _core.PriceStatus,
    _core.ResolutionStage,
    _core.DecidedBy,
    _core.MarketKind,
    _core.SlotKind,
    _core.ActKind,
    _core.CancelReason,
    _core.EventFlags,
)

# What an event of each kind carries besides kind, sequence, time_ns and, but for a trade, client_id.

# Words that are not in words.rs.
_APART = {
    "SlotKind": "deployers.rs",
    "ActKind": "voting.rs",
    "DecidedBy": "questions.rs",
    "ResolutionStage": "questions.rs",
    "PriceStatus": "prices.rs",
}

# --- meanings, from the doc comments of crates/protocol -------------------------------------------------


def plain(doc: str) -> str:
    """A Rust doc comment as Markdown: links to items become names in code type."""
    return re.sub(r"\[`(?:crate::)?([^`\]]+)`\]", r"`\1`", doc).replace("|", "\\|")


def meanings(source: str, begin: str, item: str) -> dict[str, str]:
    """Doc comments of the items of one struct or word list. `item` matches an item, group 1 its name."""
    found: dict[str, str] = {}
    lines: list[str] = []
    for line in source[source.index(begin) + len(begin) :].splitlines()[1:]:
        text = line.strip()
        if text.startswith("///"):
            lines.append(text.removeprefix("///").strip())
        elif text.startswith("}"):
            break
        elif not text.startswith("#["):
            if match := re.match(item, text):
                found[match[1]] = plain(" ".join(lines))
            lines = []
    return found


def fields_of(path: str, struct: str) -> dict[str, str]:
    source = (ROOT / PROTOCOL / path).read_text(encoding="utf-8")
    return meanings(source, f"pub struct {struct} {{", r"pub (\w+):")


def words_of(enumeration: type[IntEnum] | type[IntFlag]) -> dict[str, str]:
    """Meaning of each member, by its name in Python."""
    name = enumeration.__name__
    if name in {"Flags", "EventFlags"}:
        path = "command.rs" if name == "Flags" else "event.rs"
        source = (ROOT / PROTOCOL / path).read_text(encoding="utf-8")
        return meanings(source, f"impl {name} {{", r"pub const (\w+): u8")
    path = _APART.get(name, "words.rs")
    source = (ROOT / PROTOCOL / path).read_text(encoding="utf-8")
    return meanings(source, f"    {name}: ", r'\w+ = \d+ "(\w+)"')


# --- pages ----------------------------------------------------------------------------------------------


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    columns = list(head)
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


def page(title: str, *parts: str | Iterable[str]) -> str:
    """A page of paragraphs and headings (strings) and ready lines (iterables)."""
    lines = [f"# {title}", "", NOTE, ""]
    for part in parts:
        if not isinstance(part, str):
            lines += part
        elif part.startswith("#"):
            lines += [part, ""]
        else:
            lines += [*textwrap.wrap(part, 110, break_long_words=False, break_on_hyphens=False), ""]
    return "\n".join(lines).rstrip() + "\n"


def rejects_page() -> str:
    rows = [
        (code, f"`{_core.Reject(code).name}`", "yes" if transient else "", plain(text))
        for code, _, text, transient in _core.rejects()
    ]
    classes = sorted(_classes(errors.Error), key=lambda kind: (kind.number, kind.__name__))
    return page(
        "Rejects and errors",
        "A **reject** is the engine's answer to a command that had no effect: an event of kind `rejected` "
        "with the number in `reason`, the refused value in `amount` and the limit it met in "
        "`counter_amount`. The single commands of the Python package raise `xos.Rejected` with that number;"
        " batches return the event.",
        "A command that is wrong in several ways gets the reject that its checks meet first. The "
        "[rules](../internals/rules.md) give the order for each kind; for a place the numbers rise along "
        "it.",
        "Later: the same command may pass at another time without change.",
        table(("number", "`xos.Reject`", "later", "sentence"), rows),
        "## Errors of the Python package",
        "All are subclasses of `xos.Error`. Each class has a number that never changes its meaning.",
        table(
            ("number", "class", "meaning"),
            ((kind.number, f"`{kind.__name__}`", _first_paragraph(kind)) for kind in classes),
        ),
        "## Faults of credentials",
        "What `CredentialRefused` says in `fault`, in the order in which it is looked for.",
        table(
            ("number", "`CredentialFault`", "the document"),
            ((fault.value, f"`{fault.name}`", fault.meaning) for fault in CredentialFault),
        ),
    )


def _classes(kind: type[errors.Error]) -> Iterator[type[errors.Error]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _classes(child)


def _first_paragraph(thing: object) -> str:
    doc = (thing.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(doc.split())


def used_fields() -> dict[str, dict[str, str]]:
    """The fields that each kind of command uses, found by asking an engine which ones it refuses."""
    exchange = _core.Exchange.open(None, None, True, 0, 0, None, None)
    found: dict[str, dict[str, str]] = {}
    for kind in _core.CommandKind:
        if kind == _core.CommandKind.DEPLOY:
            continue
        found[kind.name.lower()] = {
            name: "with `gtd`"
            if name == "expires_ns"
            else "`POST_ONLY` only"
            if name == "flags" and _refuses(exchange, kind, name, 2)
            else ""
            for name, _, _ in _core.command_fields()
            if name != "kind" and not _refuses(exchange, kind, name, 1)
        }
    exchange.close()
    return found


def _refuses(exchange: _core.Exchange, kind: int, name: str, value: int) -> bool:
    """Whether a command of this kind is malformed because of one field."""
    batch = commands(1)
    batch["kind"] = kind
    if kind == _core.CommandKind.PLACE and name == "expires_ns":
        batch["tif"] = _core.Tif.GTD
    batch[name] = b"x" if name == "client_id" else value
    event = events_from_bytes(exchange.submit(batch.tobytes(), None))[0]
    return bool(event["reason"] == _core.Reject.MALFORMED_COMMAND)


def _layout(fields: list[tuple[str, str, int]], docs: dict[str, str], overlaid: str) -> Iterator[str]:
    rows = []
    for name, numpy, offset in fields:
        half = re.match(r"(.*)_(low|high)$", name)
        if half:
            meaning = docs[half[1]] if half[2] == "low" else "The upper 64 bits, with the sign."
        else:
            meaning = docs.get(name, overlaid)
        rows.append((offset, f"`{name}`", f"`{numpy}`", meaning))
    return table(("byte", "field", "numpy", "meaning"), rows)


def _by_kind(kinds: dict[str, dict[str, str]]) -> Iterator[str]:
    def words(fields: dict[str, str]) -> str:
        parts = [
            f"`{name.removesuffix('_low')}`" + (f" ({note})" if note else "")
            for name, note in fields.items()
            if not name.endswith("_high")
        ]
        return ", ".join(parts) or "nothing"

    return table(("kind", "fields"), ((f"`{kind}`", words(fields)) for kind, fields in kinds.items()))


def records_page() -> str:
    trade = "In a trade, the counterpart: see the kind `trade` below."
    event_docs = fields_of("event.rs", "EventRecord")
    event_docs["client_id"] = "Client id of the command that caused the event; not in a trade."
    return page(
        "Records",
        "The bytes of commands and events, in Python (`xos.COMMAND`, `xos.EVENT`) and, of commands, in the "
        "journal. Integers are little-endian. A 128-bit amount is two fields; "
        "`exchange_os.records.integers_128` joins them. Words and flags are numbered in [words](words.md).",
        "## Command",
        f"{_core.COMMAND_BYTES} bytes. Fields that a kind does not use are zero.",
        _layout(_core.command_fields(), fields_of("command.rs", "CommandRecord"), ""),
        "### Fields by kind of command",
        "Found by asking an engine: in any other field, anything but zero is reject 102. The venue of an "
        "amend, a cancel and a mass cancel and the order id of a mass cancel are taken and not looked at. A"
        " deployment is no record: it travels as a frame of its own, with a MessagePack body.",
        _by_kind(used_fields()),
        "## Event",
        f"{_core.EVENT_BYTES} bytes. Bytes 56 to 88 have two readings: in a trade the counterpart, in every"
        " other kind the client id of the command that caused it.",
        _layout(_core.event_fields(), event_docs, trade),
        "### Fields by kind of event",
        "Besides `kind`, `sequence`, `time_ns` and, but for a trade, `client_id`. All others are zero. A "
        "retry has the flag `RETRY` and otherwise the fields of the first answer.",
        _by_kind(EVENT_FIELDS),
    )


def words_page() -> str:
    parts: list[Any] = []
    for enumeration in ENUMERATIONS:
        docs = words_of(enumeration)
        flags = issubclass(enumeration, IntFlag)
        rows = []
        for member in enumeration:
            name = str(member.name)
            rows.append(
                (int(member), f"`{name if flags else name.lower()}`", docs[name if flags else name.lower()])
            )
        parts += [
            f"## {enumeration.__name__}",
            table(("number", "flag" if flags else "word", "meaning"), rows),
        ]
    return page(
        "Words",
        "The numbered words of commands and events, each an enumeration of the Python package under the "
        "heading's name. Records carry the number; single commands, market files and frames use the word.",
        *parts,
    )


WIRE_STRUCTS = {
    "commands": ("command.rs", "CommandRecord"),
    "events": ("event.rs", "EventRecord"),
    "feed": ("feed.rs", "FeedRecord"),
    "subscribe": ("feed.rs", "Subscription"),
    "unsubscribe": ("feed.rs", "Subscription"),
}
BY_RECORDS = {"commands", "events"}


def wire_words(name: str, of_type: str = "u16") -> dict[str, str]:
    path = "feed.rs" if name == "FeedAction" else "session.rs"
    source = (ROOT / PROTOCOL / path).read_text(encoding="utf-8")
    return meanings(source, f"    {name}: {of_type} {{", r'\w+ = \d+ "(\w+)"')


def wire_page() -> str:
    schema, version, words = _core.wire_words()
    kinds = wire_words("MessageKind")
    header = fields_of("session.rs", "MessageHeader")
    parts: list[Any] = ["## Header", table(("field", "meaning"), ((f"`{n}`", d) for n, d in header.items()))]
    for name, number, record_bytes, fields in _core.wire_messages():
        parts += [f"## {number}: {name}", kinds[name] + f" {record_bytes} bytes a record."]
        if name in BY_RECORDS:
            parts.append("Fields: [records](records.md).")
        elif fields:
            struct = "".join(part.capitalize() for part in name.split("_"))
            docs = fields_of(*WIRE_STRUCTS.get(name, ("session.rs", struct)))
            parts.append(_layout(fields, docs, ""))
    for name, members in words:
        docs = wire_words(name, "u16" if name == "SessionCode" else "u8")
        rows = [(code, f"`{word}`", docs[word]) for word, code in members]
        parts += [f"## {name}", table(("number", "word", "meaning"), rows)]
    return page(
        "Messages of the wire",
        "What travels between a client and the binary gateway of [the server](../concepts/server.md): schema "
        f"{schema}, version {version}, little endian. A message is a header of 32 bytes and records of one "
        "size. `xos schema --sbe` prints the same as an SBE schema; four bytes of length stand before each "
        "SBE message.",
        *parts,
    )


def limits_page() -> str:
    docs = fields_of("limits.rs", "Limits")
    defaults: dict[str, int] = msgspec.msgpack.decode(_core.default_limits())
    bounds = (
        ("ticks of a price", "PRICE_TICKS_BOUND", _core.PRICE_TICKS_BOUND),
        ("lots of an order or a position", "QTY_LOTS_BOUND", _core.QTY_LOTS_BOUND),
        (
            "atoms of an amount, a notional or an asset's supply",
            "AMOUNT_ATOMS_BOUND",
            _core.AMOUNT_ATOMS_BOUND,
        ),
        ("`quote_atoms_per_tick_lot`", "u32", 1 << 32),
    )
    return page(
        "Limits",
        "## Declared limits",
        "Set once, by the first command of a log: `xos.open(path, limits={...})` or `[limits]` in the "
        "market file that is deployed first. They are part of the state, so a replay finds the same ones.",
        table(
            ("limit", "default", "meaning"),
            ((f"`{name}`", f"{value:,}", docs[name]) for name, value in defaults.items()),
        ),
        "## Bounds of numbers",
        "Fixed for every exchange. They keep each product inside 128 bits; arithmetic is checked all the "
        "same.",
        table(
            ("number", "name", "stays below"),
            ((what, f"`{name}`", f"2^{value.bit_length() - 1}") for what, name, value in bounds),
        ),
    )


def cli_page() -> str:
    parts: list[str] = []
    for path, command in _walk(xos, click.Context(xos, info_name="xos")):
        parts += _command(path, command)
    epilog = " ".join((xos.epilog or "").replace("\b", "").split())
    return page(
        "Command line",
        "`make build` leaves the program as `.venv/bin/xos`. `--help` works everywhere.",
        epilog,
        parts,
    )


def _walk(command: click.Command, context: click.Context) -> Iterator[tuple[click.Context, click.Command]]:
    if not isinstance(command, click.Group):
        yield context, command
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from _walk(found, click.Context(found, info_name=name, parent=context))


def _command(context: click.Context, command: click.Command) -> Iterator[str]:
    yield f"## {context.command_path}"
    yield ""
    yield f"`{context.command_path} {' '.join(command.collect_usage_pieces(context))}`"
    yield ""
    yield from (" ".join(part.split()) + "\n" for part in (command.help or "").split("\n\n"))
    rows = []
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            flag = parameter.is_flag
            names = ", ".join([*parameter.opts, *parameter.secondary_opts])
            name = f"`{names}`" if flag else f"`{names} {parameter.make_metavar(context)}`"
            default = "" if flag or parameter.required or not parameter.show_default else parameter.default
            note = "required" if parameter.required else "" if default is None else str(default)
            rows.append((name.replace("|", "\\|"), note, parameter.help or ""))
    if rows:
        yield from table(("option", "default", ""), rows)


def market_schema() -> str:
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


PAGES = {
    "market_file.schema.json": market_schema,
    "rejects.md": rejects_page,
    "records.md": records_page,
    "words.md": words_page,
    "limits.md": limits_page,
    "cli.md": cli_page,
    "wire.md": wire_page,
}


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    stale = []
    for name, write in PAGES.items():
        path, text = ROOT / FOLDER / name, write()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{FOLDER / name}: {'not up to date: run make docs' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
