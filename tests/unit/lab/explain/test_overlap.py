"""Two routes to one address are shown side by side."""

from __future__ import annotations

import json
from typing import Any

from lab.explain.model import Finding
from lab.explain.overlap import Row, overlap, routes_to
from lab.nodes.base import Completed
from tests.unit.lab.checks.fakes import FakeNode

HOME = Row("10.1.0.0/16", "eth0", "10.1.0.0/16 dev eth0")
TUNNEL = Row("10.1.0.0/16", "tun0", "10.1.0.0/16 dev tun0 metric 1")
DEFAULT = Row("0.0.0.0/0", "eth0", "0.0.0.0/0 via 10.1.0.1 dev eth0")


def found(*rows: Row) -> Finding | None:
    return overlap("10.1.1.4", rows, ("seen",), taken="eth0", tunnel="tun0", access="home")


def test_the_more_telling_route_of_each_is_shown() -> None:
    told = found(DEFAULT, TUNNEL, HOME)
    assert told
    assert "10.1.0.0/16 of home overlaps 10.1.0.0/16 of the tunnel" in told.cause
    assert told.cause.endswith("the prefix of the client's own network is as long")
    assert told.proof == (
        "the route of home: 10.1.0.0/16 dev eth0",
        "the route of the tunnel: 10.1.0.0/16 dev tun0 metric 1",
        "seen",
    )


def test_a_longer_prefix_wins() -> None:
    told = found(TUNNEL, Row("10.1.1.0/24", "eth0", ""))
    assert told
    assert told.cause.endswith("is longer")


def test_where_only_one_has_a_route_nothing_overlaps() -> None:
    assert found(DEFAULT, TUNNEL) is None
    assert found(HOME, DEFAULT) is None
    assert found() is None


async def test_routes_are_read_as_the_kernel_tells_them() -> None:
    rows: list[dict[str, Any]] = [
        {"dst": "default", "gateway": "10.1.0.1", "dev": "eth0", "metric": 100},
        {"type": "local", "dst": "10.1.0.10", "dev": "eth0", "table": "local"},
        {"type": "unreachable", "dst": "10.1.0.0/16"},
        {"dst": "10.1.0.0/16", "dev": "ipsec0", "table": "220"},
    ]
    node = FakeNode("alice")
    node.prints["ip"] = Completed(0, json.dumps(rows), "")
    read = await routes_to(node, "10.1.1.4")  # type: ignore[arg-type]
    assert [row.text for row in read] == [
        "0.0.0.0/0 via 10.1.0.1 dev eth0 metric 100",
        "10.1.0.0/16 dev ipsec0 table 220",
    ]


def test_an_address_of_the_client_itself_does_not_leave_it() -> None:
    told = overlap(
        "10.1.1.4", (DEFAULT, TUNNEL, HOME), (), taken="lo", tunnel="tun0", access="home"
    )
    assert told
    assert "10.1.0.0/16 of home overlaps 10.1.0.0/16 of the tunnel" in told.cause
    assert told.cause.endswith("packets do not leave, for it is the client's own address")
