"""A certificate over EAP-TLS is looked at in the worker, whatever a stranger has put into it."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway import trust
from gateway.ppp.events import CertificateAttempt
from gateway.sstpd.certificates import RefusedError, look

SHA256_ECDSA = bytes.fromhex("06082a8648ce3d040302")
UNKNOWN = bytes.fromhex("06082a8648ce3d04037f")
BASIC_CONSTRAINTS, AUTHORITY_KEY = bytes.fromhex("0603551d13"), bytes.fromhex("0603551d23")
KEY_USAGES = bytes.fromhex("0603551d25")
VERSION_3, VERSION_9 = bytes.fromhex("a003020102"), bytes.fromhex("a003020108")


def der(pki: Any, *names: str) -> tuple[bytes, ...]:
    return tuple(pki[name].public_bytes(Encoding.DER) for name in names)


def attempt(*chain: bytes) -> CertificateAttempt:
    return CertificateAttempt("whoever", chain)


def test_a_good_one_is_named_after_itself_with_the_root_it_leads_to(pki_today: Any) -> None:
    shown = look(
        attempt(*der(pki_today, "carol", "second-intermediate", "intermediate")),
        (pki_today["other-root"], pki_today["root"]),
    )
    assert shown.user == "carol"
    assert shown.thumbprint == trust.thumbprint(pki_today["carol"])
    assert shown.root == trust.thumbprint(pki_today["root"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mallory", "untrusted"),
        ("carol", "untrusted"),  # without its intermediates
        ("expired", "expired"),
        ("future", "not-yet-valid"),
        ("server-only", "no-client-auth"),
    ],
)
def test_a_bad_one_is_refused_under_its_own_name(pki_today: Any, name: str, reason: str) -> None:
    with pytest.raises(RefusedError) as caught:
        look(attempt(*der(pki_today, name)), (pki_today["root"],))
    assert caught.value.verdict.reason == reason
    assert caught.value.shown
    assert caught.value.shown.user == name


def strange(pki: Any) -> dict[str, tuple[bytes, ...]]:
    (alice,) = der(pki, "alice")
    (bob, intermediate) = der(pki, "bob", "intermediate")
    return {
        "nothing": (),
        "empty": (b"",),
        "nonsense": (b"\x30\x82\xff\xff" + bytes(64),),
        "cut short": (alice[:-1],),
        "an unknown signature algorithm": (alice.replace(SHA256_ECDSA, UNKNOWN),),
        "an intermediate of nonsense": (bob, b"\x30\x00"),
        "an intermediate of an unknown algorithm": (
            bob,
            intermediate.replace(SHA256_ECDSA, UNKNOWN),
        ),
        "an intermediate with a broken extension": (
            bob,
            intermediate.replace(BASIC_CONSTRAINTS, AUTHORITY_KEY),
        ),
        "an intermediate with an extension twice": (
            bob,
            alice.replace(KEY_USAGES, BASIC_CONSTRAINTS),
        ),
        "a version that there is not": (alice.replace(VERSION_3, VERSION_9),),
    }


@pytest.mark.parametrize(
    "what",
    [
        "nothing",
        "empty",
        "nonsense",
        "cut short",
        "an unknown signature algorithm",
        "an intermediate of nonsense",
        "an intermediate of an unknown algorithm",
        "an intermediate with a broken extension",
        "an intermediate with an extension twice",
        "a version that there is not",
    ],
)
def test_a_strange_one_is_refused_and_nothing_else_happens(pki_today: Any, what: str) -> None:
    with pytest.raises(RefusedError):
        look(attempt(*strange(pki_today)[what]), (pki_today["root"],))
