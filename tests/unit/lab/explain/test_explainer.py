"""The sentence of an explanation, and what is asked about."""

from __future__ import annotations

import pytest

from lab.errors import UsageError
from lab.explain.dial import judge
from lab.explain.explainer import goal_of, sentence
from lab.explain.goal import Goal
from lab.explain.model import Explanation, lines
from tests.unit.lab.explain.test_dial import DROPPED, attempt, followed, record


def test_the_sentence_is_about_the_protocol_that_came_furthest() -> None:
    way = followed("alice", dropped=DROPPED)
    blocked = judge(attempt(reason="no-answer", followed=(way,)))
    revoked = judge(attempt(protocol="SSTP", record=record("revoked")))
    chains = (blocked, revoked)
    text = sentence("alice", chains)
    assert text.startswith("alice is not connected: SSTP: the certificate")
    assert "IkeV2: udp/500 to 203.0.113.2 is dropped" in text
    data = Explanation("alice", text, chains).as_data()
    assert data["layer"] == "revocation"
    assert any(line.strip().startswith("change: ") for line in lines(data))


def test_a_goal_is_a_host_and_a_port() -> None:
    assert goal_of("app1:80") == Goal("tcp", "app1", 80)
    assert goal_of("dns1:udp/53") == Goal("udp", "dns1", 53)
    assert goal_of("app1") == Goal("icmp", "app1")
    for wrong in ("app1:http", ":80", "app1:sctp/80", "app1:70000", "app1:0"):
        with pytest.raises(UsageError, match="HOST:PORT"):
            goal_of(wrong)
