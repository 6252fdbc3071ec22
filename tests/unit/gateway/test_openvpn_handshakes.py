"""openvpn's log lines as refusals; the lines are openvpn 2.6.14's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engines.openvpn_handshakes import Handshakes

PEER = "203.0.113.1:45594"


@pytest.mark.parametrize(
    ("text", "user", "reason"),
    [
        (
            "VERIFY ERROR: depth=0, error=certificate has expired: CN=expired, serial=33",
            "expired",
            "expired",
        ),
        (
            "VERIFY ERROR: depth=0, error=certificate is not yet valid: O=Contoso, CN=f, serial=4",
            "f",
            "not-yet-valid",
        ),
        (
            "VERIFY ERROR: depth=0, error=unable to get local issuer certificate: CN=mallory",
            "mallory",
            "untrusted",
        ),
        (
            "VERIFY ERROR: depth=1, error=self-signed certificate in certificate chain: CN=r",
            "r",
            "untrusted",
        ),
        (
            "VERIFY ERROR: depth=0, error=unsuitable certificate purpose: CN=noeku, serial=3",
            "noeku",
            "no-client-auth",
        ),
        ("VERIFY ERROR: depth=0, error=something else: CN=x, serial=3", "x", "refused"),
        (
            "OpenSSL: error:0A0000C7:SSL routines::peer did not return a certificate",
            "",
            "no-certificate",
        ),
        ("OpenSSL: error:0A000102:SSL routines::unsupported protocol:", "", "refused"),
    ],
)
def test_each_line_tells_its_reason(text: str, user: str, reason: str) -> None:
    refusal = Handshakes().feed(f"{PEER} {text}")
    assert refusal
    assert (refusal.address, refusal.user, refusal.reason) == ("203.0.113.1", user, reason)


def test_a_connection_is_refused_once() -> None:
    handshakes = Handshakes()
    line = "VERIFY ERROR: depth=0, error=certificate has expired: CN=e, serial=3"
    assert handshakes.feed(f"{PEER} {line}")
    assert not handshakes.feed(f"{PEER} OpenSSL: error: unsupported protocol")
    assert handshakes.feed(f"203.0.113.1:45595 {line}")


@pytest.mark.parametrize(
    "line",
    [
        f"{PEER} TLS Error: TLS handshake failed",
        f"alice/{PEER} Connection reset, restarting [0]",
        "VERIFY ERROR: depth=0, error=certificate has expired: CN=e",
        "",
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert Handshakes().feed(line) is None


@given(st.text(max_size=120))
def test_no_line_makes_it_raise(text: str) -> None:
    Handshakes().feed(f"{PEER} {text}")
    Handshakes().feed(text)
