"""Files and functions that a page names are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"(?:bench|crates|docs|examples|python|spec|tests|tools)/[\w./*-]+")
FUNCTION = re.compile(r"(?:\w+::)*([a-z]\w+_\w+|(?<=::)\w+)(?:\(.*\))?")
DEFINED = re.compile(
    r"\b(?:fn|def|static|const) (\w+)|^ *(?:pub(?:\([a-z]+\))? )?(\w+):|\"(\w+)\"", re.MULTILINE
)
# Pages whose words in code type that look like functions are functions, fields or constants of the tree.
WITH_FUNCTIONS = ("internals/life_of_an_order.md", "internals/invariants.md", "internals/book.md")


def code_of(page: Path) -> list[str]:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return CODE.findall(prose)


def missing_files(root: Path, words: list[str]) -> list[str]:
    return [word for word in words if FILE.fullmatch(word) and not any(root.glob(word.rstrip("/")))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_that_a_page_names_are_there(page: Path) -> None:
    assert missing_files(ROOT, code_of(page)) == []


@pytest.mark.parametrize("name", WITH_FUNCTIONS)
def test_functions_that_a_page_names_are_there(name: str) -> None:
    sources = [*ROOT.glob("crates/**/*.rs"), *ROOT.glob("python/exchange_os/**/*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    known = {name for match in DEFINED.findall(text) for name in match}
    named = {match[1] for word in code_of(ROOT / "docs" / name) if (match := FUNCTION.fullmatch(word))}
    assert named
    assert sorted(named - known) == []


def test_a_file_that_is_not_there_is_found() -> None:
    words = [
        "crates/book/src/lib.rs",
        "crates/*/src/lib.rs",
        "crates/book/src/nowhere.rs",
        "just words",
        "a/b.rs",
    ]
    assert missing_files(ROOT, words) == ["crates/book/src/nowhere.rs"]
