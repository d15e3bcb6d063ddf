"""The generated reference is what the tool would write, and what it says of events holds for real ones."""

import importlib
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import exchange_os as xos
import make_reference
from exchange_os.records import Events

SPEC = Path(__file__).parents[1] / "spec"


def every_kind() -> Events:
    """The events of all scenarios, which reach every kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SPEC))
        desk, players = importlib.import_module("desk"), importlib.import_module("player")
        scenarios = importlib.import_module("scenario_file").load(SPEC.parents[1] / "spec")
    arrays = []
    for scenario in scenarios:
        seat = desk.Desk()
        players.Player(scenario, seat).play()
        arrays += list(seat.exchange.events())
        seat.exchange.close()
    return np.concatenate(arrays)


def test_pages_are_up_to_date() -> None:
    assert make_reference.main(["--check"]) == 0, "run make docs"


def test_a_changed_page_is_noticed_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs" / "reference").mkdir(parents=True)
    (tmp_path / "crates").symlink_to(make_reference.ROOT / "crates")
    monkeypatch.setattr(make_reference, "ROOT", tmp_path)
    assert make_reference.main(["--check"]) == 1
    assert "words.md: not up to date" in capsys.readouterr().out
    assert make_reference.main([]) == 0
    assert make_reference.main(["--check"]) == 0


def test_events_use_the_fields_that_the_table_gives_them() -> None:
    events = every_kind()
    overlaid = {"client_id", "counter_order_id", "counter_account", "counter_venue", "counter_remaining"}
    overlaid.add("trade_id")
    filled: dict[str, set[str]] = defaultdict(set)
    for event in events:
        kind = xos.EventKind(int(event["kind"])).name.lower()
        names = make_reference.EVENT_FIELDS[kind]
        for name in event.dtype.names:
            field = name.removesuffix("_low").removesuffix("_high")
            if field in {"kind", "sequence", "time_ns"} or not event[name]:
                continue
            # They lie in one place of the record: those that the table names are what stands there.
            if field in overlaid and field not in names:
                continue
            assert field in names, f"{kind} fills {field}"
            filled[kind].add(field)
        if kind == "trade":
            assert event["counter_account"]
    assert set(filled) | {"ticked"} == {kind.name.lower() for kind in xos.EventKind}
    never = {kind: sorted(set(names) - filled[kind]) for kind, names in make_reference.EVENT_FIELDS.items()}
    assert not {kind: names for kind, names in never.items() if names}, "fields no event filled"


def test_every_word_and_limit_has_a_meaning() -> None:
    for write in (make_reference.words_page, make_reference.limits_page, make_reference.rejects_page):
        assert "|  |\n" not in write()


def test_kinds_use_the_fields_that_the_engine_takes() -> None:
    used = make_reference.used_fields()
    assert list(used["tick"]) == []
    assert list(used["set_mark"]) == ["instrument", "price"]
    assert used["place"]["expires_ns"] == "with `gtd`"
    assert used["amend"]["flags"] == "`POST_ONLY` only"
    assert "order_id" not in used["place"]
