"""Chains of real certificates, judged at a given time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from gateway.trust import examine, thumbprint, user_name

ALL = ("intermediate", "second-intermediate", "other-root", "root", "alice")


def look(pki: Any, name: str, others: tuple[str, ...] = ALL, days: int = 0) -> Any:
    candidates = [pki[other] for other in others]
    return examine(pki[name], candidates, [pki["root"]], pki.now + timedelta(days=days))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("alice", None),
        ("bob", None),
        ("carol", None),
        ("any-usage", None),
        ("no-usages", None),
        ("mallory", "untrusted"),
        ("expired", "expired"),
        ("future", "not-yet-valid"),
        ("server-only", "no-client-auth"),
    ],
)
def test_the_reason_of_each_certificate(name: str, reason: str | None, pki: Any) -> None:
    assert look(pki, name).reason == reason


def test_the_chain_runs_from_the_leaf_to_the_root(pki: Any) -> None:
    names = [user_name(c) for c in look(pki, "carol").chain]
    assert names == ["carol", "second-intermediate", "intermediate", "root"]


def test_without_its_intermediate_a_certificate_is_untrusted(pki: Any) -> None:
    assert look(pki, "bob", others=("root",)).reason == "untrusted"


def test_an_extension_given_twice_refuses_its_certificate_and_raises_nothing(pki: Any) -> None:
    data = pki["alice"].public_bytes(Encoding.DER)
    extended_key_usage, basic_constraints = b"\x06\x03\x55\x1d\x25", b"\x06\x03\x55\x1d\x13"
    assert extended_key_usage in data
    twice = load_der_x509_certificate(data.replace(extended_key_usage, basic_constraints))
    assert examine(pki["bob"], [twice], [pki["root"]], pki.now).reason == "untrusted"
    assert examine(twice, [], [pki["root"]], pki.now).reason == "untrusted"
    assert "cannot be read" in examine(twice, [], [pki["root"]], pki.now).message


def test_a_root_that_the_client_sends_is_no_root(pki: Any) -> None:
    assert look(pki, "mallory", others=("other-root",)).reason == "untrusted"


def test_a_client_certificate_issues_nothing(pki: Any) -> None:
    pki.issue("forged", "alice")
    assert look(pki, "forged", others=("alice",)).reason == "untrusted"


def test_an_issuer_of_the_same_name_with_another_key_does_not_count(pki: Any) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    pki.keys["impostor"] = ec.generate_private_key(ec.SECP256R1())
    pki.certificates["impostor"] = pki["root"]  # its name, not its key
    pki.issue("victim", "impostor")
    assert look(pki, "victim").reason == "untrusted"


def test_an_intermediate_that_has_expired_is_told(pki: Any) -> None:
    pki.issue("old", "root", authority=True, days=(-9, -2))
    pki.issue("dora", "old")
    finding = look(pki, "dora", others=("old",))
    assert (finding.reason, "old" in finding.message) == ("expired", True)


def test_time_decides(pki: Any) -> None:
    assert look(pki, "alice", days=31).reason == "expired"
    assert look(pki, "future", days=6).reason is None


def test_two_authorities_that_issued_each_other_end_the_search(pki: Any) -> None:
    pki.issue("ring", authority=True)
    pki.issue("loop", "ring", authority=True)
    pki.certificates["ring-again"] = pki.issue("ring", "loop", authority=True)
    pki.issue("lost", "loop")
    assert look(pki, "lost", others=("loop", "ring-again", "ring")).reason == "untrusted"


def test_a_thumbprint_is_40_upper_case_digits(pki: Any) -> None:
    assert len(thumbprint(pki["alice"])) == 40
    assert thumbprint(pki["alice"]) == thumbprint(pki["alice"]).upper()
