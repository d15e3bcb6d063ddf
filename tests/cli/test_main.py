"""The package and its command line, as installed."""

import json
import random
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import exchange_os
from exchange_os import cli


def test_one_version_in_rust_and_python() -> None:
    info = exchange_os.build_info()
    assert exchange_os.__version__ == info["version"] == version("exchange-os")
    assert info["profile"] == "release"
    assert info["rustc"].startswith("rustc ")


def test_the_installed_command_prints_its_version() -> None:
    xos = Path(sys.executable).parent / "xos"
    answer = subprocess.run([xos, "--version"], capture_output=True, check=True, text=True).stdout
    assert answer.startswith(f"xos {exchange_os.__version__} (release, ")


def test_an_unknown_command_is_refused() -> None:
    answer = CliRunner().invoke(cli.main, ["nonsense"])
    assert answer.exit_code == 2
    assert "No such command 'nonsense'" in answer.output


def test_a_module_in_the_folder_is_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import click\n\n\n@click.command()\ndef command() -> None:\n    click.echo('planted')\n"
    (tmp_path / "planted_one.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(tmp_path)])
    assert "planted-one" in CliRunner().invoke(cli.main, ["--help"]).output
    assert CliRunner().invoke(cli.main, ["planted-one"]).output == "planted\n"


def test_every_command_loads_and_explains_itself() -> None:
    main = cli.main
    assert isinstance(main, cli.click.Group)
    context = cli.click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert command.help, f"xos {name} has no help"


def xos(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """Exit code, and the object that --json printed."""
    answer = CliRunner().invoke(cli.main, [*map(str, arguments), "--json"])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer.exit_code, json.loads(answer.stdout)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (random.Random(1).randbytes(50 * 64), "record 0: op is "),
        (b"x", "1 bytes are not a whole number of 64-byte records"),
        (bytes(640), "record 0: uid is 0, expected 1 to 1048576"),
    ],
)
def test_a_command_file_of_garbage_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "commands"
    file.write_bytes(content)
    code, said = xos("bench", "engine", "--commands", file)
    assert code == 3
    assert message in said["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "{}", "--from", str(10**30)),
        ("inspect", "{}", "--to", str(10**30)),
        ("inspect", "{}", "--limit", str(10**30)),
        ("replay", "{}", "--to", str(10**30)),
        ("bench", "engine", "--workload", "steady", "--seed", str(10**30)),
    ],
)
def test_numbers_that_no_field_holds_are_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with exchange_os.open(tmp_path / "a") as exchange:
        exchange.tick()
    answer = CliRunner().invoke(cli.main, [part.format(tmp_path / "a") for part in arguments])
    assert answer.exit_code == 2
    assert "is not in the range" in answer.output


def test_the_lint_of_what_cannot_be_read_is_a_problem_with_a_line(tmp_path: Path) -> None:
    file = tmp_path / "market.toml"
    for text in ("x = " + "[" * 3_000 + "]" * 3_000, "x = " + "9" * 5_000, f'x = "1{"3" * 110}"'):
        file.write_text(f"\n{text}", encoding="utf-8")
        code, said = xos("lint", file)
        assert (code, said["problems"][0]["line"]) == (3, 2)


@pytest.mark.parametrize("verb", ["bench engine", "bench replay", "verify"])
def test_ctrl_c_ends_a_verb_with_130(tmp_path: Path, verb: str) -> None:
    arguments = verb.split()
    if verb == "verify":
        with exchange_os.open(tmp_path / "a", durable=False) as exchange:
            exchange.deploy(exchange_os.markets.loads('[[asset]]\nsymbol = "A"\ndecimals = 0\n'))
            exchange.open_account("a")
            batch = exchange_os.commands(65_000)
            batch["kind"] = exchange_os.CommandKind.TICK
            for _ in range(60):
                exchange.submit(batch)
        arguments.append(str(tmp_path / "a"))
    elif verb == "bench engine":
        arguments += ["--workload", "steady", "--count", "100000000"]
    else:
        arguments += ["--count", "100000000", "--directory", str(tmp_path)]
    # It says that it has begun by raising the signal on itself, from a thread that waits for the first work.
    program = (
        "import os, signal, sys, threading\n"
        "from exchange_os import _core, cli\n"
        "names = ('bench_workload', 'bench_replay', 'verify')\n"
        "def watched(call):\n"
        "    def begun(*given):\n"
        "        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "        return call(*given)\n"
        "    return begun\n"
        "for name in names:\n"
        "    setattr(_core, name, watched(getattr(_core, name)))\n"
        "cli.main(sys.argv[1:])\n"
    )
    call = [sys.executable, "-c", program, *arguments]
    ended = subprocess.run(call, check=False, capture_output=True, timeout=60)
    assert ended.returncode == 130, ended.stderr
    assert ended.stderr.strip().endswith(b"xos: interrupted")
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [["replay", "--to", "\u0661"], ["lint", "--price", "\u0661", "x.toml"], ["demo", "--size", "\u0661"]],
)
def test_digits_of_other_scripts_are_no_numbers(arguments: list[str]) -> None:
    answer = CliRunner().invoke(cli.main, arguments)
    assert answer.exit_code == 2, answer.output
    assert "\u0661" in answer.output
