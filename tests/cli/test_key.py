"""`xos key`: making, listing and revoking API keys."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from exchange_os.api import Keys
from exchange_os.cli import main
from exchange_os.control import Database
from exchange_os.control.withdrawals import Withdrawals

ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["key", *words], catch_exceptions=False)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_from_making_to_revoking() -> None:
    words = ["--scope", "read", "--instrument", "ETH-USDC", "--loss-max", "12.5", "--address", "10.0.0.0/8"]
    made = json.loads(
        run("create", "--account", "3", *words, "--days", "1", "--label", "grid", "--json").output
    )
    keys = Keys(Path("data.control.db"))
    found = keys.find(made["key"])
    assert found is not None
    assert (found.secret.decode(), found.passphrase) == (made["secret"], made["passphrase"])
    keys.close()
    (listed,) = json.loads(run("list", "--account", "3", "--json").output)["keys"]
    assert (listed["key"], listed["loss_max"], listed["scopes"]) == (made["key"], "12.5", "read")
    assert made["secret"] not in run("list").output
    assert run("rotate").output == "1 keys are sealed anew\n"
    assert run("revoke", made["key"]).exit_code == 0
    assert run("revoke", made["key"]).exit_code == 1
    assert run("list").output == ""


def test_a_key_of_ed25519_has_no_secret() -> None:
    said = run("create", "--account", "1", "--public-key", bytes(range(1, 33)).hex()).output
    assert "secret" not in said
    assert "ed25519" in run("list").output


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--public-key", "zz"], 2, "hexadecimal"),
        (["--public-key", "00"], 3, "has 32 bytes"),
        (["--loss-max", "much"], 2, "expected a number"),
        (["--loss-max", "-1"], 3, "above 0"),
        (["--address", "home"], 3, "no internet address"),
    ],
)
def test_what_cannot_be_a_key(words: list[str], code: int, says: str) -> None:
    result = run("create", "--account", "1", *words)
    assert result.exit_code == code
    assert says in result.output
    assert run("list").output == ""


def test_addresses_to_withdraw_to() -> None:
    assert run("allow", "--account", "2", ADDRESS.lower()).output == f"account 2 may withdraw to {ADDRESS}\n"
    database = Database("data.control.db")
    assert [each.address for each in Withdrawals(database).addresses(2)] == [ADDRESS]
    database.close()
    assert run("allow", "--account", "2", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d358").exit_code == 3
