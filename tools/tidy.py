"""The house rules that no linter knows. `make tidy` runs it; tests/tools/test_tidy.py breaks each rule.

    python tools/tidy.py [folder]

Prints `path:line: rule: what` for each violation and ends with 1 if there was one. It reads what git
tracks or would track, so build output is never looked at.

A file of the deterministic crates may keep a hash table that is only looked up, never iterated, by
saying so where it imports it: `use std::collections::HashMap; // tidy: lookup only`.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

LINES_MAX = 500
# How many entries tools/tidy_exceptions.txt has. Lower it when one goes; it is never raised.
EXCEPTIONS_COUNT = 0
EXCEPTIONS_PATH = "tools/tidy_exceptions.txt"

CODE_SUFFIXES = {".rs", ".py", ".ts", ".tsx", ".js", ".vy", ".sh", ".css"}
SKIPPED_FOLDERS = {".git", ".venv", ".tools", "target", "node_modules", "__pycache__"}
BYTES_MAX = 4_000_000

# Crates whose result must depend on the log alone.
DETERMINISTIC_CRATES = {"units", "protocol", "book", "ledger", "risk", "engine"}
FLOAT_CRATES = {"python", "sim", "load"}

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers"}
FLOAT = re.compile(r"(?:\b|(?<=\d))f(?:32|64)\b|(?<![\w.])\d[\d_]*\.\d[\d_]*")
OUTSIDE_WORLD = re.compile(
    r"\bstd::(?:time|env|thread|fs|net|process)\b|\bstd::\{[^}]*\b(?:time|env|thread|fs|net|process)\b"
    r"|\b(?:rand|getrandom|fastrand|chrono)::|\b(?:Instant|SystemTime)::now\b|\bprintln!|\beprintln!"
)
HASH_ORDER = re.compile(r"\b\w*Hash(?:Map|Set|Table)\b|\bRandomState\b")
LOOKUP_ONLY = "tidy: lookup only"
# Letters in brackets keep these patterns from finding themselves.
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b|\bto[d]o!|\bunimp[l]emented!")
MACHINE_PATH = re.compile(r"(?<![\w.}/-])/(?:wor[k]|roo[t]|hom[e]/\w+|User[s]/\w+)/|\b[A-Z]:\\User[s]\\")
REGISTRY_HOST = re.compile(
    r"\bpypi[.]org|pythonhosted[.]org|registry[.]npmjs|registry[.]yarnpkg|(?:index|static)[.]crates[.]io"
    r"|proxy[.]golang[.]org|repo1?[.]maven|deb[.]debian[.]org|static[.]rust-lang[.]org|sh[.]rustup[.]rs"
)
NOT_CODE = re.compile(
    r"""//[^\n]*|/\*.*?\*/|'(?:\\.|[^'\\])'|r(\#*)".*?"\1|b?"(?:\\.|[^"\\])*\"""", re.DOTALL
)
LOCK_ADDRESS = re.compile(r"https?://")


@dataclass(frozen=True)
class Violation:
    path: str
    line: int
    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.what}"


@dataclass(frozen=True)
class Source:
    """One text file, by its path from the root with forward slashes."""

    path: str
    text: str

    @property
    def pure(self) -> PurePosixPath:
        return PurePosixPath(self.path)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def is_code(self) -> bool:
        return self.pure.suffix in CODE_SUFFIXES and "generated" not in self.path

    @property
    def crate(self) -> str | None:
        parts = self.pure.parts
        return parts[1] if self.pure.suffix == ".rs" and len(parts) > 2 and parts[0] == "crates" else None

    def rust_code(self) -> str:
        """The text without comments, strings and characters; line numbers stay."""
        return NOT_CODE.sub(_blank, self.text)


def _blank(match: re.Match[str]) -> str:
    return "\n" * match.group().count("\n")


def read_tree(root: Path) -> Iterator[Source]:
    """What git tracks or would track; outside a repository, everything but build output."""
    try:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout
        paths = [root / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in root.rglob("*") if SKIPPED_FOLDERS.isdisjoint(path.relative_to(root).parts)]
    for path in sorted(set(paths)):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= BYTES_MAX:
            try:
                yield Source(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
            except UnicodeDecodeError:
                continue  # not text


def read_exceptions(root: Path) -> dict[str, int]:
    """`path lines reason` a line: a file that may be longer, and how long."""
    path = root / EXCEPTIONS_PATH
    entries = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        if line.strip() and not line.startswith("#"):
            name, lines, _reason = line.split(maxsplit=2)
            entries[name] = int(lines)
    return entries


# --- rules: each takes one file and yields (line, what) ---------------------------------------------

Found = Iterator[tuple[int, str]]


def _is_test(source: Source) -> bool:
    parts = source.pure.parts
    return "tests" in parts or "benches" in parts or source.pure.stem in {"tests", "test"}


def _without_tests(code: str) -> str:
    """Blanks each item under `#[cfg(test)]`, up to its semicolon or closing brace."""
    while (begin := code.find("#[cfg(test)]")) >= 0:
        depth, end = 0, begin
        for end in range(begin, len(code)):
            depth += {"{": 1, "}": -1}.get(code[end], 0)
            if depth == 0 and code[end] in ";}":
                break
        item = code[begin : end + 1]
        code = code[:begin] + "\n" * item.count("\n") + code[end + 1 :]
    return code


def _matches(lines: list[str], pattern: re.Pattern[str]) -> Found:
    for number, line in enumerate(lines, 1):
        if match := pattern.search(line):
            yield number, match.group().strip()


def file_name(source: Source) -> Found:
    names = [*source.pure.parts[:-1], source.pure.stem] if source.is_code else []
    for name in names:
        for word in re.split(r"[_\-.]", name.lower()):
            if word in EMPTY_NAMES:
                yield 1, f"'{word}' says nothing: name it by what it holds"


def no_float(source: Source) -> Found:
    if (
        source.crate is None
        or source.crate in FLOAT_CRATES
        or {"benches", "examples"} & set(source.pure.parts)
    ):
        return
    yield from _matches(source.rust_code().splitlines(), FLOAT)


def outside_world(source: Source) -> Found:
    if source.crate not in DETERMINISTIC_CRATES or _is_test(source) or source.pure.name == "build.rs":
        return
    lines = _without_tests(source.rust_code()).splitlines()
    yield from _matches(lines, OUTSIDE_WORLD)
    for number, what in _matches(lines, HASH_ORDER):
        if LOOKUP_ONLY not in source.lines[number - 1]:
            yield number, f"{what} iterates in a random order: a BTreeMap, or say '// {LOOKUP_ONLY}' here"
        break  # the first is the import, and speaks for the file


def one_title(source: Source) -> Found:
    if source.pure.suffix != ".md":
        return
    titles, fenced = [], False
    for number, line in enumerate(source.lines, 1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif line.startswith("# ") and not fenced:
            titles.append(number)
    if len(titles) != 1:
        yield (titles[1] if titles else 1), f"{len(titles)} titles ('# '); a page has one"


def unfinished(source: Source) -> Found:
    yield from _matches(source.lines, UNFINISHED)


def machine_path(source: Source) -> Found:
    yield from _matches(source.lines, MACHINE_PATH)


def registry_address(source: Source) -> Found:
    yield from _matches(source.lines, REGISTRY_HOST)
    if source.path.endswith("requirements.lock"):
        yield from _matches(source.lines, LOCK_ADDRESS)


RULES: list[Callable[[Source], Found]] = [
    file_name,
    no_float,
    outside_world,
    one_title,
    unfinished,
    machine_path,
    registry_address,
]


def file_length(sources: list[Source], exceptions: dict[str, int], allowed: int) -> Iterator[Violation]:
    """At most 500 lines; the list of exceptions only shrinks, and so does each of them."""
    lengths = {source.path: len(source.lines) for source in sources if source.is_code}
    for path, length in lengths.items():
        if length > exceptions.get(path, LINES_MAX):
            limit = exceptions.get(path, LINES_MAX)
            yield Violation(path, limit + 1, "file_length", f"{length} lines, at most {limit}")
    for path, limit in exceptions.items():
        length = lengths.get(path, 0)
        if length <= LINES_MAX:
            yield Violation(EXCEPTIONS_PATH, 1, "file_length", f"{path} needs no exception any more")
        elif length < limit:
            yield Violation(EXCEPTIONS_PATH, 1, "file_length", f"{path} has shrunk: write {length}")
    if len(exceptions) != allowed:
        what = f"{len(exceptions)} exceptions, tools/tidy.py says {allowed}; that number only goes down"
        yield Violation(EXCEPTIONS_PATH, 1, "file_length", what)


def violations(root: Path, exceptions_count: int = EXCEPTIONS_COUNT) -> list[Violation]:
    sources = list(read_tree(root))
    found = list(file_length(sources, read_exceptions(root), exceptions_count))
    for source in sources:
        for rule in RULES:
            found += [Violation(source.path, line, rule.__name__, what) for line, what in rule(source)]
    return sorted(found, key=lambda violation: (violation.path, violation.line, violation.rule))


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    found = violations(root)
    for violation in found:
        print(violation)
    print(f"tidy: {len(found)} violation{'' if len(found) == 1 else 's'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
