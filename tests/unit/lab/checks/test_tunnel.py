"""`tunnel` and `radiusInTunnel`: they hold when true, and report what was seen when not."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap

from lab.checks import radius_in_tunnel, records
from lab.checks.radius_in_tunnel import _judged
from lab.checks.tunnel import tunnel
from lab.nodes.base import Completed
from lab.observe.radius_packets import examine
from lab.topology.load import load
from lab.topology.model.steps import RadiusInTunnel, Tunnel
from tests.unit.lab.checks.fakes import FakeGateway, FakeNode, FakeWorld, connection, refusal
from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import SOUND, SOURCE

SITE = "sites: {office: {lan: 192.168.50.0/24, connection: {to: gw, sharedKey: x}}}\naccess:\n"
GATEWAY, OFFICE, SERVER = "203.0.113.2", "198.51.100.2", "192.168.50.10"


class Gateway(FakeGateway):
    """With one connection."""

    def __init__(self, status: str, why: str = "") -> None:
        super().__init__()
        self.properties: dict[str, Any] = {
            "connectionStatus": status,
            "ingressBytesTransferred": 10,
            "egressBytesTransferred": 20,
        }
        self.rows_of_tunnels = (
            [{"time": "1", "connection": "office", "message": why, "status": status}] if why else []
        )

    async def connection(self, name: str) -> dict[str, Any]:
        return {"name": name, "properties": self.properties}

    async def tunnel_log(self) -> list[dict[str, Any]]:
        return self.rows_of_tunnels


class Device:
    async def state(self) -> dict[str, Any]:
        return {"state": "NotConnected"}


def world(gateway: Gateway) -> Any:
    made: Any = FakeWorld()
    made.plan = plan_of(SOUND.replace("contoso-gw:", "gw:").replace("access:\n", SITE))
    made.gateways = {"gw": gateway}
    made.devices = {"office": Device()}
    return made


def step(**fields: Any) -> Tunnel:
    return Tunnel.model_validate({"tunnel": "office", "within": 0.05, **fields})


def test_a_tunnel_holds_by_the_gateways_status_and_reports_the_devices() -> None:
    outcome = asyncio.run(tunnel(step(**{"is": "Connected"}), world(Gateway("Connected"))))
    assert outcome.held
    assert outcome.detail == "Connected, in 10, out 20 bytes; the device: NotConnected"


@pytest.mark.parametrize(("second", "held"), [("Connected", True), ("Connecting", False)])
def test_a_tunnel_between_two_vnets_is_up_when_both_gateways_say_so(
    second: str, held: bool
) -> None:
    made: Any = FakeWorld()
    made.plan = load(SOURCE / "topologies/vnet-to-vnet.yaml").plan()
    made.gateways = {"east-gw": Gateway("Connected"), "west-gw": Gateway(second)}
    made.devices = {}
    wanted = Tunnel.model_validate({"tunnel": "east-west", "is": "Connected", "within": 0.05})
    assert asyncio.run(tunnel(wanted, made)).held == held


@pytest.mark.parametrize("wanted", ["NotConnected", "Connected"])
def test_a_devices_proposals_are_evidence(wanted: str) -> None:
    class Unmatched(Device):
        async def state(self) -> dict[str, Any]:
            return {"state": "NotConnected", "proposals": "received proposals: IKE:B"}

    made = world(Gateway("NotConnected", "no IKE proposal"))
    made.devices = {"office": Unmatched()}
    outcome = asyncio.run(tunnel(step(**{"is": wanted}), made))
    assert outcome.held is (wanted == "NotConnected")
    assert outcome.evidence == {"the device's log": "received proposals: IKE:B"}


def test_a_gateway_that_is_switched_off_has_no_status() -> None:
    class Off(Gateway):
        async def connection(self, name: str) -> dict[str, Any]:
            raise FileNotFoundError(name)

        async def exists(self) -> bool:
            raise FileNotFoundError("switched off")

    outcome = asyncio.run(tunnel(step(**{"is": "NotConnected"}), world(Off("Connected"))))
    assert not outcome.held
    assert outcome.detail == "no status: gw is switched off"


def test_a_tunnel_with_another_status_is_reported_with_its_reason() -> None:
    gateway = Gateway("NotConnected", "the pre-shared keys differ")
    outcome = asyncio.run(tunnel(step(**{"is": "Connected"}), world(gateway)))
    assert not outcome.held
    assert outcome.detail == "it is NotConnected: the pre-shared keys differ"


@pytest.mark.parametrize(("because", "held"), [("keys differ", True), ("no answer", False)])
def test_the_reason_must_be_the_right_one(because: str, held: bool) -> None:
    gateway = Gateway("NotConnected", "the pre-shared keys differ")
    wanted = step(**{"is": "NotConnected", "because": because})
    assert asyncio.run(tunnel(wanted, world(gateway))).held is held


def test_the_reason_of_an_earlier_status_is_none() -> None:
    gateway = Gateway("Connected", "the pre-shared keys differ")
    gateway.rows_of_tunnels[0]["status"] = "NotConnected"
    wanted = step(**{"is": "Connected", "because": "keys differ"})
    assert not asyncio.run(tunnel(wanted, world(gateway))).held
    assert asyncio.run(tunnel(step(**{"is": "Connected"}), world(gateway))).held


def seen(path: Path, *packets: Packet) -> dict[str, Any]:
    file = path / "net.pcap"
    wrpcap(str(file), [Ether() / packet for packet in packets])
    return examine(file, [SERVER], "alice", [GATEWAY, OFFICE])


ESP = IP(src=GATEWAY, dst=OFFICE) / UDP(sport=4500, dport=4500) / Raw(b"sealed")


def test_a_tunnels_own_packets_are_counted_and_harmless(tmp_path: Path) -> None:
    found = seen(tmp_path, ESP, IP(src="192.0.2.2", dst=GATEWAY) / TCP(dport=443))
    assert found == {"packets": 2, "seen": [], "tunnelled": 1}
    assert _judged(found, "connected").held


@pytest.mark.parametrize(
    "packet",
    [
        IP(src=GATEWAY, dst="8.8.8.8") / UDP(dport=1812),
        IP(src=GATEWAY, dst=SERVER) / UDP(dport=7),
        IP(src=GATEWAY, dst=OFFICE) / UDP(dport=9) / Raw(b"..alice.."),
    ],
)
def test_radius_in_the_clear_is_seen(tmp_path: Path, packet: Packet) -> None:
    found = seen(tmp_path, ESP, packet)
    assert len(found["seen"]) == 1
    assert not _judged(found, "connected").held


def test_nothing_at_all_in_the_tunnel_proves_nothing(tmp_path: Path) -> None:
    found = seen(tmp_path, IP(src="192.0.2.2", dst=GATEWAY) / TCP(dport=443))
    outcome = _judged(found, "connected")
    assert not outcome.held
    assert "no packet passed between gateway and site" in outcome.detail


@pytest.mark.parametrize(
    ("answers", "event", "server", "held"),
    [
        (connection(), "connected", "10.1.1.9", True),
        (connection(), "connected", "", False),  # by its certificate
        (refusal(), "refused", "10.1.1.9", True),
        (refusal(), "refused", "", False),  # the SKU's limit, for example
        (refusal("no-answer"), "engine", "", False),  # never came as far as the gateway
    ],
)
async def test_radius_in_tunnel_needs_a_radius_server_that_decided(
    answers: Any,
    event: str,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    held: bool,
) -> None:
    @asynccontextmanager
    async def capture(_: object, __: object) -> AsyncIterator[None]:
        yield

    monkeypatch.setattr(records, "LOG_LIMIT", 0.05)
    monkeypatch.setattr(radius_in_tunnel, "capture", capture)
    made = world(Gateway("Connected"))
    made.nodes["internet"] = internet = FakeNode("internet")
    made.addresses |= {"gw": GATEWAY, "office": OFFICE}
    found = json.dumps({"packets": 9, "tunnelled": 4, "seen": []})
    internet.prints[sys.executable] = Completed(0, found, "")
    made.alice.answers = answers
    about = {"vpnConnectionId": "alice-1", "radiusServer": server}
    made.gateway.wrote(event, "", **about)
    made.gateway.wrote(event, "", publicPort="40002", radiusServer="10.1.1.9")  # bob's
    step = RadiusInTunnel(radiusInTunnel="alice")
    assert (await radius_in_tunnel.radius_in_tunnel(step, made)).held is held
