"""BGP between a gateway and a site's device: the first difference between the two ends, and what a
gateway has not learnt."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.s2s.bgp import MOST_PREFIXES
from lab.explain import bgp
from lab.explain.bgp import BgpSeen, DeviceSeen
from lab.explain.site import SiteSeen, judge
from lab.nodes.base import Completed
from lab.world import Deed
from tests.unit.lab.checks.fakes import FakeGateway, FakeNode
from tests.unit.lab.explain.test_selectors import ENDS

LAN = "192.168.50.0/24"
ROWS = {
    "BGP state": "Passive",
    "Neighbor address": "10.1.255.30",
    "Neighbor AS": "65515",
    "Local AS": "65010",
}
DEVICE = DeviceSeen("office", ("192.168.50.1", "198.51.100.2"), rows=ROWS, announced=(LAN,))
PEER = "192.168.50.1"
DOWN = BgpSeen("office", PEER, "Connecting", (), "65010", "gw", "10.1.255.30", "65515", DEVICE)
UP = replace(DOWN, state="Connected", learnt=(LAN,))


def rows(**changed: str) -> DeviceSeen:
    return replace(DEVICE, rows=ROWS | {key.replace("_", " "): v for key, v in changed.items()})


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (replace(DOWN, peer="192.168.50.9"),
         "office is 192.168.50.9, and the device has 192.168.50.1, 198.51.100.2"),
        (replace(DOWN, device=replace(DEVICE, answer="Unable to connect", rows={})),
         "no BIRD runs on the device of office"),
        (replace(DOWN, peer_asn="65011"),
         "office says that the site's ASN is 65011, and the device's own is 65010"),
        (replace(DOWN, own_asn="65001"),
         "the ASN of gw is 65001, and the device's peer is set to 65515"),
        (replace(DOWN, device=rows(Neighbor_address="10.1.255.4")),
         "gw speaks BGP at 10.1.255.30, and the device's peer is set to 10.1.255.4"),
        (replace(DOWN, state="Stopped",
                 device=replace(DEVICE, announced=(LAN,) * (MOST_PREFIXES + 1))),
         "announces 201 prefixes, and the gateway ends the session beyond 200"),
        (DOWN, "is not established: the gateway calls 192.168.50.1 Connecting"),
        (replace(DOWN, device=None), "the gateway calls 192.168.50.1 Connecting"),
        (replace(UP, learnt=(), device=replace(DEVICE, announced=("0.0.0.0/0",))),
         "is established, and nothing is learnt: the gateway takes none of 0.0.0.0/0"),
    ],
)  # fmt: skip
def test_why_there_is_no_session(seen: BgpSeen, words: str) -> None:
    found = bgp.broken(seen)
    assert found
    assert found.layer == "bgp"
    assert words in found.cause
    state = f"{seen.peer} (AS {seen.peer_asn}) is {seen.state}"
    assert found.proof[0] == f"getBgpPeerStatus of gw: {state}"


@pytest.mark.parametrize(
    "seen", [UP, replace(UP, learnt=(), device=replace(DEVICE, announced=())),
             replace(UP, device=rows(Neighbor_AS="1"))]
)  # fmt: skip
def test_a_session_that_is_established_is_not_broken(seen: BgpSeen) -> None:
    assert bgp.broken(seen) is None


def test_what_is_refused_is_told_beside_what_is_learnt() -> None:
    told = bgp.passed(replace(UP, device=replace(DEVICE, announced=(LAN, "10.1.1.0/24"))))
    assert told == (
        "the session of gw with 192.168.50.1 is established; learnt: 192.168.50.0/24; it takes no "
        "10.1.1.0/24"
    )


@pytest.mark.parametrize(
    ("seen", "state", "words"),
    [(UP, "passed", "stands"), (DOWN, "failed", "the tunnel of office stands, but BGP between gw")],
)
def test_the_session_is_a_layer_of_its_site(seen: BgpSeen, state: str, words: str) -> None:
    ends = replace(ENDS, bgp=seen)
    up = {"state": "Connected"}
    found = judge(SiteSeen("office", "gw", "Connected", "", "", up, ends=ends))
    assert words in found.sentence
    layers = {one.layer: one.state for one in found.chains[0].findings}
    assert (layers["s2s"], layers["bgp"]) == ("passed", state)
    without = judge(SiteSeen("office", "gw", "Connected", "", "", up, ends=ENDS))
    assert "bgp" not in {one.layer for one in without.chains[0].findings}


BIRDC = """BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
azure      BGP        ---        start  05:01:02.003  Passive
  BGP state:          Passive
    Neighbor address: 10.1.255.30
    Neighbor AS:      65515
    Local AS:         65010
    Last error:       Received: Bad peer AS
  Channel ipv4
    State:          DOWN
"""
EXPORTED = """BIRD 2.0.12 ready.
Table master4:
192.168.50.0/24      blackhole [own 05:01:02.003] * (200)
"""
ADDRESSES = (
    '[{"ifname": "lo", "addr_info": [{"local": "192.168.50.9"}]},'
    ' {"ifname": "lan", "addr_info": [{"local": "192.168.50.1"}]}]'
)


class Node:
    """Answers as ip and birdc do."""

    def __init__(self, *, runs: bool) -> None:
        self.runs = runs

    async def run(self, argv: list[str]) -> Completed:
        if argv[0] == "ip":
            return Completed(0, ADDRESSES, "")
        if not self.runs:
            return Completed(1, "", "Unable to connect to server control socket")
        return Completed(0, EXPORTED if "route" in argv else BIRDC, "")


async def test_the_device_is_read_by_birdc() -> None:
    node: Any = Node(runs=True)
    seen = await bgp.with_device(DOWN, "office", node)
    told = ROWS | {"Last error": "Received: Bad peer AS"}
    assert seen.device == DeviceSeen("office", ("192.168.50.1",), rows=told, announced=(LAN,))
    off: Any = Node(runs=False)
    device = (await bgp.with_device(DOWN, "office", off)).device
    assert device
    assert device.answer == "Unable to connect to server control socket"


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
        peers = (("192.168.60.1", "Idle"), (PEER, self.state))
        return [{"localAddress": "10.1.255.30", "neighbor": n, "state": s} for n, s in peers]

    async def learned_routes(self) -> list[dict[str, Any]]:
        return [{"network": LAN, "sourcePeer": PEER},
                {"network": "192.168.60.0/24", "sourcePeer": "192.168.60.1"}]  # fmt: skip


def office(past: list[Deed]) -> Any:
    return SimpleNamespace(nodes={"office": FakeNode("office")}, past=past)


async def test_the_gateway_s_end_is_read_by_its_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bgp, "listening", lambda _: "192.168.50.1:179")
    gateway: Any = Gateway("Connected")
    seen = await bgp.look("office", gateway, CONNECTION, LOCAL, office([]))
    assert seen == replace(UP, device=None)
    gateway.resource["properties"]["bgpSettings"] = {"asn": 65001}
    seen = await bgp.look("office", gateway, CONNECTION, LOCAL, office([]))
    assert seen
    assert seen.own_asn == "65001"


@pytest.mark.parametrize(("past", "told"), [([BEGUN], True), ([], False), ([ELSEWHERE], False),
                                            ([BEGUN, ENDED], False)])  # fmt: skip
async def test_a_session_that_is_down_is_told_with_the_fault_that_ended_it(
    past: list[Deed], told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bgp, "listening", lambda _: "")
    gateway: Any = Gateway("Connecting")
    seen = await bgp.look("office", gateway, CONNECTION, LOCAL, office(past))
    assert seen
    off = replace(DEVICE, answer="Unable to connect", rows={})
    down = bgp.broken(replace(seen, device=off))
    assert down
    assert "no BIRD runs on the device of office" in down.cause
    assert ("at 1970-01-01T00:00:01.000+00:00: fault bgp-down" in down.cause) is told
    assert ("--end" in down.remedy) is told


def test_what_is_missing_is_told_of_a_session_that_stands() -> None:
    stands = BgpSeen("office", PEER, "Connected", ("192.168.50.128/25",))
    found = bgp.learnt(stands, [LAN])
    assert found.layer == "route"
    assert found.cause.endswith("of office: 192.168.50.0/24 missing")
    assert bgp.learnt(stands, []).cause.endswith("more than was expected")


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
    gateway: Any = Gateway(state)
    seen = await bgp.look("office", gateway, CONNECTION, LOCAL, office(past))
    assert seen
    found = bgp.not_learnt(seen, "192.168.50.11")
    assert found.layer == "route"
    assert found.cause.startswith("the gateway has no route to 192.168.50.11: ")
    assert words[0] in found.cause
    assert words[1] in found.remedy
    assert "getLearnedRoutes: 192.168.50.0/24 from 192.168.50.1" in found.proof


async def test_a_site_without_bgp() -> None:
    world: Any = SimpleNamespace()
    gateway: Any = FakeGateway()
    local: dict[str, Any] = {"properties": {}}
    assert await bgp.look("office", gateway, CONNECTION, local, world) is None
