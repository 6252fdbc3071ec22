"""Why a gateway has not learnt what a site should announce."""

from __future__ import annotations

from dataclasses import replace

from lab.explain.bgp import BgpSeen, learnt
from lab.world import Deed

SEEN = BgpSeen("192.168.50.1", "Connecting", ())
FAULT = Deed(0.0, "fault", "bgp-down", "fault bgp-down", "no BGP", "office")


def test_a_session_that_is_down_is_told_with_the_fault_that_ended_it() -> None:
    found = learnt(SEEN, "office", ["192.168.50.0/24"], [FAULT])
    assert found.layer == "s2s"
    assert "192.168.50.1 of office is Connecting: BGP ended there at 1970" in found.cause
    for others in ([], [replace(FAULT, place="branch")], [FAULT, replace(FAULT, verb="endFault")]):
        assert "ended" not in learnt(SEEN, "office", [], others).cause


def test_what_is_missing_is_told_of_a_session_that_stands() -> None:
    stands = BgpSeen("192.168.50.1", "Connected", ("192.168.50.128/25",))
    found = learnt(stands, "office", ["192.168.50.0/24"], [])
    assert found.layer == "route"
    assert found.cause.endswith("of office: 192.168.50.0/24 missing")
    assert learnt(stands, "office", [], []).cause.endswith("more than was expected")
