"""Whose rule dropped a packet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.explain.blame import all_blocked, blocked, whose
from lab.explain.follow import Dropped, Followed, Sighting
from lab.topology.planning.wiring import INTERNET


@pytest.mark.parametrize(
    ("dropped", "words"),
    [
        (Dropped("hotel", "chain let_out", "policy drop", "p2slab", "access"),
         "the firewall of hotel"),
        (Dropped("app1", "chain arriving", "drop", "p2slab", "host"), "app1's own firewall"),
        (Dropped("app1", "chain inbound", 'tcp dport 80 drop comment "no-web"',
                 "network_security_group", "host"),
         "the rule 'no-web' of the network security group of app1's subnet"),
        (Dropped("app1", "chain inbound", "policy drop after: x", "network_security_group", "host"),
         "the default rule DenyAllInBound of the network security group of app1's subnet"),
        (Dropped("internet", "chain lost", "drop", "fault-s2s-cut", "internet"),
         "the firewall of internet, because of the fault s2s-cut"),
        (Dropped("gw", "chain forward", "policy drop", "p2slab_gateway", "gateway"),
         "the gateway gw, whose rules forward nothing else"),
    ],
)  # fmt: skip
def test_the_owner_of_a_rule(dropped: Dropped, words: str) -> None:
    assert whose(dropped) == words


def crossing(source: str, kind: str = "gateway") -> Followed:
    seen = [Sighting(INTERNET, "net0", leaving=True, at=1.0, text="x", source=source)]
    dropped = Dropped("gw", "chain outside", "drop", "p2slab_gateway", kind)
    return Followed("tcp/443 to 203.0.113.2", "203.0.113.2", ("alice", INTERNET, "gw"), 1.0, seen,
                    dropped=dropped)  # fmt: skip


def test_a_private_source_on_the_internet_is_missing_translation() -> None:
    found = blocked(crossing("192.168.80.10"))
    assert found.layer == "nat"
    assert "192.168.80.10, a private address" in found.cause
    assert blocked(crossing("192.0.2.2")).layer == "firewall"
    assert blocked(crossing("192.168.80.10", "site")).layer == "firewall"


def test_all_that_is_dropped_is_named_once() -> None:
    one = crossing("192.0.2.2")
    other = replace(one, what="udp/500 to 203.0.113.2")
    assert all_blocked([one, one]).cause == blocked(one).cause
    found = all_blocked([one, other])
    assert found.cause == f"{blocked(one).cause}; {blocked(other).cause}"
    assert found.remedy == f"{blocked(one).remedy}; {blocked(other).remedy}"
    assert {*blocked(one).proof, *blocked(other).proof} == {*found.proof}
    assert len(found.proof) == len({*found.proof})
