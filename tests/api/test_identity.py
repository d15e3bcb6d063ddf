"""Wallets over HTTP: sign-in, trading keys, keys and addresses; customers of an operator.

Wallets are those of eth-account, which shares no code with what is tested.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import jsonschema
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from tests.api.conftest import Server

import exchange_os as xos
from exchange_os.api import identity as identity_module
from exchange_os.api.identity import Terms
from exchange_os.client import Client
from exchange_os.control.sign_in import SignIn, read_sign_in, written
from exchange_os.control.signatures import message_digest, recovered
from exchange_os.control.trading_keys import Domain, TradingKey, digest, typed_data
from exchange_os.credentials import PrivateKey, issue
from exchange_os.errors import InvalidArgument

ANN = Account.from_key(b"\x01" * 32)
MALLORY = Account.from_key(b"\x02" * 32)
ELSEWHERE = "0x52908400098527886E0F7030069857D2E4169EE7"


def post(server: Server, path: str, body: Any = None, *, token: str = "") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return server.send("POST", path, b"" if body is None else json.dumps(body).encode(), headers)


def message(server: Server, wallet: Any = ANN, **changed: str) -> SignIn:
    nonce = post(server, "/api/v1/sign-in/nonce")[1]["data"][0]["nonce"]
    domain = f"127.0.0.1:{server.port}"
    words = {"domain": domain, "address": wallet.address, "uri": f"http://{domain}/login", "nonce": nonce}
    words |= {"chain_id": "196", "issued_at": written(time.time_ns() // 1_000_000), "statement": "Hello."}
    return SignIn(**(words | changed))


def signed(text: str, wallet: Any = ANN) -> str:
    found: str = wallet.sign_message(encode_defunct(text=text)).signature.hex()
    return found if found.startswith("0x") else f"0x{found}"


def sign_in(server: Server, wallet: Any = ANN, **changed: str) -> tuple[int, Any]:
    text = message(server, wallet, **changed).text()
    return post(server, "/api/v1/sign-in", {"message": text, "signature": signed(text, wallet)})


@pytest.fixture
def token(server: Server) -> str:
    found: str = sign_in(server)[1]["data"][0]["token"]
    return found


# --- sign-in ---


def test_a_wallet_signs_in_and_has_an_account(server: Server) -> None:
    (session,) = sign_in(server)[1]["data"]
    assert session["wallet"] == ANN.address
    assert server.exchange._core.family(session["account"])[0][:20] == bytes.fromhex(ANN.address[2:])
    (again,) = sign_in(server)[1]["data"]
    assert again["account"] == session["account"]
    assert again["token"] != session["token"]
    (other,) = sign_in(server, MALLORY)[1]["data"]
    assert other["account"] != session["account"]
    headers = {"Authorization": f"Bearer {session['token']}"}
    status, answer = server.send("GET", "/api/v5/account/config", b"", headers)
    assert (status, answer["data"][0]["uid"]) == (200, str(session["account"]))
    order = {"instId": "ETH-USDC", "side": "buy", "ordType": "limit", "sz": "1", "px": "1"}
    assert post(server, "/api/v5/trade/order", order, token=session["token"])[1]["code"] == "50120"
    for wrong in (session["token"] + "x", "x"):
        assert post(server, "/api/v1/keys/list", token=wrong)[0] == 401


def test_a_replay_is_refused(server: Server) -> None:
    text = message(server).text()
    body = {"message": text, "signature": signed(text)}
    assert post(server, "/api/v1/sign-in", body)[0] == 200
    status, answer = post(server, "/api/v1/sign-in", body)
    assert (status, answer["code"]) == (401, "50113")
    assert "first field that differs is Nonce" in answer["msg"]


def later(seconds: int) -> str:
    return written(time.time_ns() // 1_000_000 + seconds * 1_000)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"domain": "evil.example"}, "domain"),
        ({"domain": "127.0.0.1.evil.example"}, "domain"),
        ({"uri": "https://evil.example/"}, "URI"),
        ({"version": "2"}, "Version"),
        ({"chain_id": "1"}, "Chain ID"),
        ({"nonce": "aaaaaaaaaaaaaaaa"}, "Nonce"),
        ({"issued_at": later(60)}, "Issued At"),
        ({"expiration_time": later(-1)}, "Expiration Time"),
        ({"not_before": later(60)}, "Not Before"),
        ({"address": MALLORY.address}, "address"),
    ],
)
def test_the_first_field_that_differs_is_named(server: Server, changed: dict[str, str], field: str) -> None:
    text = message(server, **changed).text()
    status, answer = post(server, "/api/v1/sign-in", {"message": text, "signature": signed(text)})
    assert (status, answer["code"], answer["data"]) == (401, "50113", [])
    assert f"the first field that differs is {field}: " in answer["msg"]
    assert f"the digest is 0x{message_digest(text).hex()}" in answer["msg"]
    assert f"the signature recovers {ANN.address}" in answer["msg"]


def test_nonces_and_sessions_end(server: Server, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = message(server).text()
    now = identity_module.now_ms
    monkeypatch.setattr(identity_module, "now_ms", lambda: now() + 601_000)
    answer = post(server, "/api/v1/sign-in", {"message": text, "signature": signed(text)})[1]
    assert "first field that differs is Nonce" in answer["msg"]
    assert post(server, "/api/v1/keys/list", token=token)[0] == 200
    monkeypatch.setattr(identity_module, "now_ms", lambda: now() + 86_401_000)
    assert (
        post(server, "/api/v1/keys/list", token=token)[1]["msg"]
        == "The session is unknown or over: sign in again."
    )


def test_a_session_ends_with_its_message(server: Server) -> None:
    ends = time.time_ns() // 1_000_000 + 60_000
    (session,) = sign_in(server, expiration_time=written(ends))[1]["data"]
    assert session["expires_ms"] == ends


def test_who_has_no_account_may_be_refused(server: Server) -> None:
    server.desk.identity.terms = Terms(opens_accounts=False)
    status, answer = sign_in(server)
    assert (status, answer["code"]) == (401, "50120")
    server.run(lambda: server.desk.identity.open_account(ANN.address))
    assert sign_in(server)[0] == 200


def test_nonces_are_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from exchange_os.control import wallets

    monkeypatch.setattr(wallets, "NONCES_MAX", 2)
    answers = [post(server, "/api/v1/sign-in/nonce") for _ in range(3)]
    assert [answer["code"] for _, answer in answers] == ["0", "0", "50013"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (" wants you to", " asks you to", "line 1"),
        ("\n\nHello", "\nHello", "line 3"),
        ("Hello.\n\n", "Hello.\n", "statement"),
        ("URI: ", "Uri: ", "lacks URI"),
        ("Version: 1\n", "", "lacks Version"),
        (ANN.address, ANN.address.lower(), "line 2"),
        (ANN.address, ANN.address[:-1], "is no address"),
        ("Nonce: ", "Nonce:", "lacks Nonce"),
    ],
)
def test_a_message_of_another_form(server: Server, old: str, new: str, why: str) -> None:
    text = message(server).text()
    assert old in text
    text = text.replace(old, new, 1)
    answer = post(server, "/api/v1/sign-in", {"message": text, "signature": signed(text)})[1]
    assert answer["code"] == "50113"
    assert why in answer["msg"]
    for tail in ("\n", "\nResources", "\nRequest ID: 7\nExpiration Time: 8"):
        with pytest.raises(InvalidArgument, match="where it should end"):
            read_sign_in(message(server).text() + tail)


def test_messages_come_back_as_they_were() -> None:
    words = {"domain": "a.example", "address": ANN.address, "uri": "https://a.example", "chain_id": "1"}
    words |= {"nonce": "n" * 8, "issued_at": "2026-01-01T00:00:00Z"}
    more = {"statement": "S", "expiration_time": "x", "not_before": "y", "request_id": "z"}
    for each in (words, words | more):
        for resources in ((), ("https://a", "ipfs://b")):
            made = SignIn(**each, resources=resources)
            assert read_sign_in(made.text()) == made


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        ("0x", "65 bytes"),
        ("zz", "65 bytes in hexadecimal"),
        ("0x" + "11" * 64 + "05", "end with 27 or 28"),
        ("0x" + "00" * 64 + "1b", "no key can have made"),
        ("0x" + "11" * 32 + "ff" * 32 + "1b", "lower half"),
    ],
)
def test_signatures_of_another_form(server: Server, signature: str, why: str) -> None:
    answer = post(server, "/api/v1/sign-in", {"message": message(server).text(), "signature": signature})[1]
    assert (answer["code"], answer["data"]) == ("50113", [])
    assert why in answer["msg"]


def test_recovery_agrees_with_eth_account() -> None:
    for number in range(50):
        wallet = Account.from_key(secrets.token_bytes(32))
        text = f"message {number}" * number
        assert recovered(message_digest(text), signed(text, wallet)) == wallet.address


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"message": 1, "signature": ""}', b"\xff", b'{"m":'])
def test_bad_bodies(server: Server, body: bytes) -> None:
    for path in ("/api/v1/sign-in", "/api/v1/trading-keys"):
        status, answer = server.send("POST", path, body)
        assert status in {200, 400}
        assert answer["code"] in {"51000", "50002"}
        assert "Traceback" not in answer["msg"]
    more = {"message": "m", "signature": "s", "more": 1}
    assert "unknown field" in post(server, "/api/v1/sign-in", more)[1]["msg"]


# --- trading keys ---

PRIVATE = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)


def grant(signer: Any = ANN, **changed: Any) -> dict[str, Any]:
    """Domain, message and signature of a trading key."""
    domain = {"name": "Exchange OS", "version": "1", "chainId": changed.pop("chainId", 196)}
    domain |= {name: changed.pop(name) for name in ("name", "version") if name in changed}
    words = {"wallet": signer.address, "account": 0, "scopes": "read,trade", "instruments": "", "lossMax": ""}
    words |= {"publicKey": "0x" + PRIVATE.public_key().public_bytes_raw().hex(), "nonce": 1}
    words |= {"expires": time.time_ns() // 10**9 + 3_600} | changed
    whole = typed_data(Domain(**domain), TradingKey(**words))
    made = signer.sign_message(encode_typed_data(full_message=whole)).signature.hex()
    return {"domain": domain, "message": words, "signature": made}


def test_a_wallet_grants_a_trading_key(server: Server) -> None:
    (made,) = post(server, "/api/v1/trading-keys", grant(lossMax="50", instruments="ETH-USDC"))[1]["data"]
    assert (made["scopes"], made["source"], made["secret"]) == (["read", "trade"], ANN.address, None)
    account = made["account"]
    server.exchange.deposit(account, "USDC", 1_000)
    words = {"key": made["key"], "passphrase": made["passphrase"], "private_key": b"\x03" * 32}
    with Client(f"http://127.0.0.1:{server.port}", **words) as client:
        placed = client.place("ETH-USDC", "buy", "0.1", 1000)
        assert client.order("ETH-USDC", placed.order_id).state == "live"
        with pytest.raises(xos.Error, match="50120"):
            client.place("ETH-USDC-SWAP", "buy", "0.1", 1000)
        with pytest.raises(xos.Error, match="lacks the scope withdraw"):
            client.withdraw("USDC", 1, ELSEWHERE)
    assert sign_in(server)[1]["data"][0]["account"] == account


def test_the_digest_is_that_of_eip_712() -> None:
    given = grant()
    whole = encode_typed_data(
        full_message=typed_data(Domain(**given["domain"]), TradingKey(**given["message"]))
    )
    from eth_utils import keccak

    expected = keccak(b"\x19\x01" + whole.header + whole.body)
    assert digest(Domain(**given["domain"]), TradingKey(**given["message"])) == expected


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": "Other"}, "name"),
        ({"version": "2"}, "version"),
        ({"chainId": 1}, "chainId"),
        ({"wallet": MALLORY.address}, "wallet"),
        ({"scopes": "trade,withdraw"}, "scopes"),
        ({"scopes": ""}, "scopes"),
        ({"instruments": "ETH-USDC,NOPE"}, "instruments"),
        ({"lossMax": "-1"}, "lossMax"),
        ({"lossMax": "much"}, "lossMax"),
        ({"expires": 1}, "expires"),
        ({"nonce": 0}, "nonce"),
        ({"account": 2}, "account"),
    ],
)
def test_the_first_field_of_a_grant_that_differs(server: Server, changed: dict[str, Any], field: str) -> None:
    given = grant(**changed)
    status, answer = post(server, "/api/v1/trading-keys", given)
    assert (status, answer["code"], answer["data"]) == (401, "50113", [])
    assert f"the first field that differs is {field}: " in answer["msg"]
    signed_ = digest(Domain(**given["domain"]), TradingKey(**given["message"]))
    assert f"the digest is 0x{signed_.hex()}, the signature recovers {ANN.address};" in answer["msg"]


def test_a_grant_that_was_changed_recovers_somebody_else(server: Server) -> None:
    given = grant(lossMax="50")
    given["message"]["lossMax"] = ""
    answer = post(server, "/api/v1/trading-keys", given)[1]
    assert answer["code"] == "50113"
    assert "the first field that differs is wallet: " in answer["msg"]
    assert f"recovers {ANN.address}" not in answer["msg"]


def test_a_grant_counts_once_and_in_order(server: Server) -> None:
    first = grant(nonce=7)
    assert post(server, "/api/v1/trading-keys", first)[0] == 200
    for again in (first, grant(nonce=6)):
        answer = post(server, "/api/v1/trading-keys", again)[1]
        assert "the first field that differs is nonce" in answer["msg"]
        assert "more than 7, which was used" in answer["msg"]
    assert post(server, "/api/v1/trading-keys", grant(MALLORY, nonce=1))[0] == 200


# --- keys and addresses of a session ---


def test_keys_of_a_session(server: Server, token: str) -> None:
    body = {
        "scopes": ["read", "withdraw"],
        "label": "cold",
        "days": 1,
        "addresses": ["127.0.0.1"],
        "loss_max": "5",
    }
    (made,) = post(server, "/api/v1/keys", body, token=token)[1]["data"]
    assert (made["source"], made["loss_max"], made["label"]) == (ANN.address, "5", "cold")
    words = {"key": made["key"], "passphrase": made["passphrase"], "secret": made["secret"]}
    with Client(f"http://127.0.0.1:{server.port}", **words) as client:
        assert client.balances()["USDC"].total == 0
    (listed,) = post(server, "/api/v1/keys/list", token=token)[1]["data"]
    assert (listed["key"], listed["secret"], listed["passphrase"]) == (made["key"], None, None)
    theirs = sign_in(server, MALLORY)[1]["data"][0]["token"]
    assert post(server, "/api/v1/keys/list", token=theirs)[1]["data"] == []
    for who, done in ((theirs, False), (token, True), (token, False)):
        assert post(server, "/api/v1/keys/revoke", {"key": made["key"]}, token=who)[1]["data"] == [
            {"done": done}
        ]
    for wrong in (
        {"scopes": ["operate"]},
        {"scopes": []},
        {"scopes": "read"},
        {"account": 1},
        {"instruments": ["NOPE"]},
        {"loss_max": "x"},
        {"public_key": "zz"},
        {"addresses": ["home"]},
    ):
        answer = post(server, "/api/v1/keys", wrong, token=token)[1]
        assert answer["code"] in {"51000", "51001"}, answer
    assert server.signed(server.ann, "POST", "/api/v1/keys", {})[1]["code"] == "50120"


def test_addresses_of_a_session(server: Server, token: str) -> None:
    (own,) = post(server, "/api/v1/withdrawal-addresses", {"address": ANN.address.lower()}, token=token)[1][
        "data"
    ]
    (other,) = post(server, "/api/v1/withdrawal-addresses", {"address": ELSEWHERE}, token=token)[1]["data"]
    now = time.time_ns() // 1_000_000
    assert own["address"] == ANN.address
    assert own["usable_ms"] <= now
    assert other["usable_ms"] > now + 86_000_000
    found = post(server, "/api/v1/withdrawal-addresses/list", token=token)[1]["data"]
    assert [each["address"] for each in found] == [ANN.address, ELSEWHERE]
    theirs = sign_in(server, MALLORY)[1]["data"][0]["token"]
    assert post(server, "/api/v1/withdrawal-addresses/list", token=theirs)[1]["data"] == []
    body = {"address": ELSEWHERE}
    path = "/api/v1/withdrawal-addresses/remove"
    assert post(server, path, body, token=theirs)[1]["data"] == [{"done": False}]
    assert post(server, path, body, token=token)[1]["data"] == [{"done": True}]
    wrong = {"address": ELSEWHERE[:-1]}
    assert post(server, "/api/v1/withdrawal-addresses", wrong, token=token)[1]["code"] == "51000"


# --- customers of an operator ---

ISSUER = PrivateKey.generate("1")
CLASSES = f"""
[[class]]
symbol = "kyc"

[[issuer]]
id = "did:web:issuer.example"
name = "Issuer"
classes = ["kyc"]
keys = [{ISSUER.toml()}]
"""


def test_customers_and_their_credentials(server: Server) -> None:
    loaded = xos.markets.loads(CLASSES)
    server.exchange.deploy(loaded)
    operator = server.run(lambda: server.keys.create(0, scopes={"operate"}))

    def operate(path: str, body: Any) -> Any:
        return server.signed(operator, "POST", path, body)[1]

    (opened,) = operate("/api/v1/accounts", {"owner": "customer-7"})["data"]
    (made,) = operate("/api/v1/keys", {"account": opened["account"], "scopes": ["read", "trade"]})["data"]
    (walled,) = operate("/api/v1/accounts", {"owner": ANN.address.lower()})["data"]
    assert sign_in(server)[1]["data"][0]["account"] == walled["account"]
    assert operate("/api/v1/accounts", {"owner": ANN.address})["code"] == "51000"
    assert operate("/api/v1/accounts", {"owner": "x" * 33})["code"] == "51000"
    assert operate("/api/v1/keys", {"scopes": ["read"]})["code"] == "51000"
    assert operate("/api/v1/keys", {"account": 10**6})["code"] == "51000"

    customer = server.keys.find(made["key"])
    words = {"issuer": "did:web:issuer.example", "subject": "customer-7", "classes": ["kyc"]}
    ends_ns = time.time_ns() + 3_600 * 10**9
    token = issue(ISSUER, **words, ends_ns=ends_ns, id="doc1")

    def upload(key: Any, body: Any) -> Any:
        return server.signed(key, "POST", "/api/v1/credentials", body)[1]

    assert "No issuer is trusted" in upload(customer, {"credentials": [token]})["msg"]
    server.exchange.credentials.trust(loaded)
    (row,) = upload(customer, {"credentials": [token]})["data"]
    assert (row["account"], row["classes"]) == (opened["account"], ["kyc"])
    assert server.exchange.credential(opened["account"]).classes == ("kyc",)
    stolen = upload(server.bob, {"credentials": [token]})
    assert (stolen["code"], stolen["data"]) == ("51000", [])
    assert upload(server.bob, {"credentials": [token], "account": opened["account"]})["code"] == "51000"
    for wrong in ({"credentials": []}, {"credentials": ["x.y.z"]}, {"credentials": token}):
        assert upload(customer, wrong)["code"] == "51000"
    (lost,) = operate("/api/v1/credentials/revoke", {"issuer": words["issuer"], "id": "doc1"})["data"]
    assert lost == {"account": opened["account"], "classes": [], "ends_ns": 0}
    assert server.exchange.credential(opened["account"]).classes == ()
    later = issue(ISSUER, **words, ends_ns=ends_ns, id="doc2")
    assert (
        operate("/api/v1/credentials", {"credentials": [later], "account": opened["account"]})["code"] == "0"
    )
    for path in ("/api/v1/accounts", "/api/v1/credentials/revoke"):
        assert server.signed(server.bob, "POST", path, {})[1]["code"] == "50120"


def test_bodies_are_those_of_the_document(server: Server) -> None:
    document = server.send("GET", "/api/v1/openapi.json")[1]
    given = grant()
    operation = document["paths"]["/api/v1/trading-keys"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(given)
    answer = post(server, "/api/v1/trading-keys", given)[1]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(answer)
    ids = [each["operationId"] for content in document["paths"].values() for each in content.values()]
    assert len(ids) == len(set(ids))
    assert msgspec.json.encode(document)
