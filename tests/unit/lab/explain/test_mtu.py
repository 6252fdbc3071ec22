"""Packets that are too large, with and without a word to their sender."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from lab.explain.follow import Dropped, Followed, Sighting
from lab.explain.mtu import narrowest, too_large
from lab.nodes.base import Completed

PATH = ("alice", "home", "internet")
MTUS = {"eth0": 1500, "wan": 1400}
SILENT = Dropped("home", "chain silent", "icmp code frag-needed drop", "p2slab", "access")


class Node:
    async def run(self, argv: list[str]) -> Completed:
        if "route" in argv:
            return Completed(0, "via 192.168.77.1 mtu 1400", "")
        return Completed(0, json.dumps([{"mtu": MTUS[argv[-1]]}]), "")


def world(*names: str) -> Any:
    def end(node: str, interface: str) -> Any:
        return SimpleNamespace(node=node, interface=interface)

    cables = [
        SimpleNamespace(a=end("home", "lan0"), b=end("alice", "eth0")),
        SimpleNamespace(a=end("internet", "net0"), b=end("home", "wan")),
    ]
    nodes = {name: Node() for name in PATH}
    return SimpleNamespace(nodes=nodes, plan=SimpleNamespace(links=cables))


def lost(**fields: Any) -> Followed:
    seen = [Sighting("alice", "eth0", leaving=True, at=1.0, text="")]
    return Followed("icmp of 1500 bytes to 1.1.1.1", "1.1.1.1", PATH, 1.0, seen, **fields)


async def test_the_link_that_takes_least() -> None:
    assert await narrowest(PATH, world()) == ("wan of home to internet", 1400)
    assert await narrowest(PATH[:2], world()) is None


async def test_a_black_hole_has_the_rule_that_makes_it() -> None:
    found = await too_large(lost(silenced=SILENT), 1500, (), world())
    assert found
    assert found.layer == "mtu"
    assert "too large for the link wan of home to internet, which takes 1400 bytes" in found.cause
    assert "home drops the ICMP message" in found.cause
    assert "frag-needed drop" in found.proof[0]


async def test_a_sender_that_is_told() -> None:
    words = "ICMP fragmentation needed from 192.168.77.1 (the link takes 1400 bytes)"
    by_router = await too_large(lost(answers=[words]), 1500, (), world())
    own = "ping: local error: message too long, mtu=1400"
    by_kernel = await too_large(lost(result=own), 1500, (), world())
    for found in (by_router, by_kernel):
        assert found
        assert "their sender is told" in found.cause
    assert by_kernel
    assert "1400 bytes at most" in by_kernel.cause


async def test_a_packet_larger_than_the_tunnel_takes() -> None:
    own = "ping: local error: message too long, mtu=1400"
    way = Followed("icmp", "10.1.1.4", ("alice", "gw"), 1.0, result=own)
    found = await too_large(way, 1500, PATH, world())
    assert found
    assert "too large for the tunnel of alice itself, which takes 1400 bytes" in found.cause


async def test_what_is_lost_for_another_reason() -> None:
    assert await too_large(lost(result="100% packet loss"), 1500, (), world()) is None
