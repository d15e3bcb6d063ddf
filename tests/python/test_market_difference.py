"""`xos market diff`: a file against what stands."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import exchange_os as xos
from exchange_os.cli import main
from exchange_os.cli.init import template

EXAMPLE = template("example")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with xos.open(folder) as exchange:
        exchange.deploy(xos.markets.loads(EXAMPLE))
    return folder


def differences(text: str, data: Path) -> tuple[int, list[dict[str, object]]]:
    file = data.parent / "m.toml"
    file.write_text(text)
    done = CliRunner().invoke(main, ["market", "diff", str(file), "--data", str(data), "--json"])
    found = json.loads(done.output)
    return done.exit_code, found.get("differences", found)


def test_the_same_file_differs_in_nothing(data: Path) -> None:
    code, found = differences(EXAMPLE, data)
    assert code == 0
    assert {item["state"] for item in found} == {"same"}


def test_each_changed_field_is_named(data: Path) -> None:
    old = 'price_max = "1000000"\nqty_max = "100"\nnotional_min = "1"\nnotional_max = "5000000"\nposition_max'
    assert EXAMPLE.count(old) == 1
    text = EXAMPLE.replace(old, old.replace('"1000000"', '"2000000"')).replace(
        "taker_ppm = 400", "taker_ppm = 300"
    )
    code, found = differences(text, data)
    assert code == 1
    changed = {str(item["symbol"]): item["fields"] for item in found if item["state"] == "changed"}
    assert changed == {
        "front": [{"field": "fees.taker_ppm", "before": 400, "after": 300}],
        "BTC-PERP": [{"field": "terms.price_max_ticks", "before": 10_000_000, "after": 20_000_000}],
    }


def test_a_part_that_comes_or_goes(data: Path) -> None:
    begin, end = EXAMPLE.index("[instrument.liquidation]"), EXAMPLE.index("[[question]]")
    code, found = differences(EXAMPLE[:begin] + EXAMPLE[end:], data)
    assert code == 1
    ((field,),) = [item["fields"] for item in found if item["state"] == "changed"]  # type: ignore[misc]
    assert (field["field"], field["after"]) == ("liquidation", None)


def test_each_word_of_a_liquidation_is_named(data: Path) -> None:
    old = '[instrument.liquidation]\npolicy = "ladder"\n'
    assert EXAMPLE.count(old) == 1
    growing = old.replace("ladder", "growing").replace(
        "\npolicy", '\nprice = "fillable"\nspread_ppm = 1_500_000\npolicy'
    )
    end = "fee_ppm = 5_000\n\n# A question"
    assert EXAMPLE.count(end) == 1
    growth = end.replace(
        "\n\n",
        "\n\n[instrument.liquidation.growth]\n"
        "duration_s = 60\ninitial_ppm = 100_000\nsmall_shortage = 50\n\n",
    )
    text = EXAMPLE.replace(old, growing).replace(end, growth)
    code, found = differences(text, data)
    assert code == 1
    ((symbol, fields),) = [(item["symbol"], item["fields"]) for item in found if item["state"] == "changed"]
    assert symbol == "BTC-PERP"
    assert {field["field"]: (field["before"], field["after"]) for field in fields} == {  # type: ignore[attr-defined]
        "liquidation.policy": ("ladder", "growing"),
        "liquidation.growth": (
            None,
            {"duration_s": 60, "initial_ppm": 100_000, "small_shortage": "50000000"},
        ),
        "liquidation.price": (None, "fillable"),
        "liquidation.spread_ppm": (None, 1_500_000),
    }
    # What is left out is what it is by itself.
    said = EXAMPLE.replace(old, old + 'price = "bankruptcy"\n')
    assert differences(said, data)[0] == 0


def test_what_is_new_is_to_add(data: Path) -> None:
    code, found = differences(template("spot"), data)
    assert code == 0
    assert [(item["symbol"], item["state"]) for item in found] == [
        ("USDC", "same"),
        ("ETH", "added"),
        ("ETH-USDC", "added"),
    ]


def test_a_file_that_contradicts_itself_is_refused(data: Path) -> None:
    code, found = differences(EXAMPLE.replace('quote = "USDC"', 'quote = "EUR"'), data)
    assert code == 3
    assert "asset 'EUR' stands neither in this file nor in the exchange" in str(found)


def test_nothing_is_changed_by_asking(data: Path) -> None:
    with xos.open(data) as exchange:
        before = exchange.state_hash
    differences(template("spot"), data)
    with xos.open(data) as exchange:
        assert exchange.state_hash == before
