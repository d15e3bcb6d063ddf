"""Each house rule is broken once on purpose, and the program says so."""

from pathlib import Path

import pytest

import tidy

LONG = "x = 1\n" * (tidy.LINES_MAX + 1)
# Written in two halves, so that this file does not break the rules that it tests.
UNFINISHED = "# TO" + "DO: later\n"
WORK = "/wo" + "rk/main"


def plant(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def found(root: Path, exceptions_count: int = 0) -> list[tuple[str, int, str]]:
    return [(v.path, v.line, v.rule) for v in tidy.violations(root, exceptions_count)]


@pytest.mark.parametrize(
    ("path", "text", "line", "rule"),
    [
        ("python/long.py", LONG, tidy.LINES_MAX + 1, "file_length"),
        ("python/string_utils.py", "x = 1\n", 1, "file_name"),
        ("crates/book/src/helpers.rs", "", 1, "file_name"),
        ("crates/book/tests/common/mod.rs", "", 1, "file_name"),
        ("web/src/order-manager.ts", "", 1, "file_name"),
        ("crates/book/src/level.rs", "// a price\nlet price: f64 = x;\n", 2, "no_float"),
        ("crates/journal/src/lib.rs", "let share = 0.5;\n", 1, "no_float"),
        ("crates/node/src/lib.rs", "let share = 1f32;\n", 1, "no_float"),
        ("crates/engine/src/lib.rs", "use std::time::Instant;\n", 1, "outside_world"),
        ("crates/engine/src/lib.rs", "use std::{fmt, env};\n", 1, "outside_world"),
        ("crates/risk/src/lib.rs", "\nlet x = rand::random();\n", 2, "outside_world"),
        ("crates/book/src/lib.rs", "std::thread::spawn(f);\n", 1, "outside_world"),
        ("crates/ledger/src/lib.rs", "std::fs::read(p);\n", 1, "outside_world"),
        ("crates/units/src/lib.rs", "std::net::TcpStream;\n", 1, "outside_world"),
        ("crates/protocol/src/lib.rs", "use std::collections::HashMap;\n", 1, "outside_world"),
        ("crates/book/src/lib.rs", "use rustc_hash::FxHashMap;\n", 1, "outside_world"),
        ("docs/page.md", "no title\n", 1, "one_title"),
        ("docs/page.md", "# One\n\n# Two\n", 3, "one_title"),
        ("python/half.py", UNFINISHED, 1, "unfinished"),
        ("crates/book/src/lib.rs", "fn f() { to" + "do!() }\n", 1, "unfinished"),
        ("docs/page.md", f"# Title\n\nIt lies in {WORK}.\n", 3, "machine_path"),
        ("Makefile", "all:\n\techo /hom" + "e/ann/x\n", 2, "machine_path"),
        ("tools/get.sh", "get https://py" + "pi.org/simple\n", 1, "registry_address"),
        ("requirements.lock", "a==1 @ https://x\n", 1, "registry_address"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path: Path, path: str, text: str, line: int, rule: str) -> None:
    plant(tmp_path, path, text)
    assert found(tmp_path) == [(path, line, rule)]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("python/short.py", "x = 1\n" * tidy.LINES_MAX),
        ("crates/book/src/lib.rs", '// never f64, and no HashMap\nlet s = "f64 std::time";\n'),
        ("crates/book/src/lib.rs", "let c = '\"'; let x = pair.0.1; let r = 0..5;\n"),
        ("crates/python/src/lib.rs", "let x: f64 = 0.5;\n"),
        ("crates/sim/src/lib.rs", "let x: f64 = 0.5;\n"),
        ("crates/node/benches/load.rs", "let x: f64 = 0.5;\n"),
        ("crates/journal/examples/speed.rs", "let x: f64 = 0.5;\n"),
        ("crates/node/src/lib.rs", "use std::time::Instant;\nuse std::collections::HashMap;\n"),
        (
            "crates/book/src/lib.rs",
            "use std::collections::HashMap; // tidy: lookup only\nids: HashMap<u64, u32>,\n",
        ),
        ("crates/book/src/lib.rs", "#[cfg(test)]\nmod tests {\n    fn f() { std::env::var(x); }\n}\n"),
        ("crates/book/tests/props.rs", "use std::collections::HashMap;\n"),
        ("docs/page.md", "# One\n\n```\n# a comment\n```\n"),
        ("docs/page.md", "# One\n\nSee GET /home/orders and the framework/ folder.\n"),
    ],
)
def test_what_is_allowed_stays_quiet(tmp_path: Path, path: str, text: str) -> None:
    plant(tmp_path, path, text)
    assert found(tmp_path) == []


def test_code_after_a_test_module_is_still_read(tmp_path: Path) -> None:
    text = "#[cfg(test)]\nmod tests;\n\nuse std::time::Instant;\n"
    plant(tmp_path, "crates/book/src/lib.rs", text)
    assert found(tmp_path) == [("crates/book/src/lib.rs", 4, "outside_world")]


def test_an_exception_lets_a_file_be_as_long_as_it_says(tmp_path: Path) -> None:
    plant(tmp_path, "python/long.py", LONG)
    plant(tmp_path, tidy.EXCEPTIONS_PATH, "# why\npython/long.py 501 a table\n")
    assert found(tmp_path, exceptions_count=1) == []
    plant(tmp_path, "python/long.py", LONG + "x = 1\n")
    assert found(tmp_path, exceptions_count=1) == [("python/long.py", 502, "file_length")]


@pytest.mark.parametrize(
    ("entries", "count", "what"),
    [
        ("python/short.py 501 a table\n", 1, "needs no exception"),
        ("python/long.py 600 a table\n", 1, "has shrunk: write 501"),
        ("python/long.py 501 a table\n", 0, "only goes down"),
        ("python/long.py 501 a table\n", 2, "only goes down"),
    ],
)
def test_the_list_of_exceptions_only_shrinks(tmp_path: Path, entries: str, count: int, what: str) -> None:
    plant(tmp_path, "python/long.py", LONG)
    plant(tmp_path, "python/short.py", "x = 1\n")
    plant(tmp_path, tidy.EXCEPTIONS_PATH, entries)
    assert any(what in violation.what for violation in tidy.violations(tmp_path, count))


def test_a_clean_tree_ends_the_program_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tmp_path, "docs/page.md", "# One\n")
    assert tidy.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "tidy: 0 violations\n"


def test_a_violation_ends_the_program_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tmp_path, "python/half.py", UNFINISHED)
    assert tidy.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith("python/half.py:1: unfinished:")
