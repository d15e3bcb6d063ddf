"""Runs what the pages show. Every page with examples is one test, in a folder of its own.

- A ```python block runs; the blocks of a page run in order and share their names.
- A ```text block right behind it is what it prints. `...` stands for anything within a line.
- A ```console block runs its `$ xos` lines; the lines below are what they print, compared in the same way.
  Other commands, such as `$ make`, are for the reader.
- A block with a file name behind its language, such as ```toml market.toml, is written to that file.
"""

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from exchange_os.cli import main as xos

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*) *(\S*)$")


@dataclass(frozen=True)
class Block:
    language: str
    file: str
    line: int
    lines: tuple[str, ...]
    after: bool
    """Nothing but blank lines lies between it and the block before."""

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


def blocks_of(text: str) -> Iterator[Block]:
    begun: tuple[str, str, int, bool] | None = None
    lines: list[str] = []
    prose = True
    for number, line in enumerate(text.splitlines(), 1):
        if begun is None:
            if match := FENCE.match(line):
                begun = (match[1], match[2], number, not prose)
            prose = prose or bool(line.strip())
        elif line == "```":
            language, file, first, after = begun
            yield Block(language, file, first, tuple(lines), after)
            begun, lines, prose = None, [], False
        else:
            lines.append(line)


def agree(expected: list[str], printed: list[str]) -> bool:
    def one(line: str, found: str) -> bool:
        return re.fullmatch(".*".join(map(re.escape, line.split("..."))), found) is not None

    return len(expected) == len(printed) and all(map(one, expected, printed))


def check(page: str, block: Block, expected: list[str], printed: str) -> None:
    lines = [line.rstrip() for line in printed.rstrip().splitlines()]
    if not agree(expected, lines):
        shown = "\n".join(lines)
        pytest.fail(f"{page}:{block.line} says that something else is printed than\n{shown}", pytrace=False)


def run_console(page: str, block: Block) -> None:
    command: str | None = None
    expected: list[str] = []
    for line in (*block.lines, "$ end"):
        if not line.startswith("$ "):
            expected.append(line)
            continue
        if command is not None and command.startswith("xos "):
            result = CliRunner().invoke(xos, shlex.split(command)[1:], catch_exceptions=False)
            assert result.exit_code == 0, f"{page}:{block.line}: {command}\n{result.output}"
            if expected:
                check(page, block, expected, result.output)
        command, expected = line.removeprefix("$ "), []


def run(page: str, blocks: list[Block]) -> int:
    names: dict[str, object] = {"__name__": "__main__"}
    ran = 0
    printed: str | None = None
    for block in blocks:
        if block.file:
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            code = compile("\n" * block.line + block.text, page, "exec")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, names)
            printed = out.getvalue()
            ran += 1
        elif block.language == "text" and block.after and printed is not None:
            check(page, block, list(block.lines), printed)
            printed = None
        elif block.language == "console":
            run_console(page, block)
            ran += 1
    return ran


def pages() -> list[str]:
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    with_examples = [
        path
        for path in found
        if any(
            block.language in {"python", "console"} for block in blocks_of(path.read_text(encoding="utf-8"))
        )
    ]
    return [path.relative_to(ROOT).as_posix() for path in with_examples]


@pytest.mark.parametrize("page", pages())
def test_the_examples_of_a_page_do_what_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(page, list(blocks_of((ROOT / page).read_text(encoding="utf-8"))))


PAGE = """# Page

```toml a.toml
x = 1
```

```python
from pathlib import Path

print(Path("a.toml").read_text().strip(), 7)
```

```text
x = ... 7
```
"""


def test_a_page_that_tells_the_truth_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("page.md", list(blocks_of(PAGE))) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [("... 7", "... 8"), ("x = ... 7", "x = 1 7\nand more"), ("```python\n", "```python\nassert 0\n")],
)
def test_a_page_that_does_not_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((pytest.fail.Exception, AssertionError)):
        run("page.md", list(blocks_of(PAGE.replace(old, new))))


def test_a_command_that_fails_or_says_something_else_is_found() -> None:
    good = Block("console", "", 1, ("$ xos --version", "xos ...", "$ make demo"), False)
    run_console("page.md", good)
    for lines in (("$ xos --version", "xos 99"), ("$ xos lint missing.toml",)):
        with pytest.raises((pytest.fail.Exception, AssertionError)):
            run_console("page.md", Block("console", "", 1, lines, False))
