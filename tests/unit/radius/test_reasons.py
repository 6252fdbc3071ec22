"""Servers' own words; the lines are as FreeRADIUS 3.2.1, ntlm_auth and winbindd 4.17 write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.reasons import REASONS, bare, of_chap_error, of_reply, refusals, telling


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
def test_ms_chap_error_in_words(said: str, reason: str, number: int) -> None:
    assert of_chap_error(b"\x07" + said.encode()) == (reason, number)


def test_without_an_error_the_message_speaks() -> None:
    assert of_reply(None, "The second factor was denied")[0] == "second-factor-denied"
    assert of_reply(None, "")[0] == "refused"


@given(st.binary(max_size=253))
def test_any_error_is_some_reason(value: bytes) -> None:
    assert of_chap_error(value)[0] in REASONS


def test_a_user_is_told_by_the_bare_name() -> None:
    assert {
        bare(name) for name in ("alice", "CORP\\alice", "CORP\\\\alice", "alice@corp.test")
    } == {"alice"}


FREERADIUS = """\
Wed Nov 25 01:49:24 2026 : Auth: (2) Login OK: [alice] (from client gateway0 port 7 cli 192.0.2.9)
Wed Nov 25 01:49:25 2026 : ERROR: (4) mschap: ERROR: Program returned code (1) and output 'x'
Wed Nov 25 01:49:25 2026 : Auth: (4) Login incorrect (mschap: MS-CHAP2-Response is incorrect): \
[alice] (from client gateway0 port 0 cli 192.0.2.9)
Wed Nov 25 01:49:25 2026 : Auth: (5) Login incorrect (mschap: Program returned code (1) and output \
'The user account has been automatically locked because too many invalid logon attempts or \
password change attempts have been requested. (0xc0000234)'): [CORP\\\\frank] (from client g port 0)
Wed Nov 25 01:49:25 2026 : Auth: (6) Login incorrect (mschap: Program returned code (1) and output \
'The user account has expired. (0xc0000193)'): [dave@corp.test] (from client gateway0 port 7)
Wed Nov 25 01:49:25 2026 : Auth: (29) Login incorrect (eap_tls: (TLS) OpenSSL says error 23 : \
certificate revoked): [bob] (from client gateway0 port 0 cli 192.0.2.9)
Wed Nov 25 01:49:26 2026 : Auth: (31) Login incorrect (mschap: Program returned code (1) and output\
 'The attempted logon is invalid. This is either due to a bad username or authentication \
information. (0xc000006d)'): [erin] (from client gateway0 port 7 cli 192.0.2.9)
Wed Nov 25 01:49:27 2026 : Auth: (32) Login incorrect: [zoe] (from client gateway0 port 7)
"""
WINBIND = """\
_wbint_PamAuthCrap: [71]: pam auth crap domain: CORP user: erin
_wbint_PamAuthCrap: User erin is not in the required groups:
CRAP authentication is rejected
"""


def test_freeradius_log_in_words() -> None:
    assert [(found.user, found.reason) for found in refusals(FREERADIUS)] == [
        ("alice", "password"),
        ("frank", "locked-out"),
        ("dave", "account-expired"),
        ("bob", "certificate-revoked"),
        ("erin", "password"),
        ("zoe", "refused"),
    ]


def test_the_log_that_knows_more_is_believed() -> None:
    logs = [list(refusals(FREERADIUS)), list(refusals(WINBIND))]
    for user, reason in (("erin", "not-in-group"), ("CORP\\Alice", "password"),
                         ("frank@corp.test", "locked-out")):  # fmt: skip
        found = telling(user, logs)
        assert found is not None
        assert found.reason == reason
    assert telling("nobody", logs) is None


@given(st.text())
def test_whatever_stands_in_a_log_never_raises(log: str) -> None:
    assert all(found.reason in REASONS for found in refusals(log))
