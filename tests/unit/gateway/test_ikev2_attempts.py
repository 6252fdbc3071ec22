"""charon's log as attempts; the lines are strongSwan 5.9.8's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.engines.ikev2_attempts import Attempt, Attempts, common_name, subject
from gateway.engines.vici_messages import LogLine

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BEGIN = (
    "203.0.113.1 is initiating an IKE_SA",
    'received end entity cert "CN=alice"',
)
END = "generating IKE_AUTH response 1 [ N(AUTH_FAILED) ]"


def run(*lines: str) -> Attempt | None:
    attempts = Attempts(lambda: NOW)
    told = [attempts.feed(LogLine("IKE", "1", line)) for line in lines]
    found = [attempt for attempt in told if attempt]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('no issuer certificate found for "CN=alice"', "untrusted"),
        (
            "subject certificate invalid (valid from Nov 14 12:32:19 2026 to Nov 23 12:32:19 2026)",
            "expired",
        ),
        (
            "subject certificate invalid (valid from Nov 29 12:32:19 2026 to Dec 24 12:32:19 2026)",
            "not-yet-valid",
        ),
        ("certificate was revoked on Nov 24 12:00:00 UTC 2026, reason: unspecified", "revoked"),
        ("no virtual IP found for %any requested by 'CN=alice'", "no-address"),
        ("received proposals unacceptable", None),
    ],
)
def test_a_refusal_has_who_where_and_why(line: str, reason: str | None) -> None:
    attempt = run(*BEGIN, line, END)
    assert attempt
    assert (attempt.address, attempt.subject) == ("203.0.113.1", "CN=alice")
    assert attempt.reason == reason
    assert attempt.message


def test_an_eap_tls_client_is_refused_by_an_alert() -> None:
    attempt = run(
        BEGIN[0],
        "received TLS peer certificate 'CN=bob'",
        'no issuer certificate found for "CN=bob"',
        "sending fatal TLS alert 'certificate unknown'",
        "parsed INFORMATIONAL request 7 [ N(AUTH_FAILED) ]",
    )
    assert attempt
    assert (attempt.subject, attempt.reason) == ("CN=bob", "untrusted")


def test_what_is_over_is_not_refused_again() -> None:
    attempts = Attempts(lambda: NOW)
    attempts.of("1").over = True
    assert attempts.feed(LogLine("ENC", "1", END)) is None


def asks(attempts: Attempts, uniqueid: str, certificate: str) -> None:
    attempts.feed(LogLine("CFG", uniqueid, f'checking certificate status of "{certificate}"'))
    attempts.feed(
        LogLine("CFG", uniqueid, "  requesting ocsp status from 'http://127.0.0.1:1/again' ...")
    )


def test_who_asks_first_about_an_authority_is_told_first_and_once() -> None:
    attempts = Attempts(lambda: NOW)
    attempts.of("1")
    asks(attempts, "2", "CN=Users CA")
    asks(attempts, "1", "CN=Users CA")
    asks(attempts, "3", "CN=Other CA")
    claimed = [attempts.claim("CN=Users CA") for _ in range(3)]
    assert [claim and claim.uniqueid for claim in claimed] == ["2", "1", None]


def test_who_has_an_answer_no_longer_asks() -> None:
    attempts = Attempts(lambda: NOW)
    asks(attempts, "1", "CN=Users CA")
    attempts.feed(LogLine("CFG", "1", '  ocsp response correctly signed by "CN=x"'))
    assert attempts.claim("CN=Users CA") is None


def test_lines_outside_an_ike_sa_tell_nothing() -> None:
    assert Attempts(lambda: NOW).feed(LogLine("CFG", "", END)) is None


@pytest.mark.parametrize(
    ("parts", "printed"),
    [
        ([(NameOID.COMMON_NAME, "alice")], "CN=alice"),
        (
            [
                (NameOID.COUNTRY_NAME, "CH"),
                (NameOID.ORGANIZATION_NAME, "A"),
                (NameOID.COMMON_NAME, "b"),
            ],
            "C=CH, O=A, CN=b",
        ),
        ([(NameOID.COMMON_NAME, "é")], "CN=??"),
        ([(NameOID.EMAIL_ADDRESS, "a@b.c")], "E=a@b.c"),
    ],
)
def test_a_subject_is_written_as_charon_prints_it(parts: Any, printed: str) -> None:
    assert subject(x509.Name([x509.NameAttribute(*part) for part in parts])) == printed


def test_the_common_name_is_found_in_it() -> None:
    assert common_name("O=Contoso, CN=alice, E=a@b") == "alice"
    assert common_name("O=Contoso") == "O=Contoso"


@given(st.lists(st.text(max_size=60), max_size=5))
def test_no_line_makes_it_raise(lines: list[str]) -> None:
    attempts = Attempts(lambda: NOW)
    for line in lines:
        attempts.feed(LogLine("IKE", "1", line))
