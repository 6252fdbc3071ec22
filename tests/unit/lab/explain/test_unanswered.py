"""Where on the way a dial ended that nobody answered."""

from __future__ import annotations

from typing import Any

import pytest

from lab.explain.engines import EngineSeen
from lab.explain.follow import Dropped, Followed
from lab.explain.model import failure
from tests.unit.lab.explain.test_dial import DROPPED, PATH, attempt, broken, followed


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


BLACK_HOLE = failure("mtu", "packets of 1500 bytes are too large", "silent", remedy="")


@pytest.mark.parametrize(
    ("fields", "layer", "first"),
    [
        ({"followed": (followed("alice", dropped=DROPPED),)}, "firewall", "dropped"),
        ({"followed": (followed("alice", "hotel"),)}, "underlay", "did not arrive"),
        ({"listens": {"udp/500": False}}, "gateway-down", "listens on udp/500"),
        ({"resolved": ()}, "name", "is not resolved"),
    ],
)
def test_a_black_hole_behind_another_cause_is_said_second(
    fields: dict[str, Any], layer: str, first: str
) -> None:
    found = broken(attempt(reason="no-answer", black_hole=BLACK_HOLE, **fields))
    assert found.layer == layer
    assert found.cause.index(first) < found.cause.index(BLACK_HOLE.cause)
    assert "silent" in found.proof


def test_a_port_is_said_to_be_closed_behind_a_name_that_is_not_resolved() -> None:
    asked = Followed("udp/53 to 192.0.2.53", "192.0.2.53", PATH, 1.0, [], dropped=DROPPED)
    way = followed("alice", dropped=DROPPED)
    one = attempt(reason="no-answer", resolved=(), nameservers=("192.0.2.53",),
                  followed=(asked, way))  # fmt: skip
    first, _, second = broken(one).cause.partition("; and besides, ")
    assert broken(one).layer == "name"
    assert "udp/53 to 192.0.2.53 is dropped" in first
    assert second.startswith("udp/500 to 203.0.113.2 is dropped")


def test_a_daemon_that_does_not_run_is_named_though_its_port_is_open() -> None:
    seen = EngineSeen("gw", "sstpd", "failed", "sstpd was stopped", {})
    one = attempt(protocol="SSTP", reason="no-answer", followed=(followed(*PATH),),
                  listens={"tcp/443": True}, engine=seen)  # fmt: skip
    assert broken(one).layer == "gateway-down"
    assert broken(one).cause == "sstpd of gw does not run"
