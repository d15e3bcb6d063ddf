"""Classes of accounts from Python: given, shown, taken away, refused."""

from __future__ import annotations

import msgspec
import pytest

import exchange_os as xos

DIGEST = bytes(range(32))


@pytest.fixture
def exchange() -> xos.Exchange:
    """A venue that admits those with `kyc`."""
    exchange = xos.open()
    bodies: list[dict[str, object]] = [
        {"asset": {"symbol": "USD", "decimals": 2}},
        {"class": {"symbol": "kyc", "counterparty": False}},
        {"class": {"symbol": "eu"}},
        {"venue": {"symbol": "KYC", "fees": None, "admission": {"requires": 1, "forbids": 0}}},
    ]
    for body in bodies:
        exchange.deploy_body(msgspec.msgpack.encode(body), time_ns=1_000)
    exchange.open_account("alice", time_ns=1_000)
    return exchange


def test_classes_are_given_shown_and_taken_away(exchange: xos.Exchange) -> None:
    assert exchange.classes == ("kyc", "eu")
    assert exchange.credential(1) is None
    exchange.set_credentials(1, ["eu", "kyc"], digest=DIGEST, ends_ns=5_000, issued_ns=900, time_ns=2_000)
    assert exchange.credential(1) == xos.Credential(1, ("kyc", "eu"), 5_000, 900, DIGEST)
    exchange.revoke_credentials(1, time_ns=3_000)
    assert exchange.credential(1) == xos.Credential(1, (), 0, 3_000, bytes(32))
    with pytest.raises(xos.Rejected, match="issued at 2999 ns") as refused:
        exchange.set_credentials(1, ["kyc"], digest=DIGEST, ends_ns=5_000, issued_ns=2_999, time_ns=3_000)
    assert refused.value.code == xos.Reject.CREDENTIAL_NOT_NEWER


def test_a_credential_ends(exchange: xos.Exchange) -> None:
    exchange.set_credentials(1, ["kyc"], digest=DIGEST, ends_ns=5_000, issued_ns=900, time_ns=2_000)
    exchange.tick(time_ns=5_000)
    assert exchange.credential(1) == xos.Credential(1, (), 0, 900, DIGEST)


def test_a_credential_issued_now_by_the_clock(exchange: xos.Exchange) -> None:
    receipt = exchange.set_credentials(1, ["kyc"], digest=DIGEST, ends_ns=(1 << 64) - 1)
    found = exchange.credential(1)
    assert found is not None
    assert 1_000 < found.issued_ns <= receipt.time_ns


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"classes": ["us"]}, xos.UnknownName, "no class 'us' stands here \\(known: kyc, eu\\)"),
        ({"classes": "kyc"}, xos.InvalidArgument, "classes is a str, expected a list"),
        ({"digest": b"short"}, xos.InvalidArgument, "32 bytes"),
        ({"digest": bytes(32)}, xos.Rejected, "without the hash of the credential"),
        ({"ends_ns": 2_000}, xos.Rejected, "the credential ends at 2000 ns, the log stands at 2000 ns"),
        ({"issued_ns": 2_001}, xos.Rejected, "is issued at 2001 ns, the log stands at 2000 ns"),
        ({"account": 7}, xos.Rejected, "account 7 does not exist"),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(
    exchange: xos.Exchange, change: dict[str, object], error: type[Exception], says: str
) -> None:
    given = {"account": 1, "classes": ["kyc"], "digest": DIGEST, "ends_ns": 9_000, "issued_ns": 900}
    before = exchange.state_hash
    with pytest.raises(error, match=says):
        exchange.set_credentials(**{**given, **change}, time_ns=2_000)  # type: ignore[arg-type]
    assert exchange.state_hash == before
