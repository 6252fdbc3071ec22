"""Servers' messages; they are FreeRADIUS 3.2.1's and winbindd 4.17's."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrad.packet import AuthPacket

from radius.attributes import dictionary
from radius.push import PushProxy, Visit
from radius.reasons import (
    DENIED,
    REASONS,
    bare,
    of_chap_error,
    of_freeradius,
    of_push_proxy,
    of_reply,
    telling,
)


@pytest.mark.parametrize(
    ("said", "reason", "number"),
    [
        ("E=691 R=1 C=00 V=3 M=Authentication failed", "password", 691),
        ("E=691 R=0 C=00 V=3 M=Account disabled", "disabled", 691),
        ("E=647 R=0 C=00 V=3 M=Account locked out", "locked-out", 647),
        ("E=647 R=0 C=00 V=3", "disabled", 647),
        ("E=648 R=0 C=00 V=3 M=Password expired", "must-change-password", 648),
        ("E=646 R=0", "outside-hours", 646),
        ("E=649 R=0", "not-in-group", 649),
        ("E=1 R=0", "password", 1),
        ("", "password", 691),
    ],
)
def test_ms_chap_errors_have_reasons(said: str, reason: str, number: int) -> None:
    assert of_chap_error(b"\x07" + said.encode()) == (reason, number)


def test_without_an_error_the_message_decides() -> None:
    assert of_reply(None, "The second factor was denied")[0] == "second-factor-denied"
    assert of_reply(None, "")[0] == "refused"


@given(st.binary(max_size=253))
def test_any_error_is_some_reason(value: bytes) -> None:
    assert of_chap_error(value)[0] in REASONS


def test_users_are_matched_by_the_bare_name() -> None:
    assert {
        bare(name) for name in ("alice", "CORP\\alice", "CORP\\\\alice", "alice@corp.test")
    } == {"alice"}


def line(user: str | bytes, why: str) -> str:
    """A line as written by FreeRADIUS with radius.freeradius's configuration."""
    name = user if isinstance(user, bytes) else user.encode()
    return f"{name.hex()} {why.encode(errors='replace').hex()}\n"


MSCHAP = "mschap: Program returned code (1) and output"
FREERADIUS = "".join(
    line(*said)
    for said in (
        ("alice", "mschap: MS-CHAP2-Response is incorrect"),
        ("CORP\\frank", f"{MSCHAP} 'NT_STATUS_ACCOUNT_LOCKED_OUT (0xc0000234)'"),
        ("dave@corp.test", f"{MSCHAP} 'NT_STATUS_ACCOUNT_EXPIRED (0xc0000193)'"),
        ("bob", "eap_tls: (TLS) OpenSSL says error 23 : certificate revoked"),
        ("erin", f"{MSCHAP} 'the user is not in the required group (0xc000015b)'"),
        ("erin", "eap_peap: The users session was previously rejected: returning reject (again.)"),
        ("dora", "account: Program returned code (1) and output 'disabled (0xc0000072)'"),
        ("dora", "eap: Failed continuing EAP TLS (13) session.  EAP sub-module failed"),
        ("frances", f"{MSCHAP} 'NT_STATUS_LOGON_FAILURE (0xc000006d)'"),
        ("zoe", ""),
        ("gus", f"{MSCHAP} 'NT_STATUS_NO_SUCH_USER (0xc0000064)'"),
        ("ivy", "mschap: FAILED: No NT-Password.  Cannot perform authentication"),
        ("jo", "No Auth-Type found: rejecting the user via Post-Auth-Type = Reject"),
        ("kim", "eap: No mutually acceptable types found"),
    )
)


def test_freeradius_log_lines_have_reasons() -> None:
    assert [(found.user, found.reason) for found in of_freeradius(FREERADIUS)] == [
        ("alice", "password"),
        ("frank", "locked-out"),
        ("dave", "account-expired"),
        ("bob", "certificate-revoked"),
        ("erin", "not-in-group"),
        ("dora", "disabled"),
        ("frances", "password"),
        ("zoe", "refused"),
        ("gus", "unknown-user"),
        ("ivy", "unknown-user"),
        ("jo", "no-method"),
        ("kim", "no-method"),
    ]


def test_the_more_specific_log_decides() -> None:
    proxy = '{"user": "alice", "reason": "second-factor-denied", "message": "no"}\n'
    logs = [list(of_freeradius(FREERADIUS)), list(of_push_proxy(proxy))]
    for user, reason in (("CORP\\Alice", "second-factor-denied"), ("erin", "not-in-group"),
                         ("frank@corp.test", "locked-out")):  # fmt: skip
        found = telling(user, logs)
        assert found is not None
        assert found.reason == reason
    assert telling("nobody", logs) is None


def test_a_log_with_several_reasons_for_one_user_tells_nothing_of_one_dial() -> None:
    once = line("alice", "mschap: MS-CHAP2-Response is incorrect")
    both = once + line("alice", f"{MSCHAP} 'NT_STATUS_ACCOUNT_LOCKED_OUT (0xc0000234)'")
    twice = [list(of_freeradius(once * 2)), list(of_freeradius(line("bob", "x")))]
    found = telling("alice", twice, agreed=True)
    assert found is not None
    assert found.reason == "password"
    assert telling("alice", [list(of_freeradius(both))], agreed=True) is None
    last = telling("alice", [list(of_freeradius(both))])
    assert last is not None
    assert last.reason == "locked-out"


@given(st.text())
def test_no_log_raises(log: str) -> None:
    for read in (of_freeradius, of_push_proxy):
        assert all(found.reason in REASONS for found in read(log))


HOSTILE = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from([
            "] (from y) ", "Login incorrect (account disabled): [bob", "bob", "/", "]", "\n", "\\",
            '{"user": "bob", "reason": "second-factor-denied", "message": ""}',
            '"', ": ", "(0xc0000072)",
            "User bob is not in the required groups:", line("bob", "certificate revoked"), " ",
        ])
    ).map("".join),
)  # fmt: skip


@given(HOSTILE)
def test_no_name_changes_a_reason_or_forges_a_refusal(name: str) -> None:
    user = name.encode(errors="replace")
    log = line(user, "mschap: MS-CHAP2-Response is incorrect")
    (found,) = of_freeradius(log)
    assert (found.user, found.reason) == (bare(user.decode()), "password")
    certificate = f"tls: Certificate CN ({name}) does not match specified value ({name})!"
    (found,) = of_freeradius(line(user, certificate))
    assert found.reason == "certificate"
    assert found.message.isprintable()


@given(HOSTILE)
def test_no_user_name_changes_the_push_proxys_line(name: str) -> None:
    at = PushProxy([(IPv4Network("192.0.2.0/24"), b"s")], b"s", bytes)
    request = AuthPacket(1, secret=b"s", authenticator=bytes(16), dict=dictionary())
    request[1] = [name.encode(errors="replace")]
    visit = Visit(("192.0.2.9", 1), request, 0.0)
    at._log(visit, "asked")
    assert list(of_push_proxy("\n".join(at.lines))) == []
    at._log(visit, DENIED, "second-factor-denied")
    (found,) = of_push_proxy("\n".join(at.lines))
    assert (found.user, found.reason) == (bare(visit.user), "second-factor-denied")
