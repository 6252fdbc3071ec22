"""Where on the way a dial ended that nobody answered."""

from __future__ import annotations

from lab.explain.follow import Dropped
from tests.unit.lab.explain.test_dial import PATH, attempt, broken, followed


def test_a_rule_that_drops_is_quoted_with_its_node() -> None:
    way = followed(
        "alice", "hotel", dropped=Dropped("hotel", "chain let_out", "policy drop after: no rule")
    )
    found = broken(attempt(reason="no-answer", followed=(way,)))
    assert found.layer == "firewall"
    assert found.cause == "udp/500 to 203.0.113.2 is dropped by the firewall of hotel"
    assert found.proof[0] == "hotel, chain let_out: policy drop after: no rule"


def test_a_packet_that_does_not_arrive_is_lost_between_two_nodes() -> None:
    found = broken(attempt(reason="no-answer", followed=(followed("alice", "hotel"),)))
    assert found.layer == "underlay"
    assert "seen at hotel and did not arrive at internet" in found.cause


def test_a_packet_that_never_left_is_not_called_dropped() -> None:
    way = followed(result="Network is unreachable")
    found = broken(attempt(reason="no-answer", followed=(way,)))
    assert found.layer == "underlay"
    assert "left alice: Network is unreachable" in found.cause


def test_nobody_listens_at_the_gateway() -> None:
    found = broken(attempt(reason="no-answer", followed=(followed(*PATH),),
                           listens={"udp/500": False, "udp/4500": True}))  # fmt: skip
    assert found.layer == "gateway-down"
    assert "listens on udp/500" in found.cause


def test_a_name_that_is_not_resolved_comes_first() -> None:
    found = broken(attempt(reason="no-answer", resolved=(), nameservers=("192.0.2.53",)))
    assert found.layer == "name"
    assert "192.0.2.53" in found.cause


def test_a_dial_of_which_nobody_has_a_record_blames_no_radius_server() -> None:
    found = broken(attempt(reason="refused", message="write: Broken pipe"))
    assert found.layer == "gateway-down"
    assert "the client: write: Broken pipe" in found.proof
