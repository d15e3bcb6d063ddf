"""Credentials: what a signed document gives, each way in which it counts for nothing. Keys are made here."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization

import exchange_os as xos
from exchange_os import log
from exchange_os.cli import main
from exchange_os.credentials import CredentialFault, PrivateKey, Register, issue
from exchange_os.credentials.issuing import CONTEXT
from exchange_os.credentials.verifying import TOKEN_BYTES_MAX
from exchange_os.markets import Loaded, loads

ISSUER, OTHER = "did:web:issuer.example", "https://other.example"
SECOND = 10**9
NOW = 2_000_000 * SECOND
END = NOW + 1_000 * SECOND
ANN, BOB = 1, 2

KEYS = {
    "ed": PrivateKey.generate("ed"),
    "p256": PrivateKey.generate("p256", "P-256"),
    "other": PrivateKey.generate("1"),
}

MARKET = f"""
[[asset]]
symbol = "USD"
decimals = 2

[[class]]
symbol = "kyc"

[[class]]
symbol = "eu"

[[class]]
symbol = "accredited"

[[venue]]
symbol = "gate"
admission = {{ requires = ["kyc"] }}

[[issuer]]
id = "{ISSUER}"
name = "Issuer"
classes = ["kyc", "eu"]
keys = [{KEYS["ed"].toml()}, {KEYS["p256"].toml()}]

[[issuer]]
id = "{OTHER}"
name = "Other"
classes = ["accredited"]
keys = [{KEYS["other"].toml()}]

[[instrument]]
symbol = "PERP"
product = "perpetual"
tick_size = "1"
lot_size = "1"
price_max = "1000"
qty_max = "1000"
notional_max = "100000"
position_max = "1000"
initial_margin_ppm = 100_000
maintenance_margin_ppm = 50_000
"""


@pytest.fixture
def exchange() -> Iterator[xos.Exchange]:
    with xos.open() as opened:
        yield ready(opened)


def ready(exchange: xos.Exchange, **trust: Any) -> xos.Exchange:
    loaded: Loaded = loads(MARKET)
    early = NOW - 10 * SECOND
    exchange.deploy(loaded, time_ns=early)
    for owner in ("ann", b"\x12\xab\xcd"):
        exchange.deposit(exchange.open_account(owner, time_ns=early), "USD", 1_000, time_ns=early)
    exchange.set_mark("PERP", 100, time_ns=early)
    exchange.credentials.trust(loaded, **trust)
    return exchange


def document(key: str = "ed", **changed: Any) -> str:
    given: dict[str, Any] = {"issuer": ISSUER, "subject": "ann", "classes": ["kyc", "eu"], "ends_ns": END}
    return issue(KEYS[key], **(given | {"issued_ns": NOW - SECOND, "id": "urn:x:1"} | changed))


def signed(claims: dict[str, Any], key: str = "ed", **headers: Any) -> str:
    """Any claims and headers under a good signature."""
    signer = KEYS[key]
    return jwt.encode(
        claims, signer.signing, algorithm=signer.algorithm, headers={"kid": signer.kid} | headers
    )


def claims(**changed: Any) -> dict[str, Any]:
    about = {"id": "ann", "classes": ["kyc"]}
    vc = {"@context": [CONTEXT], "type": ["VerifiableCredential"], "credentialSubject": about}
    second = NOW // SECOND
    good = {"iss": ISSUER, "sub": "ann", "jti": "urn:x:1", "iat": second - 1, "exp": second + 9, "vc": vc}
    return {name: value for name, value in (good | changed).items() if value is not ...}


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("key", ["ed", "p256"])
def test_a_document_gives_its_classes(exchange: xos.Exchange, key: str) -> None:
    token = document(key)
    found = exchange.credentials.check(token, ANN, now_ns=NOW)
    assert (found.issuer, found.id, found.subject, found.classes) == (ISSUER, "urn:x:1", "ann", ("kyc", "eu"))
    with pytest.raises(xos.Rejected, match="226"):
        exchange.buy(ANN, "PERP", 90, 1, venue="gate", time_ns=NOW)
    exchange.credentials.submit(ANN, token, time_ns=NOW)
    digest = hashlib.sha256(token.encode()).digest()
    assert exchange.credential(ANN) == xos.Credential(ANN, ("kyc", "eu"), END, NOW - SECOND, digest)
    exchange.buy(ANN, "PERP", 90, 1, venue="gate", time_ns=NOW)


def test_documents_of_several_issuers_count_together(exchange: xos.Exchange) -> None:
    rich = document("other", issuer=OTHER, classes=["accredited"], ends_ns=END - 5 * SECOND, issued_ns=NOW)
    exchange.credentials.submit(ANN, document(), rich, time_ns=NOW)
    found = exchange.credential(ANN)
    assert found is not None
    assert (found.classes, found.ends_ns, found.issued_ns) == (
        ("kyc", "eu", "accredited"),
        END - 5 * SECOND,
        NOW,
    )
    both = b"".join(hashlib.sha256(token.encode()).digest() for token in (document(), rich))
    assert found.digest == hashlib.sha256(both).digest()


@pytest.mark.parametrize(
    "subject", ["0x12abcd", "0x12ABcd", "did:pkh:eip155:196:0x12aBCd", "urn:exchange-os:account:2"]
)
def test_a_wallet_has_several_names(exchange: xos.Exchange, subject: str) -> None:
    assert exchange.credentials.check(document(subject=subject), BOB, now_ns=NOW).subject == subject


def test_w3c_documents_of_either_version_and_times_with_fractions(exchange: xos.Exchange) -> None:
    vc = claims()["vc"] | {"@context": ["https://www.w3.org/ns/credentials/v2", "https://x.example"]}
    token = signed(claims(vc=vc, iat=..., nbf=NOW // SECOND - 0.25))
    assert exchange.credentials.check(token, ANN, now_ns=NOW).issued_ns == NOW - SECOND // 4


def confused() -> str:
    """HS256 with the public key as the secret: what a library that trusts `alg` would accept."""
    public = (
        KEYS["ed"]
        .signing.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    body = f"{encoded({'alg': 'HS256', 'kid': 'ed'})}.{encoded(claims())}"
    mac = hmac.new(public, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def altered(token: str) -> str:
    head, body, signature = token.split(".")
    content = json.loads(base64.urlsafe_b64decode(body + "=="))
    content["vc"]["credentialSubject"]["classes"] = ["kyc", "eu"]
    return f"{head}.{encoded(content)}.{signature}"


def no_kid() -> str:
    return jwt.encode(claims(), KEYS["ed"].signing, algorithm="EdDSA")


NONE = f"{encoded({'alg': 'none', 'kid': 'ed'})}.{encoded(claims())}."
NO_VC, NO_EXP, NO_ID, NO_TIME = (claims(**{name: ...}) for name in ("vc", "exp", "jti", "iat"))


def about(**changed: Any) -> dict[str, Any]:
    vc = claims()["vc"]
    return claims(vc=vc | {"credentialSubject": vc["credentialSubject"] | changed})


REFUSED: list[tuple[str, CredentialFault, str, Callable[[], str]]] = [
    ("oversized", CredentialFault.OVERSIZED, "8193 characters are more than 8192", lambda: "a" * 8_193),
    ("no jwt", CredentialFault.MALFORMED, "this is no signed JWT", lambda: "a" * TOKEN_BYTES_MAX),
    ("empty", CredentialFault.MALFORMED, "this is no signed JWT", lambda: ""),
    ("two parts", CredentialFault.MALFORMED, "this is no signed JWT", lambda: document().rpartition(".")[0]),
    (
        "claims are a list",
        CredentialFault.MALFORMED,
        "no signed JWT",
        lambda: f"{document().split('.')[0]}.W10.AA",
    ),
    ("alg none", CredentialFault.ALGORITHM, "its algorithm is 'none', expected EdDSA or ES256", lambda: NONE),
    ("confusion", CredentialFault.ALGORITHM, "its algorithm is 'HS256'", confused),
    (
        "the other key's algorithm",
        CredentialFault.ALGORITHM,
        "key 'ed' signs with EdDSA, not ES256",
        lambda: signed(claims(), "p256", kid="ed"),
    ),
    (
        "own key",
        CredentialFault.ALGORITHM,
        "its header has jwk",
        lambda: signed(claims(), jwk={"kty": "OKP"}),
    ),
    (
        "own address",
        CredentialFault.ALGORITHM,
        "its header has jku",
        lambda: signed(claims(), jku="https://x"),
    ),
    (
        "foreign",
        CredentialFault.FOREIGN_ISSUER,
        f"nobody trusts 'https://else.example' here (issuers: {ISSUER}, {OTHER})",
        lambda: document("other", issuer="https://else.example"),
    ),
    ("no issuer", CredentialFault.FOREIGN_ISSUER, "nobody trusts None", lambda: signed(claims(iss=...))),
    ("another's key", CredentialFault.UNKNOWN_KEY, "no key '1' (keys: ed, p256)", lambda: document("other")),
    ("no kid", CredentialFault.UNKNOWN_KEY, "has no key None", no_kid),
    (
        "another's name",
        CredentialFault.FORGED,
        "the signature is not that of key '1' of Other",
        lambda: signed(claims(iss=OTHER), kid="1"),
    ),
    ("altered", CredentialFault.FORGED, "the signature is not that of", lambda: altered(signed(claims()))),
    (
        "altered es256",
        CredentialFault.FORGED,
        "the signature is not",
        lambda: altered(signed(claims(), "p256")),
    ),
    ("no vc", CredentialFault.CLAIMS, "vc is missing", lambda: signed(NO_VC)),
    ("no end", CredentialFault.CLAIMS, "exp is no time", lambda: signed(NO_EXP)),
    ("no id", CredentialFault.CLAIMS, "jti is no text", lambda: signed(NO_ID)),
    ("no issue", CredentialFault.CLAIMS, "neither iat nor nbf", lambda: signed(NO_TIME)),
    (
        "end as a word",
        CredentialFault.CLAIMS,
        "exp is no time",
        lambda: signed(claims(vc=claims()["vc"], exp=True)),
    ),
    ("end beyond all", CredentialFault.CLAIMS, "exp is no time", lambda: signed(claims(exp=10**30))),
    ("two subjects", CredentialFault.CLAIMS, "different subjects", lambda: signed(about(id="bob"))),
    ("classes as text", CredentialFault.CLAIMS, "no list of classes", lambda: signed(about(classes="kyc"))),
    ("no classes", CredentialFault.CLAIMS, "no list of classes", lambda: signed(about(classes=[]))),
    ("class a number", CredentialFault.CLAIMS, "classes is no text", lambda: signed(about(classes=[1]))),
    (
        "no context",
        CredentialFault.CLAIMS,
        "@context",
        lambda: signed(claims(vc=claims()["vc"] | {"@context": []})),
    ),
    (
        "no type",
        CredentialFault.CLAIMS,
        "vc.type",
        lambda: signed(claims(vc=claims()["vc"] | {"type": ["X"]})),
    ),
    (
        "of tomorrow",
        CredentialFault.NOT_YET_VALID,
        f"it begins at {NOW + 1_000} ns, now is {NOW} ns",
        lambda: document(issued_ns=NOW + 1_000),
    ),
    (
        "begins later",
        CredentialFault.NOT_YET_VALID,
        "it begins",
        lambda: signed(claims(nbf=NOW // SECOND + 1)),
    ),
    (
        "expired",
        CredentialFault.EXPIRED,
        f"it ended at {NOW} ns, now is {NOW} ns",
        lambda: document(ends_ns=NOW),
    ),
    ("somebody else", CredentialFault.WRONG_SUBJECT, "not about the owner", lambda: document(subject="bob")),
    (
        "unknown class",
        CredentialFault.UNKNOWN_CLASS,
        "class 'gold' does not stand",
        lambda: document(classes=["gold"]),
    ),
    (
        "not his to give",
        CredentialFault.NOT_ENTITLED,
        "Issuer may not give 'accredited' (it may: eu, kyc)",
        lambda: document(classes=["kyc", "accredited"]),
    ),
]


@pytest.mark.parametrize(
    ("fault", "said", "token"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_counts_for_nothing(
    exchange: xos.Exchange, fault: CredentialFault, said: str, token: Callable[[], str]
) -> None:
    before = exchange.state_hash
    with pytest.raises(xos.CredentialRefused) as refused:
        exchange.credentials.submit(ANN, token(), time_ns=NOW)
    assert (refused.value.fault, refused.value.number) == (fault, 710)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{fault.value} {fault.name}: ")
    assert exchange.state_hash == before


def test_every_fault_is_tried_and_explained() -> None:
    assert {row[1] for row in REFUSED} | {CredentialFault.REVOKED} == set(CredentialFault)
    assert all(fault.meaning.endswith(".") for fault in CredentialFault)


def test_a_document_at_the_bounds_of_time(exchange: xos.Exchange) -> None:
    exchange.credentials.check(document(issued_ns=NOW, ends_ns=NOW + 1_000), ANN, now_ns=NOW)


def test_nobody_is_trusted_before_somebody_is(exchange: xos.Exchange) -> None:
    exchange.credentials.trust(loads('[[asset]]\nsymbol = "USD"\ndecimals = 2\n'))
    with pytest.raises(xos.CredentialRefused, match=r"4 FOREIGN_ISSUER.*issuers: none"):
        exchange.credentials.check(document(), ANN, now_ns=NOW)


def test_a_revocation_takes_effect_at_once_and_its_document_never_counts_again(
    exchange: xos.Exchange,
) -> None:
    exchange.credentials.submit(ANN, document(), time_ns=NOW)
    exchange.buy(ANN, "PERP", 90, 1, venue="gate", time_ns=NOW)
    assert exchange.credentials.revoke(OTHER, "urn:x:1", time_ns=NOW) == []
    assert len(exchange.orders(ANN)) == 1
    assert exchange.credentials.revoke(ISSUER, "urn:x:1", time_ns=NOW + 5) == [ANN]
    assert exchange.orders(ANN) == []
    assert list(exchange.events())[-1][-1]["kind"] == int(xos.EventKind.ORDER_CANCELLED)
    with pytest.raises(xos.CredentialRefused, match=r"13 REVOKED: did:web:issuer.example revoked it"):
        exchange.credentials.submit(ANN, document(), time_ns=NOW + 5)
    # Another id, but issued before the revocation: the engine refuses it.
    with pytest.raises(xos.Rejected, match="225"):
        exchange.credentials.submit(ANN, document(id="urn:x:2"), time_ns=NOW + 5)
    exchange.credentials.submit(ANN, document(id="urn:x:2", issued_ns=NOW + 1_000), time_ns=NOW + 2_000)
    assert exchange.credentials.revoke(ISSUER, "urn:x:1", time_ns=NOW + 2_000) == []


def test_a_document_brought_again_in_other_company_does_not_hide_the_first_time(
    exchange: xos.Exchange, tmp_path: Path
) -> None:
    register = tmp_path / "register"
    exchange.credentials.trust(loads(MARKET), register=register)
    exchange.credentials.submit(ANN, document(), time_ns=NOW)
    older = document(id="urn:x:0", issued_ns=NOW - 2 * SECOND)
    for company in ([document(), document()], [older, document()]):
        with pytest.raises(xos.Rejected, match="225"):
            exchange.credentials.submit(ANN, *company, time_ns=NOW)
    exchange.credentials.trust(loads(MARKET), register=register)
    assert exchange.credentials.revoke(ISSUER, "urn:x:1", time_ns=NOW + 5) == [ANN]
    standing = exchange.credential(ANN)
    assert standing is not None
    assert not standing.classes


def test_the_same_document_takes_effect_once(exchange: xos.Exchange) -> None:
    exchange.credentials.submit(ANN, document(), time_ns=NOW)
    with pytest.raises(xos.Rejected, match="225"):
        exchange.credentials.submit(ANN, document(), time_ns=NOW)


def test_revocations_outlive_the_process(tmp_path: Path) -> None:
    data, register = tmp_path / "data", tmp_path / "register"
    with xos.open(data) as exchange:
        ready(exchange, register=register)
        exchange.credentials.submit(ANN, document(), time_ns=NOW)
    # The gateway died after it had written down the revocation, before it told the engine.
    Register(register).revoke(ISSUER, "urn:x:1")
    with register.open("ab") as file:
        file.write(b'{"revo')
    with xos.open(data) as exchange:
        assert exchange.credentials.trust(loads(MARKET), register=register, time_ns=NOW) == [ANN]
        found = exchange.credential(ANN)
        assert found is not None
        assert found.classes == ()
        with pytest.raises(xos.CredentialRefused, match="13 REVOKED"):
            exchange.credentials.check(document(), ANN, now_ns=NOW)
    assert register.read_bytes().endswith(b"}\n")


def test_a_damaged_register_is_no_empty_one(tmp_path: Path) -> None:
    register = tmp_path / "register"
    register.write_text('{"revoked": "00"}\n{"id": 7}\n')
    with pytest.raises(xos.Corrupt, match="the line at byte 18 cannot be read"):
        Register(register)


def test_nothing_of_the_person_is_in_the_log(tmp_path: Path) -> None:
    data = tmp_path / "data"
    token = document(subject="urn:exchange-os:account:1", id="urn:passport:X1234567")
    with xos.open(data) as exchange:
        ready(exchange, register=data / "credentials.jsonl")
        exchange.credentials.submit(ANN, token, time_ns=NOW)
        exchange.snapshot()
    log.verify(data)
    files = [path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()]
    assert any(hashlib.sha256(token.encode()).digest() in content for content in files)
    secrets = (b"passport", b"X1234567", b"urn:exchange-os", b"issuer.example", *token.encode().split(b"."))
    assert [secret for secret in secrets if any(secret in content for content in files)] == []


@pytest.mark.parametrize("curve", ["Ed25519", "P-256"])
def test_the_commands_from_key_to_revocation(tmp_path: Path, curve: str) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["credential", *words])
        return done.exit_code, done.output

    data, market, key, token = (tmp_path / name for name in ("data", "m.toml", "key", "token"))
    code, public = run("key", str(key), "--curve", curve, "--kid", "ed")
    assert (code, key.stat().st_mode & 0o777) == (0, 0o600)
    assert run("key", str(key))[0] == 2
    market.write_text(MARKET.replace(KEYS["ed"].toml(), public.strip()))
    with xos.open(data) as exchange:
        exchange.deploy(market)
        exchange.open_account("ann")
    words = ("--issuer", ISSUER, "--subject", "ann", "--class", "kyc", "--id", "urn:x:9")
    code, said = run("issue", "--key", str(key), *words)
    token.write_text(said)
    at = ("--market", str(market), "--data", str(data))
    assert run("check", str(token), *at, "--account", "1")[1].startswith(f"{ISSUER} gives kyc until 20")
    assert run("submit", str(token), *at, "--account", "1")[1].startswith("account 1: kyc until 20")
    assert run("revoke", "--issuer", ISSUER, "--id", "urn:x:9", *at) == (
        0,
        "revoked; account 1 lost its classes\n",
    )
    code, said = run("submit", str(token), *at, "--account", "1", "--json")
    assert (code, json.loads(said)["error"]["number"]) == (3, 710)
    assert run("revoke", "--issuer", ISSUER, "--id", "urn:x:9", *at)[1] == "revoked; no account had it\n"


@pytest.mark.parametrize(
    "content", ["", "{}", '{"kid": "1", "crv": "Ed25519", "kty": "OKP", "x": "AA", "d": "AA"}']
)
def test_a_file_that_is_no_key(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(xos.InvalidArgument, match="is no JWK with a kid"):
        PrivateKey.load(tmp_path / "key")
    with pytest.raises(xos.InvalidArgument, match="No such file"):
        PrivateKey.load(tmp_path / "none")


def test_plain_arguments(exchange: xos.Exchange) -> None:
    with pytest.raises(xos.InvalidArgument, match="the credential is a int, expected text"):
        exchange.credentials.check(7)  # type: ignore[arg-type]
    with pytest.raises(xos.InvalidArgument, match="no credential is given"):
        exchange.credentials.submit(ANN)
    with pytest.raises(xos.UnknownName, match="account 9 does not stand"):
        exchange.credentials.check(document(), 9, now_ns=NOW)
    with pytest.raises(xos.InvalidArgument, match="no curve 'P-384'"):
        PrivateKey.generate(curve="P-384")  # type: ignore[arg-type]
