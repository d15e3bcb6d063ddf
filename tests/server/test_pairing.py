"""Which events belong to which command, as messages come in any cut."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from exchange_os._core import EventFlags, EventKind
from exchange_os.client.pairing import EVENTS, HEARTBEAT, REFUSED, TAKEN, Message, Pairing, Sent, Told
from exchange_os.errors import Disconnected, SessionRefused
from exchange_os.rows import COMMAND, EVENT, ORDER, SEQUENCE

ACCEPTED, TRADE = int(EventKind.ORDER_ACCEPTED), int(EventKind.TRADE)


def command(account: int, client_id: bytes = b"") -> bytes:
    return COMMAND.pack(1, 0, 0, 0, 0, 0, account, 1, 0, 1, 1, 0, 0, 0, client_id)


def event(sequence: int, account: int, kind: int = ACCEPTED, flags: int = 0, client_id: bytes = b"") -> bytes:
    rest = 0, 0, 0, 0, 0
    return EVENT.pack(kind, 0, 0, flags, 0, sequence, account, 1, sequence, 1, 1, 1, client_id, *rest)


def taken(first_number: int, first_sequence: int, count: int, mark: int) -> Message:
    return TAKEN, mark, struct.pack("<QQI4x", first_number, first_sequence, count)


def asked(pairing: Pairing, first: int, records: list[bytes], notes: list[Any], whole: bool = False) -> Sent:
    sent = Sent(first, records, notes, lambda *_: None, whole=whole)
    pairing.sent(sent)
    return sent


def test_events_of_others_are_told_at_once_if_nobody_waits() -> None:
    told = Pairing().take([(EVENTS, 5, event(5, 9) + event(6, 9))])
    assert [row[SEQUENCE] for row in told.rows] == [5, 6]


def test_own_events_wait_for_their_notes_and_nobody_elses_do_not_pass_them() -> None:
    pairing = Pairing()
    sent = asked(pairing, 1, [command(3)], ["limit"])
    assert not pairing.take([(EVENTS, 5, event(5, 9) + event(6, 3) + event(7, 9))]).rows
    told = pairing.take([taken(1, 6, 1, 5)])
    assert ([row[SEQUENCE] for row in told.rows], told.notes) == ([5, 6, 7], {6: "limit"})
    assert told.settled == [sent]
    assert sent.found[0][SEQUENCE] == 6  # type: ignore[index]


def test_two_runs_in_a_frame_get_the_notes_of_each() -> None:
    pairing = Pairing()
    asked(pairing, 1, [command(3)], ["first"])
    asked(pairing, 2, [command(3)], ["second"])
    frame = event(6, 3) + event(7, 9) + event(8, 3) + event(9, 9)
    told = pairing.take([(EVENTS, 6, frame), taken(1, 6, 1, 6)])
    assert ([row[SEQUENCE] for row in told.rows], told.notes) == ([6], {6: "first"})
    told = pairing.take([taken(2, 8, 1, 6)])
    assert ([row[SEQUENCE] for row in told.rows], told.notes) == ([7, 8, 9], {8: "second"})


def test_an_answer_given_again_is_found_by_client_id() -> None:
    pairing, name = Pairing(), b"mine".ljust(32, b"\0")
    sent = asked(pairing, 4, [command(3), command(3, name)], [None, None], whole=True)
    rows = event(50, 3) + event(7, 3, flags=int(EventFlags.RETRY), client_id=name) + event(52, 9)
    told = pairing.take([(EVENTS, 50, rows), taken(4, 50, 2, 50)])
    assert [row and row[ORDER] for row in sent.found] == [50, 7]  # type: ignore[index]
    assert [row[SEQUENCE] for row in EVENT.iter_unpack(b"".join(sent.events or []))] == [50, 7]
    assert told.settled == [sent]


def test_a_request_that_two_frames_took_is_answered_once() -> None:
    pairing = Pairing()
    sent = asked(pairing, 1, [command(3), command(3)], ["a", "b"])
    told = pairing.take([(EVENTS, 6, event(6, 3)), taken(1, 6, 1, 6), (EVENTS, 7, event(7, 9))])
    assert (told.settled, told.notes) == ([], {6: "a"})
    told = pairing.take([(EVENTS, 8, event(8, 3)), taken(2, 8, 1, 8)])
    assert ([row[SEQUENCE] for row in told.rows], told.settled) == ([7, 8], [sent])
    assert [row and row[SEQUENCE] for row in sent.found] == [6, 8]  # type: ignore[index]


def test_a_refusal_of_the_session_is_an_error_beside_what_was_taken() -> None:
    pairing = Pairing()
    sent = asked(pairing, 1, [command(3), command(3), command(3)], [None] * 3)
    refusal = struct.pack("<QIHxxQQQ", 2, 1, 29, 1, 50_000, 1_000)
    pairing.take([(REFUSED, 0, refusal)])
    told = pairing.take([(EVENTS, 6, event(6, 3) + event(7, 3)), taken(1, 6, 1, 6), taken(3, 7, 1, 6)])
    assert told.settled == [sent]
    assert isinstance(sent.found[1], SessionRefused)
    assert sent.found[1].retry_ns == 1_000


def test_a_heartbeat_lets_go_and_what_was_taken_before_a_logon_is_passed_over() -> None:
    pairing = Pairing()
    asked(pairing, 10, [command(3)], [None])
    assert not pairing.take([(EVENTS, 5, event(5, 9)), taken(1, 1, 4, 5)]).rows
    assert len(pairing.take([(HEARTBEAT, 6, bytes(16))]).rows) == 1


def test_who_waits_is_told_that_the_connection_ended() -> None:
    pairing = Pairing()
    sent = asked(pairing, 1, [command(3)], [None])
    pairing.take([(EVENTS, 5, event(5, 9))])
    told = pairing.give_up(Disconnected("gone", "connection_failed"))
    assert isinstance(sent.found[0], Disconnected)
    assert (len(told.rows), told.settled) == (1, [sent])


@pytest.mark.parametrize("seed", range(20))
def test_any_cut_of_the_messages_tells_the_same(seed: int) -> None:
    """Frames of own and strange commands; messages come in random portions."""
    rng, pairing = random.Random(seed), Pairing()
    messages, number, sequence, expected, sent = [], 1, 1, {}, []
    for _ in range(30):
        mark, data, runs = sequence, b"", []
        for _ in range(rng.randint(1, 5)):
            if rng.random() < 0.5:
                count = rng.randint(1, 3)
                sent.append(
                    asked(pairing, number, [command(3)] * count, [f"n{number + i}" for i in range(count)])
                )
                runs.append(taken(number, sequence, count, mark))
                for _ in range(count):
                    expected[sequence] = f"n{number}"
                    data += event(sequence, 3) + event(sequence, 3, TRADE) * rng.randint(0, 2)
                    number, sequence = number + 1, sequence + 1
            else:
                data += event(sequence, 9)
                sequence += 1
        half = len(data) // EVENT.size // 2 * EVENT.size
        messages += [(EVENTS, mark, part) for part in (data[:half], data[half:]) if part] + runs
    all_told = Told()
    seen: list[int] = []
    while messages:
        cut = rng.randint(1, 4)
        part, messages = messages[:cut], messages[cut:]
        told = pairing.take(part)
        for row in told.rows:
            if row[SEQUENCE] in expected:
                assert (
                    told.notes.get(row[SEQUENCE]) == expected[row[SEQUENCE]]
                    or row[SEQUENCE] in all_told.notes
                )
        all_told.notes |= told.notes
        seen += [row[SEQUENCE] for row in told.rows]
        all_told.settled += told.settled
    assert seen == sorted(seen)
    assert set(seen) == set(range(1, sequence))
    assert all_told.notes == expected
    assert all_told.settled == sent
    assert all(row and row[SEQUENCE] for each in sent for row in each.found)  # type: ignore[index]
