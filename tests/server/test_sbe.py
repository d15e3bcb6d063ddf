"""The SBE schema: sound by its own rules, and enough to decode what a server really sends."""

import contextlib
import hmac
import os
import shutil
import socket
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import exchange_os as xos
from exchange_os import _core, records
from exchange_os.server import Node
from exchange_os.server.sbe import sbe_name, sbe_schema

SECRET = b"a secret of sufficient length"
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


def reference_tool() -> tuple[str, str]:
    """java, and the reference tool: `XOS_SBE_JAR`, or where Maven keeps uk.co.real-logic:sbe-all."""
    java, javac = shutil.which("java"), shutil.which("javac")
    kept = sorted(Path.home().glob(".m2/repository/uk/co/real-logic/sbe-all/*/sbe-all-*.jar"))
    jar = os.environ.get("XOS_SBE_JAR") or (str(kept[-1]) if kept else None)
    if java is None or javac is None:
        pytest.skip("needs java and javac on the PATH")
    if jar is None:
        pytest.skip("needs the reference tool: mvn dependency:get -Dartifact=uk.co.real-logic:sbe-all:1.38.1")
    return java, jar


def run(*command: str | Path) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


OPENS = (
    "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
)


class Recorder:
    """Stands between a client and a server and keeps every byte of both directions."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.recorded: list[bytearray] = []
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._server)
            self._sockets += [near, far]
            for source, sink in ((near, far), (far, near)):
                kept = bytearray()
                self.recorded.append(kept)
                thread = threading.Thread(target=self._pass_on, args=(source, sink, kept), daemon=True)
                self._threads.append(thread)
                thread.start()

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
        while data := source.recv(65_536):
            kept += data
            sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def messages(self) -> list[bytes]:
        """All whole messages; waits until both sides have hung up."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)
        for one in self._sockets:
            one.close()
        found = []
        for kept in self.recorded:
            at = 0
            while at + 4 <= len(kept):
                length = int.from_bytes(kept[at : at + 4], "little")
                found.append(bytes(kept[at : at + length]))
                at += length
        return found


def header(kind: int, number: int, record_bytes: int, count: int) -> bytes:
    length = 32 + record_bytes * count
    return struct.pack("<IHHHHQQHH", length, 16, kind, 0x5853, 1, number, 0, record_bytes, count)


def read_message(line: socket.socket) -> bytes:
    data = line.recv(4, socket.MSG_WAITALL)
    return data + line.recv(int.from_bytes(data, "little") - 4, socket.MSG_WAITALL)


def watch_a_book(address: str) -> None:
    """Logs on by hand, subscribes to both levels, echoes a heartbeat, acts for another, says goodbye."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        nonce = read_message(line)[32:64]
        logon = struct.pack("<32sIIQQIBBH", b"anna", 5, 60_000, 1, 0, 0, 1, 0, 0)
        proof = hmac.digest(SECRET, b"xos wire logon 1" + nonce + logon, "sha256").ljust(64, b"\0")
        line.sendall(header(2, 0, len(logon) + 64, 1) + logon + proof)
        assert int.from_bytes(read_message(line)[6:8], "little") == 3
        _, record_bytes, _ = next(
            (number, size, fields)
            for name, number, size, fields in _core.wire_messages()
            if name == "subscribe"
        )
        wishes = [struct.pack("<IB", 1, level).ljust(record_bytes, b"\0") for level in (2, 3)]
        line.sendall(header(18, 0, record_bytes, 2) + b"".join(wishes))
        line.sendall(header(5, 0, 16, 1) + struct.pack("<QQ", 77, 0))
        other = np.zeros(1, records.COMMAND)
        other["kind"], other["account"], other["instrument"] = 1, 2, 1
        line.sendall(header(16, 1, 96, 1) + other.tobytes())
        line.sendall(header(4, 0, 24, 1) + bytes(24))
        while line.recv(65_536):
            pass


def own_lines(messages: list[bytes]) -> list[str]:
    """Every field by the layouts of our own records, as the Java program prints them."""
    layouts = {number: (name, fields) for name, number, _, fields in _core.wire_messages()}
    schema = ElementTree.fromstring(sbe_schema())
    lines = []
    for data in messages:
        _, _, kind, _, _, number, mark, record_bytes, count = struct.unpack_from("<IHHHHQQHH", data)
        name, fields = layouts[kind]
        message = next(one for one in schema.findall(f"{NAMESPACE}message") if one.get("id") == str(kind))
        words = [field.get("name", "") for field in message.findall("group/field")]
        lines.append(f"{pascal(name)} number={signed(number)} mark={signed(mark)}")
        dtype = np.dtype(
            {
                "names": [sbe_name(field) for field, _, _ in fields] or ["octet"],
                "formats": [kind.replace("S", "V") for _, kind, _ in fields] or ["u1"],
                "offsets": [offset for _, _, offset in fields] or [0],
                "itemsize": record_bytes,
            }
        )
        for record in np.frombuffer(data, dtype, count, 32):
            values = (record[word] for word in words)
            told = (
                value.tobytes().hex() if value.dtype.kind == "V" else signed(int(value)) for value in values
            )
            lines.append("".join(f" {word}={value}" for word, value in zip(words, told, strict=True)))
    return lines


def signed(value: int) -> int:
    """As Java's long prints it."""
    return value - 2**64 if value >= 2**63 else value


def pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def test_the_reference_tool_decodes_recorded_traffic_as_we_do(
    node: Node, operator: xos.Exchange, tmp_path: Path
) -> None:
    java, jar = reference_tool()
    recorder = Recorder(node.address)
    with xos.connect(recorder.address, key="anna", secret=SECRET, cancel_on_disconnect=True) as hers:
        hers.buy(1, "ETH-USDC", 2_000, "0.5", client_id="o1")
        with xos.connect(recorder.address, key="bert", secret=SECRET) as his:
            his.sell(2, "ETH-USDC", 2_000, "0.2")
            his.submit(xos.orders(account=2, instrument=1, side="sell", price=[250_000, 260_000], qty=1_000))
        with pytest.raises(xos.Rejected):
            hers.buy(1, "ETH-USDC", 2_000, 10_000_000)
        hers.balances(1)
        watch_a_book(recorder.address)
    messages = recorder.messages()
    names = {name for name, number, _, _ in _core.wire_messages() if number in {kind_of(m) for m in messages}}
    expected = {"challenge", "logon", "logged_on", "goodbye", "heartbeat", "commands", "subscribe", "ask"}
    assert names >= expected | {"taken", "events", "refused", "feed", "answer"}

    schema, recording, table = tmp_path / "exchange_os.xml", tmp_path / "recording", tmp_path / "table"
    schema.write_text(sbe_schema(), encoding="utf-8")
    recording.write_bytes(b"".join(messages))
    root = ElementTree.fromstring(sbe_schema())
    rows = []
    for message in root.findall(f"{NAMESPACE}message"):
        words = [field.get("name", "") for field in message.findall("group/field")]
        name = message.get("name", "")
        rows.append(" ".join([message.get("id", ""), name[0].upper() + name[1:], *words]))
    table.write_text("\n".join(rows), encoding="utf-8")
    validation = ("-Dsbe.validation.stop.on.error=true", "-Dsbe.validation.warnings.fatal=true")
    run(java, *OPENS, *validation, f"-Dsbe.output.dir={tmp_path}", "-jar", jar, schema)
    sources = sorted((tmp_path / "exchange_os").glob("*.java"))
    program = Path(__file__).parent / "sbe" / "DecodeRecording.java"
    run("javac", "-nowarn", "-cp", jar, "-d", tmp_path / "classes", *sources, program)
    decoded = run(
        java, *OPENS, "-cp", f"{jar}{os.pathsep}{tmp_path / 'classes'}", "DecodeRecording", recording, table
    )
    ours = own_lines(messages)
    assert decoded.splitlines() == ours
    fields = sum(line.count("=") for line in ours)
    print(f"{len(messages)} messages, {fields} fields equal, decoded by {Path(jar).name}")


def kind_of(message: bytes) -> int:
    return int.from_bytes(message[6:8], "little")
