"""Servers' own words; the lines are as FreeRADIUS 3.2.1, ntlm_auth and winbindd 4.17 write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.reasons import REASONS, bare, of_chap_error, of_reply


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
