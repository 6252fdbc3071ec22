"""openvpn's log lines as refusals; the lines are openvpn 2.6.14's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.openvpn.handshakes import Handshakes

PEER = "203.0.113.1:45594"


@pytest.mark.parametrize(
    ("text", "user", "serial", "reason"),
    [
        (
            "VERIFY ERROR: depth=0, error=certificate has expired: CN=expired, serial=33",
            "expired",
            "33",
            "expired",
        ),
        (
            "VERIFY ERROR: depth=0, error=certificate is not yet valid: O=Contoso, CN=f, serial=4",
            "",
            "4",
            "not-yet-valid",
        ),
        (
            "VERIFY ERROR: depth=0, error=unable to get local issuer certificate: CN=m, serial=-1",
            "m",
            "-1",
            "untrusted",
        ),
        (
            "VERIFY ERROR: depth=1, error=self-signed certificate in chain: CN=r, serial=9",
            "",
            "",
            "untrusted",
        ),
        (
            "VERIFY ERROR: depth=0, error=unsuitable certificate purpose: CN=noeku, serial=3",
            "noeku",
            "3",
            "no-client-auth",
        ),
        (
            "VERIFY ERROR: depth=1, error=unsuitable certificate purpose: CN=i, serial=3",
            "",
            "",
            "untrusted",
        ),
        ("VERIFY ERROR: depth=0, error=something else: CN=x, serial=3", "x", "3", "untrusted"),
        (
            "VERIFY ERROR: depth=0, could not extract X509 subject string from certificate",
            "",
            "",
            "refused",
        ),
        (
            "OpenSSL: error:0A0000C7:SSL routines::peer did not return a certificate:",
            "",
            "",
            "no-certificate",
        ),
        ("OpenSSL: error:0A000102:SSL routines::unsupported protocol:", "", "", "tls"),
        ("OpenSSL: error:0A0000C1:SSL routines::no shared cipher:", "", "", "tls"),
    ],
)
def test_each_line_gives_its_reason(text: str, user: str, serial: str, reason: str) -> None:
    refusal = Handshakes().feed(f"{PEER} {text}")
    assert refusal
    assert (refusal.address, refusal.user, refusal.serial, refusal.reason) == (
        "203.0.113.1", user, serial, reason,
    )  # fmt: skip


def test_an_empty_subject_is_refused_by_openvpn_itself() -> None:
    text = "VERIFY ERROR: depth=0, could not extract X509 subject string from certificate"
    refusal = Handshakes().feed(f"{PEER} {text}")
    assert refusal
    said = f"openvpn takes no certificate with an empty subject: {text}"
    assert refusal.message == said


def test_a_possibly_truncated_line_gives_no_client_data() -> None:
    for end in ("", ", serial=7"):
        text = f"VERIFY ERROR: depth=0, error=certificate has expired: CN={'ü' * 600}{end}"
        refusal = Handshakes().feed(f"{PEER} {text}")
        assert refusal
        assert (refusal.user, refusal.serial, refusal.reason) == ("", "", "expired")


_NAMES = st.one_of(
    st.text(st.characters(exclude_characters="\n")),
    st.lists(
        st.sampled_from([
            "VERIFY ERROR: ", "depth=0, ", "error=revoked: ", "error=", ", serial=7", "CN=bob",
            ", ", "O=x", "+", "9.9.9.9:1 ", "/", PEER + " ", "OpenSSL: error:0A0000C7:SSL ",
            "routines::no shared cipher", ":",
        ])
    ).map("".join),
)  # fmt: skip


@given(name=_NAMES, more=st.booleans())
def test_a_name_is_the_true_one_or_empty_and_the_reason_is_openvpns(
    name: str, *, more: bool
) -> None:
    """As openvpn prints a subject: it escapes no comma."""
    subject = f"O=Contoso, CN={name}" if more else f"CN={name}"
    line = f"{PEER} VERIFY ERROR: depth=0, error=certificate has expired: {subject}, serial=33"
    refusal = Handshakes().feed(line)
    assert refusal
    assert (refusal.address, refusal.reason, refusal.serial) == ("203.0.113.1", "expired", "33")
    assert refusal.user in ("", name)


@given(_NAMES)
def test_client_text_in_a_line_never_yields_a_refusal(name: str) -> None:
    """Client text comes after openvpn's; unlike the serial number, a name is never the prefix."""
    for line in (
        f"{PEER} VERIFY OK: depth=0, CN={name}, serial=33",
        f"{PEER} peer info: IV_GUI_VER={name}",
        f"0xAB12/{PEER} VERIFY ERROR: depth=0, error=certificate has expired: CN={name}, serial=3",
    ):
        assert Handshakes().feed(line) is None


def test_a_connection_is_refused_once() -> None:
    handshakes = Handshakes()
    line = "VERIFY ERROR: depth=0, error=certificate has expired: CN=e, serial=3"
    assert handshakes.feed(f"{PEER} {line}")
    assert not handshakes.feed(
        f"{PEER} OpenSSL: error:0A000102:SSL routines::unsupported protocol:"
    )
    assert handshakes.feed(f"203.0.113.1:45595 {line}")


ACCEPTED = f"TCP connection established with [AF_INET]{PEER}"


@pytest.mark.parametrize("before", ["", "203.0.113.9:1111 "])
def test_a_connection_begins_when_openvpn_accepts_it(
    before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """openvpn prefixes the line with the connection that it served before."""
    handshakes = Handshakes()
    address, _, port = PEER.partition(":")
    line = f"{PEER} VERIFY ERROR: depth=0, error=certificate has expired: CN=e, serial=3"
    for time in ("12:00", "13:00"):
        monkeypatch.setattr("gateway.openvpn.handshakes.now", lambda time=time: time)
        handshakes.feed(before + ACCEPTED)
        refusal = handshakes.feed(line)
        assert refusal  # the second connection from that port is refused, too
        assert (refusal.address, refusal.port) == (address, port)
        assert handshakes.began(address, port) == time
    assert handshakes.began(address, "1") == ""


@given(_NAMES)
def test_client_text_never_begins_a_connection(name: str) -> None:
    handshakes = Handshakes()
    handshakes.feed(f"{PEER} VERIFY OK: depth=0, CN={name}{ACCEPTED}")
    handshakes.feed(f"{PEER} peer info: IV_GUI_VER={name} {ACCEPTED}")
    assert handshakes.began(*PEER.split(":")) == ""


@pytest.mark.parametrize(
    "line",
    [
        f"{PEER} TLS Error: TLS handshake failed",
        f"alice/{PEER} Connection reset, restarting [0]",
        "VERIFY ERROR: depth=0, error=certificate has expired: CN=e",
        "",
    ],
)
def test_other_lines_are_ignored(line: str) -> None:
    assert Handshakes().feed(line) is None


@given(st.text(max_size=120))
def test_no_line_makes_it_raise(text: str) -> None:
    Handshakes().feed(f"{PEER} {text}")
    Handshakes().feed(text)


@pytest.mark.parametrize(("error", "other"), [("certificate signature failure", True),
                                              ("certificate has expired", False)])  # fmt: skip
def test_an_issuer_of_the_right_name_with_another_key_is_told(error: str, other: bool) -> None:
    for depth in (0, 1):
        line = f"192.0.2.1:1234 VERIFY ERROR: depth={depth}, error={error}: CN=x, serial=3"
        found = Handshakes().feed(line)
        assert found
        assert found.of_another_key == other
