"""The aggregate throughput in a real kernel: what is counted, how often, and at which rate."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from gateway.charon import datapath
from gateway.dataplane import tun
from gateway.forwarding.aggregate import DEVICE, Aggregate
from gateway.forwarding.reach import Reach
from lab.waiting import wait_until
from tests.rigs.isolated import isolated
from tests.rigs.patience import PATIENCE
from tests.rigs.tun_router import (
    APP,
    IKEV2,
    NETWORK,
    OPENVPN,
    PLACEMENT,
    POOL,
    PRIVATE,
    SITE,
    SITES,
    SSTP,
    STRANGER,
    Router,
    udp,
)

REACH = Reach(pool=(POOL,), routes=(NETWORK,), network=(NETWORK,), sites=SITES)
WAYS = {
    "IKEv2 client to the VNet": ("ipsec0", udp(IKEV2, APP), 1),
    "OpenVPN client to the VNet": ("ovpn0", udp(OPENVPN, APP), 1),
    "SSTP client to the VNet": ("sstp0", udp(SSTP, APP), 1),
    "site to the VNet": ("ipsec0", udp(SITE, APP), 1),
    "VNet to IKEv2 client": ("lan", udp(APP, IKEV2), 1),
    "VNet to OpenVPN client": ("lan", udp(APP, OPENVPN), 1),
    "VNet to SSTP client": ("lan", udp(APP, SSTP), 1),
    "VNet to site": ("lan", udp(APP, SITE), 1),
    "client to site, through two tunnels": ("ovpn0", udp(OPENVPN, SITE), 1),
    "site to client, through two tunnels": ("ipsec0", udp(SITE, SSTP), 1),
    "VNet to the gateway itself": ("lan", udp(APP, PRIVATE), 0),
    "Internet to anything": ("wan", udp(STRANGER, APP), 0),
}


class Scene:
    """A router with a limit, and no fence."""

    def __init__(self) -> None:
        self.router = Router()
        self.aggregate = Aggregate(PLACEMENT)

    def counted(self) -> int:
        """Packets that the limit has counted."""
        return int(_counters()[9])

    async def send(self, device: str, packet: bytes) -> None:
        """Send a packet; returns when it has come out, wherever."""
        before = _total()
        os.write(self.router._devices[device], packet)
        await wait_until("the packet has come out", PATIENCE, lambda: _total() > before)


def _counters(device: str = DEVICE) -> list[str]:
    lines = Path("/proc/self/net/dev").read_text().splitlines()
    return next(line.split(":")[1].split() for line in lines if line.strip().startswith(device))


def _total() -> int:
    """Packets that have left, and packets that have arrived at the gateway itself or nowhere."""
    fields = Path("/proc/self/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in fields if line.startswith("Ip:"))
    told = dict(zip(names, values, strict=True))
    return sum(int(told[name]) for name in ("OutTransmits", "InDelivers", "InAddrErrors"))


def _run(command: str) -> str:
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


def in_a_scene(
    monkeypatch: pytest.MonkeyPatch, test: Callable[[Scene], Coroutine[Any, Any, None]]
) -> None:
    userspace = datapath.Datapath(userspace=True, why="")
    monkeypatch.setattr(datapath, "find", lambda: userspace)

    def there() -> None:
        scene = Scene()  # netlink's library has an event loop of its own
        asyncio.run(test(scene))

    isolated(there)


def test_each_packet_is_counted_once_whatever_its_tunnels(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(scene: Scene) -> None:
        scene.aggregate.limit(650, REACH)
        assert scene.aggregate.report().document() == {"mbps": 650, "inForce": True, "why": ""}
        found = {}
        for name, (device, packet, _) in WAYS.items():
            before = scene.counted()
            await scene.send(device, packet)
            found[name] = scene.counted() - before
        assert found == {name: times for name, (_, _, times) in WAYS.items()}

    in_a_scene(monkeypatch, test)


@pytest.mark.parametrize("first", [True, False], ids=["comes", "comes back"])
def test_a_device_that_comes_with_its_daemon_is_counted(
    monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """Linux 6.16 and later remember the name of a device that goes, and not of one to come."""

    async def test(scene: Scene) -> None:
        if not first:
            scene.aggregate.limit(650, REACH)
        os.close(scene.router._devices.pop("sstp0"))
        scene.aggregate.limit(650, REACH)
        scene.router._devices["sstp0"] = tun.open_tun("sstp0", vnet_hdr=False)
        _run("ip link set sstp0 up")

        async def counts() -> bool:
            before = scene.counted()
            await scene.send("sstp0", udp(SSTP, APP))
            return scene.counted() > before

        await wait_until("the new device's packets are counted", PATIENCE, counts)
        assert scene.aggregate.report().in_force

    in_a_scene(monkeypatch, test)


def test_the_rate_is_the_documents_now(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(scene: Scene) -> None:
        for mbps, shown in ((100, "100Mbit"), (1250, "1250Mbit"), (65, "65Mbit")):
            scene.aggregate.limit(mbps, REACH)
            shows = _run(f"tc qdisc show dev {DEVICE}").replace("1.25Gbit", "1250Mbit")
            assert f"rate {shown} " in shows

    in_a_scene(monkeypatch, test)


def test_what_the_bucket_does_not_hold_waits_and_then_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(scene: Scene) -> None:
        scene.aggregate.limit(0.001, REACH)  # 125 bytes a second: nothing is refilled meanwhile
        full = udp(OPENVPN, APP) + bytes(1372)
        for _ in range(1000):  # of 1,400 bytes: ten times the bucket
            os.write(scene.router._devices["ovpn0"], full)
        passed = scene.counted()
        assert 80 <= passed <= 100

    in_a_scene(monkeypatch, test)


def test_a_kernel_without_it_is_reported_and_nothing_else_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(scene: Scene) -> None:
        _run(f"ip link add {DEVICE} type bridge")
        scene.aggregate.limit(650, REACH)
        report = scene.aggregate.report()
        assert not report.in_force
        assert "ifb" in report.why

    in_a_scene(monkeypatch, test)
