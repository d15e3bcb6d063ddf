"""The messages of the wire as an SBE schema, written from the layouts of the records."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from exchange_os import _core

# What SBE calls a field that numpy writes so.
_TYPES = {
    "<u1": "uint8",
    "<u2": "uint16",
    "<u4": "uint32",
    "<u8": "uint64",
    "<i8": "int64",
    "S32": "bytes32",
    "S64": "bytes64",
}
_BYTES = {"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "int64": 8, "bytes32": 32, "bytes64": 64}
_WORD_BYTES = {"SessionCode": "uint16"}
_ROOT_BYTES = 16
# Decoders of groups have a method of their own with this name.
_NAMES = {"count": "commands"}


def sbe_schema() -> str:
    """One message for each kind, its records a group. Fields that lie over others are left out."""
    schema, version, words = _core.wire_words()
    lines = [
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>',
        "<!-- Four bytes with the length of the whole message, these included, stand before each header. -->",
        _opening(schema, version),
        "  <types>",
        *_composite("messageHeader", "blockLength", "templateId", "schemaId", "version"),
        *_composite("groupSizeEncoding", "blockLength", "numInGroup"),
        '    <type name="bytes32" primitiveType="uint8" length="32"/>',
        '    <type name="bytes64" primitiveType="uint8" length="64"/>',
    ]
    for name, members in words:
        lines.append(f'    <enum name="{name}" encodingType="{_WORD_BYTES.get(name, "uint8")}">')
        lines += [f'      <validValue name="{sbe_name(word)}">{code}</validValue>' for word, code in members]
        lines.append("    </enum>")
    lines.append("  </types>")
    for name, number, record_bytes, fields in _core.wire_messages():
        lines += _message(name, number, record_bytes, fields)
    lines.append("</sbe:messageSchema>")
    return "\n".join(lines)


def _opening(schema: int, version: int) -> str:
    names = 'xmlns:sbe="http://fixprotocol.io/2016/sbe" package="exchange_os" headerType="messageHeader"'
    versions = f'id="{schema}" version="{version}" semanticVersion="1.0" byteOrder="littleEndian"'
    return f"<sbe:messageSchema {names} {versions}>"


def _composite(name: str, *members: str) -> list[str]:
    parts = [f'      <type name="{member}" primitiveType="uint16"/>' for member in members]
    return [f'    <composite name="{name}">', *parts, "    </composite>"]


def _message(name: str, number: int, record_bytes: int, fields: list[tuple[str, str, int]]) -> list[str]:
    lines = [
        f'  <sbe:message name={quoteattr(sbe_name(name))} id="{number}" blockLength="{_ROOT_BYTES}">',
        '    <field name="number" id="1" type="uint64" offset="0"/>',
        '    <field name="mark" id="2" type="uint64" offset="8"/>',
        f'    <group name="records" id="3" blockLength="{record_bytes}" dimensionType="groupSizeEncoding">',
    ]
    free = 0
    for at, (field, kind, offset) in enumerate(
        sorted(fields, key=lambda row: row[2]) or [("octet", "<u1", 0)]
    ):
        of_type = _TYPES[kind]
        if offset < free:
            continue
        free = offset + _BYTES[of_type]
        lines.append(
            f'      <field name="{sbe_name(field)}" id="{at + 4}" type="{of_type}" offset="{offset}"/>'
        )
    return [*lines, "    </group>", "  </sbe:message>"]


def sbe_name(name: str) -> str:
    """What a field or message is called in the schema."""
    first, *rest = _NAMES.get(name, name).split("_")
    return first + "".join(part.capitalize() for part in rest)
