"""The package and its command line, as installed."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

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
