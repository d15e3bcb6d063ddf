"""The SBE schema: sound by its own rules, and enough to decode what a server really sends."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from exchange_os.server import Node
from exchange_os.server.sbe import sbe_schema

SIZES = {"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "int64": 8, "bytes32": 32, "bytes64": 64}
NAMESPACE = "{http://fixprotocol.io/2016/sbe}"


def test_fields_follow_each_other_within_their_records() -> None:
    root = ElementTree.fromstring(sbe_schema())
    messages = root.findall(f"{NAMESPACE}message")
    assert len(messages) == len({message.get("id") for message in messages}) == 15
    for message in messages:
        group = message.find("group")
        assert group is not None
        end = 0
        ids = [field.get("id") for field in message.iter("field")] + [group.get("id")]
        assert len(ids) == len(set(ids))
        for field in group.findall("field"):
            offset = int(field.get("offset", ""))
            assert offset >= end, (message.get("name"), field.get("name"))
            end = offset + SIZES[field.get("type", "")]
        assert end <= int(group.get("blockLength", ""))


def decode(data: bytes) -> tuple[str, int, list[dict[str, Any]]]:
    """A message by the schema alone."""
    root = ElementTree.fromstring(sbe_schema())
    length, block, template, schema, version = (
        int.from_bytes(data[at:end], "little") for at, end in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12))
    )
    assert (length, schema, version) == (len(data), int(root.get("id", "")), int(root.get("version", "")))
    message = next(one for one in root.findall(f"{NAMESPACE}message") if one.get("id") == str(template))
    at = 12 + block
    size, count = (int.from_bytes(data[at + part : at + part + 2], "little") for part in (0, 2))
    records = []
    for record in range(count):
        start = at + 4 + record * size
        fields = {}
        for field in message.findall("group/field"):
            begin = start + int(field.get("offset", ""))
            raw = data[begin : begin + SIZES[field.get("type", "")]]
            signed = field.get("type") == "int64"
            fields[field.get("name", "")] = (
                raw if "bytes" in field.get("type", "") else int.from_bytes(raw, "little", signed=signed)
            )
        records.append(fields)
    assert at + 4 + count * size == length
    return message.get("name", ""), int.from_bytes(data[12:20], "little"), records


def test_the_schema_alone_decodes_what_a_server_sends(node: Node) -> None:
    host, _, port = node.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        challenge = line.recv(4, socket.MSG_WAITALL)
        challenge += line.recv(int.from_bytes(challenge, "little") - 4, socket.MSG_WAITALL)
        name, number, [record] = decode(challenge)
        assert (name, number) == ("challenge", 1)
        assert record["durableSequence"] == node.query("sequence")
        assert len(record["nonce"]) == 32
        line.sendall(b"\xff" * 64)
        goodbye = line.recv(4, socket.MSG_WAITALL)
        goodbye += line.recv(int.from_bytes(goodbye, "little") - 4, socket.MSG_WAITALL)
        name, number, [record] = decode(goodbye)
        # malformed: the schema id of the message, and the one that was due.
        assert (name, number, record["code"], record["value"]) == ("goodbye", 2, 2, 0xFFFF)


def test_the_reference_tool_takes_the_schema(tmp_path: Path) -> None:
    jar, java = os.environ.get("XOS_SBE_JAR"), shutil.which("java")
    if jar is None or java is None:
        pytest.skip("needs java, and XOS_SBE_JAR with the path of the reference tool sbe-all")
    schema = tmp_path / "exchange_os.xml"
    schema.write_text(sbe_schema(), encoding="utf-8")
    options = ["-Dsbe.validation.stop.on.error=true", "-Dsbe.validation.warnings.fatal=true"]
    options += [f"-Dsbe.output.dir={tmp_path}", "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED"]
    answer = subprocess.run(
        [java, *options, "-jar", jar, schema], capture_output=True, text=True, check=False, timeout=100
    )
    assert answer.returncode == 0, answer.stderr
    assert list(tmp_path.rglob("CommandsDecoder.java"))
