"""What a gateway has not learnt by BGP."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.explain import bgp
from lab.world import Deed
from tests.unit.lab.checks.fakes import FakeGateway, FakeNode

PEER = "192.168.50.1"
CONNECTION = {"properties": {"enableBgp": True}}
LOCAL = {"properties": {"bgpSettings": {"asn": 65010, "bgpPeeringAddress": PEER}}}
BEGUN = Deed(1.0, "fault", "bgp-down", "fault bgp-down", "office speaks no BGP", "office")
ELSEWHERE = Deed(1.0, "fault", "bgp-down", "fault bgp-down", "branch speaks no BGP", "branch")
ENDED = Deed(2.0, "endFault", "bgp-down", "end fault bgp-down", "ended")


class Gateway(FakeGateway):
    """One with a session in a state."""

    def __init__(self, state: str) -> None:
        super().__init__()
        self.state = state

    async def bgp_peers(self) -> list[dict[str, Any]]:
        return [{"neighbor": PEER, "state": self.state}]

    async def learned_routes(self) -> list[dict[str, Any]]:
        return [{"sourcePeer": PEER, "network": "192.168.60.0/24"}]


@pytest.mark.parametrize(
    ("sockets", "state", "past", "words"),
    [
        ("", "Connecting", [BEGUN], ("BGP does not run on 192.168.50.1", "bgp-down --end")),
        ("", "Connecting", [BEGUN, ENDED], ("BGP does not run", "start BGP there")),
        ("", "Connecting", [ELSEWHERE], ("BGP does not run", "start BGP there")),
        ("0.0.0.0:179", "Connecting", [], ("is not established (Connecting)", "compare")),
        ("192.168.50.1:179", "Connected", [], ("accepted no prefix", "announce its prefix")),
    ],
)
async def test_why_an_address_is_not_learnt(
    sockets: str,
    state: str,
    past: list[Deed],
    words: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bgp, "listening", lambda _: sockets)
    world: Any = SimpleNamespace(nodes={"office": FakeNode("office")}, past=past)
    gateway: Any = Gateway(state)
    seen = await bgp.look("office", gateway, CONNECTION, LOCAL, world)
    assert seen
    found = bgp.not_learnt(seen, "192.168.50.11")
    assert found.layer == "route"
    assert found.cause.startswith("the gateway has no route to 192.168.50.11: ")
    assert words[0] in found.cause
    assert words[1] in found.remedy
    assert "getLearnedRoutes: 192.168.60.0/24 from 192.168.50.1" in found.proof


async def test_a_site_without_bgp() -> None:
    world: Any = SimpleNamespace()
    gateway: Any = FakeGateway()
    local: dict[str, Any] = {"properties": {}}
    assert await bgp.look("office", gateway, CONNECTION, local, world) is None
