"""What the machine lacks is named in one line each, with the way to get it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEW_PYTHON = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
OLD_PYTHON = "#!/bin/sh\nexit 1\n"
NEW_CARGO = "#!/bin/sh\necho 'cargo 9.0.1 (abc 2030-01-01)'\n"
OLD_CARGO = "#!/bin/sh\necho 'cargo 1.63.0'\n"
WHOLE = {"python3": NEW_PYTHON, "cc": "#!/bin/sh\n", "cargo": NEW_CARGO}


def preflight(folder: Path, programs: dict[str, str]) -> tuple[int, list[str]]:
    """Runs it where only these programs exist."""
    shell, sed = shutil.which("sh"), shutil.which("sed")
    assert shell
    assert sed
    (folder / "sed").symlink_to(sed)
    for name, text in programs.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    command = [shell, str(ROOT / "tools" / "preflight.sh")]
    environment = {"PATH": str(folder)}
    run = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    return run.returncode, run.stderr.splitlines()


def test_a_whole_machine_passes_in_silence(tmp_path: Path) -> None:
    assert preflight(tmp_path, WHOLE) == (0, [])


@pytest.mark.parametrize(
    ("change", "begins", "names"),
    [
        ({"python3": None}, "make: Python 3.11 or newer is missing", "apt install python3"),
        ({"python3": OLD_PYTHON}, "make: Python 3.11 or newer is missing", "apt install python3"),
        ({"cc": None}, "make: a C compiler (cc) is missing", "build-essential"),
        ({"cargo": None}, "make: Rust (cargo) is missing", "rustup"),
        ({"cargo": OLD_CARGO}, "make: Rust 1.63 is too old", "rustup"),
    ],
)
def test_one_line_says_what_is_missing(
    tmp_path: Path, change: dict[str, str | None], begins: str, names: str
) -> None:
    programs = {name: text for name, text in {**WHOLE, **change}.items() if text is not None}
    status, lines = preflight(tmp_path, programs)
    assert status == 1
    assert len(lines) == 1
    assert lines[0].startswith(begins)
    assert names in lines[0]


def test_a_later_python_is_found_under_its_own_name(tmp_path: Path) -> None:
    programs = {**WHOLE, "python3": OLD_PYTHON, "python3.12": NEW_PYTHON}
    assert preflight(tmp_path, programs) == (0, [])
