"""What an access network does to a dial comes before what the dial itself says."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from lab.explain.access import Line, Portal, look_at_line, look_for_portal
from lab.explain.dial import judge
from lab.explain.follow import Dropped
from lab.nodes.base import Completed
from lab.topology.planning.specs import PortalSpec
from lab.world import Deed
from tests.unit.lab.checks.fakes import FakeNode
from tests.unit.lab.explain.test_dial import attempt, broken, followed, record

PORTAL = Portal("hotel", "alice", ("302",))
LINE = Line("home", "NO-CARRIER", ())


def test_a_name_server_that_says_something_else() -> None:
    one = attempt(reason="no-answer", resolved=("198.51.100.77",), public=("203.0.113.2",),
                  nameservers=("192.168.77.1",))  # fmt: skip
    found = broken(one)
    assert found.layer == "name"
    assert "nameserver 192.168.77.1" in found.cause
    assert "is 198.51.100.77, and it is 203.0.113.2" in found.cause


def test_an_old_record_in_the_internets_dns() -> None:
    one = attempt(reason="no-answer", resolved=("198.51.100.77",), public=("198.51.100.77",),
                  gateway="203.0.113.2", name="gw.vpn.azure.com",
                  followed=(followed("alice"),))  # fmt: skip
    found = broken(one)
    assert found.layer == "name"
    assert "name gw.vpn.azure.com is 198.51.100.77, and the gateway's public address is" in (
        found.cause
    )
    assert "let the record of gw.vpn.azure.com have 203.0.113.2" in found.remedy
    assert broken(replace(one, gateway="198.51.100.77")).layer == "underlay"
    assert broken(replace(one, gateway="")).layer == "underlay"


@pytest.mark.parametrize(
    ("resolved", "public"), [(("1.1.1.1",), ("1.1.1.1", "2.2.2.2")), (("1.1.1.1",), ())]
)
def test_a_name_server_that_says_the_same_or_of_which_nobody_knows_better(
    resolved: tuple[str, ...], public: tuple[str, ...]
) -> None:
    one = attempt(reason="no-answer", followed=(followed("alice"),), resolved=resolved,
                  public=public)  # fmt: skip
    assert broken(one).layer == "underlay"


def test_a_name_server_that_refuses_the_name() -> None:
    way = followed("alice", answers=["an answer from 192.168.77.1"])
    way = replace(way, what="udp/53 to 192.168.77.1")
    one = attempt(reason="no-answer", resolved=(), public=("203.0.113.2",),
                  nameservers=("192.168.77.1",), followed=(way,))  # fmt: skip
    assert broken(one).layer == "name"
    assert "answers that it has none, though it is 203.0.113.2" in broken(one).cause


def test_a_portal_comes_after_the_name_and_the_line_before_both() -> None:
    lies = {"resolved": ("198.51.100.77",), "public": ("203.0.113.2",)}
    assert broken(attempt(portal=PORTAL)).layer == "portal"
    assert broken(attempt(portal=PORTAL, **lies)).layer == "name"
    assert broken(attempt(portal=PORTAL, line=LINE, **lies)).layer == "underlay"


def test_whom_the_gateway_heard_was_not_led_away() -> None:
    one = attempt(portal=PORTAL, line=LINE, public=("198.51.100.9",), record=record("revoked"))
    assert broken(one).layer == "revocation"
    assert "portal" not in {finding.layer for finding in judge(one).findings}


def test_an_answer_of_the_firewall_is_told() -> None:
    way = followed("alice", "hotel", dropped=Dropped("hotel", "chain blocked", "reject"),
                   answers=["RST from 203.0.113.2"])  # fmt: skip
    found = broken(attempt(reason="no-answer", followed=(way,)))
    assert "is rejected by the firewall of hotel and answered: RST from" in found.cause


def scene(*services: object, past: tuple[Deed, ...] = ()) -> tuple[Any, Any, FakeNode]:
    """A client, a world and the client's router."""
    router = FakeNode("hotel")
    client = SimpleNamespace(name="alice", access=router, node=FakeNode("alice"))
    plan = SimpleNamespace(nodes=[SimpleNamespace(name="hotel", services=services)])
    addresses = {"alice": "192.168.77.10"}
    return client, SimpleNamespace(plan=plan, addresses=addresses, past=past), router


async def test_the_router_knows_who_has_signed_in() -> None:
    client, world, router = scene(PortalSpec("192.168.77.1", "hotel-portal"))
    router.prints["nft"] = Completed(0, "elements = { 192.168.77.11 }", "")
    seen = await look_for_portal(client, world, "203.0.113.2")
    assert seen
    assert seen.seen[0] == "hotel, set signed_in: 192.168.77.11, without 192.168.77.10"
    router.prints["nft"] = Completed(0, "elements = { 192.168.77.11, 192.168.77.10 }", "")
    assert await look_for_portal(client, world, "203.0.113.2") is None


async def test_no_portal_is_looked_for_where_none_is() -> None:
    client, world, router = scene()
    assert await look_for_portal(client, world, "203.0.113.2") is None
    assert router.ran == []


@pytest.mark.parametrize(
    ("flags", "down"),
    [(["UP", "LOWER_UP"], False), (["NO-CARRIER", "UP"], True), (["BROADCAST"], True)],
)
async def test_a_link_without_carrier_is_down(flags: list[str], *, down: bool) -> None:
    deed = Deed(0.0, "fault", "link-down", "fault link-down", "the link of hotel is down")
    client, world, router = scene(past=(deed,))
    state = [{"flags": flags, "operstate": "UP"}]
    router.prints["ip"] = Completed(0, json.dumps(state), "")
    line = await look_at_line(client, world)
    assert (line is not None) == down
    if line:
        assert line.deeds[0].endswith("fault link-down: the link of hotel is down")
