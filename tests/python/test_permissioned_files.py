"""Classes, admission, counterparty rules and issuers in market files."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import exchange_os as xos
from exchange_os.cli import main
from exchange_os.cli.init import template
from exchange_os.markets import Problem, lint, loads

TEMPLATE = template("permissioned")
ADMISSION = 'admission = { requires = ["kyc"], forbids = ["region_us"] }'
COUNTERPARTY = 'counterparty = { requires = ["kyc"] }'
KEY = '    { kid = "1", kty = "OKP", crv = "Ed25519", x = "a9T0Ouxk1qo3p8-6LB15_hBj9AInKVlj_nX7XZVmwPg" },\n'


def problems_of(text: str, severity: str) -> list[str]:
    try:
        return [str(problem) for problem in lint(loads(text, "m.toml")) if problem.severity == severity]
    except xos.MarketFileError as error:
        return [str(each) for each in error.problems if isinstance(each, Problem)]


def test_the_template_is_without_fault_and_trades() -> None:
    loaded = loads(TEMPLATE)
    assert lint(loaded) == []
    with xos.open() as exchange:
        exchange.deploy(loaded)
        assert exchange.classes == ("kyc", "region_us")
        ann, bob, eve = (exchange.open_account(name) for name in ("ann", "bob", "eve"))
        for account in (ann, bob, eve):
            exchange.deposit(account, "USDC", 10_000)
            exchange.deposit(account, "ETH", 10)
        for account in (ann, bob):
            exchange.set_credentials(account, ["kyc"], digest=bytes([account]) * 32, ends_ns=2**64 - 1)
        with pytest.raises(xos.Rejected, match="226 ClassesMissing"):
            exchange.buy(eve, "ETH-USDC", 100, 1, venue="verified")
        exchange.sell(eve, "ETH-USDC", 99, 1, venue="open")
        exchange.sell(bob, "ETH-USDC", 100, 1, venue="open")
        taken = exchange.buy(ann, "ETH-USDC", 100, 1, venue="verified")
        assert [(fill.price, fill.qty) for fill in taken.fills] == [(100, 1)]
        book = exchange.depth("ETH-USDC", classes=["kyc"], venue="verified")
        assert (book.asks, [level.price for level in exchange.book("ETH-USDC").asks]) == ((), [99])


FAULTS = [
    (
        'requires = ["kyc"], forbids',
        'requires = ["kycc"], forbids',
        "venue[0].admission.requires: class 'kycc'",
    ),
    (
        'forbids = ["region_us"]',
        'forbids = ["kyc"]',
        "venue[0].admission.forbids: kyc is required too: nobody",
    ),
    ('requires = ["kyc"], forbids', 'requires = ["kyc", "kyc"], forbids', "class kyc stands twice"),
    (
        COUNTERPARTY,
        'counterparty = { forbids = ["region_us"] }',
        "venue[0].counterparty.forbids: class region_us has no counterparty = true",
    ),
    (ADMISSION, "admission = { needs = 1 }", "venue[0].admission.needs: this field is not known here"),
    (ADMISSION, 'admission = ["kyc"]', "venue[0].admission: input should be a valid dictionary"),
    ('symbol = "region_us"', 'symbol = "kyc"', "class kyc stands twice in this file"),
    ("[[class]]\n", '[[class]]\nsymbol = "region us"\n\n[[class]]\n', "class[0].symbol: 'region us'"),
    (
        'classes = ["kyc", "region_us"]',
        'classes = ["kyc", "gold"]',
        "issuer[0].classes: class 'gold' stands nowhere",
    ),
    (KEY, "", "issuer[0].keys: an issuer without a key can sign nothing"),
    (KEY, KEY + KEY, "issuer[0].keys[1].kid: key '1' stands twice"),
    ('x = "a9T0', 'x = "a9T', "issuer[0].keys[0]: x is 'a9TOuxk1qo3p8-"),
    ('kty = "OKP"', 'kty = "EC"', "issuer[0].keys[0]: a key of Ed25519 has kty OKP, not EC"),
    ('kty = "OKP"', 'kty = "RSA"', "issuer[0].keys[0].kty: input should be 'OKP' or 'EC'"),
    (
        'kty = "OKP", crv = "Ed25519", x = "a9T0Ouxk1qo3p8-6LB15_hBj9AInKVlj_nX7XZVmwPg"',
        f'kty = "EC", crv = "P-256", x = "{"A" * 43}", y = "{"A" * 43}"',
        "issuer[0].keys[0]: it is no point of P-256",
    ),
    ('kid = "1", ', 'kid = "1", d = "secret", ', "issuer[0].keys[0].d: this field is not known here"),
    ('id = "did:web:issuer.example"', 'id = ""', "issuer[0].id: it is empty"),
]


@pytest.mark.parametrize(("old", "new", "said"), FAULTS, ids=[said[:40] for _, _, said in FAULTS])
def test_a_fault_is_named(old: str, new: str, said: str) -> None:
    assert old in TEMPLATE
    found = problems_of(TEMPLATE.replace(old, new, 1), "error")
    assert any(said in line for line in found), found


def test_an_issuer_stands_once() -> None:
    begin, end = TEMPLATE.index("[[issuer]]"), TEMPLATE.index("# Orders come through")
    twice = TEMPLATE[:end] + TEMPLATE[begin:end] + TEMPLATE[end:]
    assert "issuer did:web:issuer.example stands twice" in problems_of(twice, "error")[0]


def test_the_exchange_has_room_for_32_classes() -> None:
    def text(count: int) -> str:
        return TEMPLATE + "".join(f'\n[[class]]\nsymbol = "c{n}"\n' for n in range(count - 2))

    assert problems_of(text(32), "error") == []
    assert len(problems_of(text(33), "error")) == 1


DOUBTS = [
    (
        'classes = ["kyc", "region_us"]',
        'classes = ["region_us"]',
        "nobody can enter: no issuer of this file gives kyc",
    ),
    (', forbids = ["region_us"]', "", "class[1]: no venue of this file asks for region_us"),
    (COUNTERPARTY + "\n", "", "class[0].counterparty: no counterparty rule of this file names kyc"),
    (
        COUNTERPARTY,
        'counterparty = { forbids = ["kyc"] }',
        "venue[0].counterparty: its own orders cannot trade with each other",
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), DOUBTS, ids=[said[:40] for _, _, said in DOUBTS])
def test_what_looks_wrong_is_a_warning(old: str, new: str, said: str) -> None:
    text = TEMPLATE.replace(old, new, 1)
    assert problems_of(text, "error") == []
    found = problems_of(text, "warning")
    assert any(said in line for line in found), found


def test_a_venue_may_come_later_than_its_classes() -> None:
    begin, end = TEMPLATE.index("[[venue]]"), TEMPLATE.index("# The first asset")
    venues = TEMPLATE[begin:end]
    with xos.open() as exchange:
        exchange.deploy(loads(TEMPLATE[:begin] + TEMPLATE[end:]))
        exchange.deploy(loads(venues))
        done = exchange.deploy(loads(venues))
        assert [item.symbol for item in done.standing] == ["verified", "open"]
        with pytest.raises(xos.MarketFileError, match="has no counterparty = true"):
            exchange.deploy(loads('[[venue]]\nsymbol = "x"\ncounterparty = { requires = ["region_us"] }\n'))


def test_a_difference_names_classes(tmp_path: Path) -> None:
    file, data = tmp_path / "m.toml", tmp_path / "data"
    file.write_text(TEMPLATE)
    assert CliRunner().invoke(main, ["deploy", str(file), "--data", str(data)]).exit_code == 0
    file.write_text(TEMPLATE.replace(', forbids = ["region_us"]', "").replace(COUNTERPARTY, ""))
    done = CliRunner().invoke(main, ["market", "diff", str(file), "--data", str(data), "--json"])
    changed = [item for item in json.loads(done.output)["differences"] if item["state"] == "changed"]
    assert [item["fields"] for item in changed] == [
        [
            {"field": "admission.forbids", "before": "region_us", "after": None},
            {"field": "counterparty", "before": {"requires": "kyc", "forbids": None}, "after": None},
        ]
    ]
