"""The fence in a real kernel: which packet passes from where to where, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from gateway.charon import datapath
from gateway.common import calls
from gateway.common.errors import FenceError
from gateway.common.nft import Change, Elements, Nft, NftError
from gateway.common.vocabulary import VpnProtocol
from gateway.forwarding import fence
from gateway.forwarding.fence import NftFence
from gateway.forwarding.reach import TABLE, Reach
from gateway.policy import sessions
from gateway.policy.diagnostics import DiagnosticLog
from gateway.policy.sessions import Peer, Sessions
from lab.waiting import wait_until
from tests.rigs.isolated import isolated
from tests.rigs.patience import PATIENCE
from tests.rigs.tun_router import (
    APP,
    HIDDEN_SITE,
    IKEV2,
    NETWORK,
    OPENVPN,
    OTHER_NETWORK,
    PLACEMENT,
    POOL,
    PRIVATE,
    PUBLIC,
    SITE,
    SITES,
    SSTP,
    STRANGER,
    UNREACHABLE,
    Router,
    esp,
    icmp,
    tcp,
    udp,
)

REACH = Reach(pool=(POOL,), routes=(NETWORK, SITES[0]), network=(NETWORK,), sites=SITES)
CLIENTS: dict[VpnProtocol, tuple[str, str]] = {
    "IkeV2": (IKEV2, "ipsec0"),
    "OpenVPN": (OPENVPN, "ovpn0"),
    "SSTP": (SSTP, "sstp0"),
}
FREE = "172.16.201.77"
"""An address of OpenVPN's part that nobody has."""


class Scene:
    """A router with a fence, and the table that keeps it."""

    def __init__(self) -> None:
        self.router = Router()
        self.log = DiagnosticLog()
        self.fence = NftFence(PLACEMENT, self.log)
        self.sessions = Sessions(self.fence)

    def connect(self, protocol: VpnProtocol) -> sessions.Session:
        """A session of the address above."""
        address = IPv4Address(CLIENTS[protocol][0])
        reservation = self.sessions.reserve(Peer(protocol, "u", "", ""), address)
        return self.sessions.open(reservation, handle="1", private_address=address)

    def passes(self, address: str = OPENVPN, device: str = "ovpn0") -> bool:
        """Whether what this client sends to app1 arrives."""
        return self.router.send(device, udp(address, APP)) == "lan"

    def said(self) -> list[str]:
        """Messages of the log."""
        return [record["message"] for record in self.log.documents()]


def in_a_scene(
    monkeypatch: pytest.MonkeyPatch, test: Callable[[Scene], Coroutine[Any, Any, None]]
) -> None:
    """Userspace IPsec, whatever the kernel has: its device can be played here."""
    userspace = datapath.Datapath(userspace=True, why="")
    monkeypatch.setattr(datapath, "find", lambda: userspace)

    def there() -> None:
        scene = Scene()  # netlink's library has an event loop of its own
        scene.fence.enclose(REACH)
        asyncio.run(test(scene))

    isolated(there)


# (by which device, packet, where it comes out)
Case = tuple[str, bytes, str]
CASES: dict[str, Case] = {
    # a client's way, and its answers
    **{
        f"{protocol} client to the VNet": (device, udp(address, APP), "lan")
        for protocol, (address, device) in CLIENTS.items()
    },
    **{
        f"the VNet to {protocol} client": ("lan", udp(APP, address), device)
        for protocol, (address, device) in CLIENTS.items()
    },
    "client to a site of the routes": ("ovpn0", udp(OPENVPN, SITE), "ipsec0"),
    "client to a site outside the routes": ("ovpn0", udp(OPENVPN, HIDDEN_SITE), ""),
    "client to what the VNet routes and the document does not": (
        "ovpn0",
        udp(OPENVPN, OTHER_NETWORK),
        "",
    ),
    "client to the Internet": ("ovpn0", udp(OPENVPN, STRANGER), ""),
    # no client reaches another
    **{
        f"{one} client to {other} client": (
            CLIENTS[one][1],
            udp(CLIENTS[one][0], CLIENTS[other][0]),
            "",
        )
        for one in CLIENTS
        for other in CLIENTS
        if one != other
    },
    # an address is good in the tunnel that it was given in, and there alone
    "client with another's address": ("ovpn0", udp(SSTP, APP), ""),
    "client with another's address, IPsec": ("ipsec0", udp(OPENVPN, APP), ""),
    "client with a free address": ("ovpn0", udp(FREE, APP), ""),
    "client with an address of the VNet": ("ovpn0", udp(APP, OTHER_NETWORK), ""),
    "client with an address of a site": ("ovpn0", udp(SITE, APP), ""),
    "client with an address of the Internet": ("ovpn0", udp(STRANGER, APP), ""),
    "the VNet to a free address": ("lan", udp(APP, FREE), ""),
    "the VNet with a client's address": ("lan", udp(SSTP, OPENVPN), ""),
    # sites
    "site to the VNet": ("ipsec0", udp(SITE, APP), "lan"),
    "the VNet to a site": ("lan", udp(APP, SITE), "ipsec0"),
    "site to client": ("ipsec0", udp(SITE, OPENVPN), "ovpn0"),
    "site to site": ("ipsec0", udp(SITE, HIDDEN_SITE), ""),
    "site to the Internet": ("ipsec0", udp(SITE, STRANGER), ""),
    "an unknown site": ("ipsec0", udp("192.168.70.1", APP), ""),
    "the VNet to the Internet": ("lan", udp(APP, STRANGER), ""),
    # the gateway's own addresses
    "client pings the gateway": ("ovpn0", icmp(OPENVPN, PRIVATE), "gateway"),
    "client to a port of the gateway's": ("ovpn0", udp(OPENVPN, PRIVATE), ""),
    "client to a port of the public address": ("ovpn0", udp(OPENVPN, PUBLIC), ""),
    "who has no session pings the gateway": ("ovpn0", icmp(FREE, PRIVATE), ""),
    "site pings the gateway": ("ipsec0", icmp(SITE, PRIVATE), "gateway"),
    "site to a port of the gateway's": ("ipsec0", udp(SITE, PRIVATE), ""),
    "the VNet pings the gateway": ("lan", icmp(APP, PRIVATE), "gateway"),
    # the Internet, in clear
    "Internet with a client's address": ("wan", udp(OPENVPN, APP), ""),
    "Internet with a site's address, to the gateway": ("wan", udp(SITE, PRIVATE), ""),
    "Internet with a site's address, to the public one": ("wan", udp(SITE, PUBLIC, port=500), ""),
    "Internet to the VNet": ("wan", udp(STRANGER, APP), ""),
    "Internet to a client": ("wan", udp(STRANGER, OPENVPN), ""),
    "Internet to a site": ("wan", udp(STRANGER, SITE), ""),
    "Internet pings the private address": ("wan", icmp(STRANGER, PRIVATE), ""),
    "Internet pings the public address": ("wan", icmp(STRANGER, PUBLIC), ""),
    "Internet to a port": ("wan", udp(STRANGER, PUBLIC), ""),
    "Internet to a TCP port": ("wan", tcp(STRANGER, PUBLIC, 22), ""),
    "Internet to 443": ("wan", tcp(STRANGER, PUBLIC, 443), "gateway"),
    "Internet to IKE": ("wan", udp(STRANGER, PUBLIC, port=500), "gateway"),
    "Internet to IKE behind NAT": ("wan", udp(STRANGER, PUBLIC, port=4500), "gateway"),
    "Internet sends ESP": ("wan", esp(STRANGER, PUBLIC), "gateway"),
}


def test_what_passes_and_what_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(scene: Scene) -> None:
        for protocol in CLIENTS:
            scene.connect(protocol)
        seen = {name: scene.router.send(device, packet) for name, (device, packet, _) in
                CASES.items()}  # fmt: skip
        assert seen == {name: wanted for name, (_, _, wanted) in CASES.items()}

    in_a_scene(monkeypatch, test)


def test_with_the_kernels_esp_what_is_in_clear_is_as_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then clients and sites come by the Internet's own interface. What was in IPsec passes by
    other words, which need a kernel with ESP; here is shown that nothing else does."""

    async def test(scene: Scene) -> None:
        monkeypatch.setattr(datapath, "find", lambda: datapath.Datapath(userspace=False, why=""))
        scene.fence = NftFence(PLACEMENT, scene.log)
        scene.fence.enclose(REACH)
        scene.sessions = Sessions(scene.fence)
        for protocol in CLIENTS:
            scene.connect(protocol)
        for prefix in ("172.16.201.0/26", *map(str, SITES)):
            scene.router.move(prefix, "wan")
        in_clear = {
            name: ("wan" if device == "ipsec0" else device, packet, "" if "ipsec0" in {device, out}
                   else out)
            for name, (device, packet, out) in CASES.items()
        }  # fmt: skip
        seen = {name: scene.router.send(device, packet) for name, (device, packet, _) in
                in_clear.items()}  # fmt: skip
        assert seen == {name: wanted for name, (_, _, wanted) in in_clear.items()}
        assert scene.router.ask(PRIVATE, SITE) == ""

    in_a_scene(monkeypatch, test)


def test_answers_come_in_and_forged_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(scene: Scene) -> None:
        send, ask = scene.router.send, scene.router.ask
        answer = udp(SITE, PRIVATE)
        assert send("ipsec0", answer) == "", "nobody has asked"
        ask(PRIVATE, SITE)
        assert send("wan", answer) == "", "in clear"
        assert send("ovpn0", answer) == "", "out of a client's tunnel"
        assert send("ipsec0", answer) == "gateway"
        ask(PUBLIC, STRANGER)
        assert send("wan", udp(STRANGER, PUBLIC)) == "gateway"
        assert send("wan", udp("192.0.2.10", PUBLIC)) == "", "somebody else"

    in_a_scene(monkeypatch, test)


def test_an_error_about_what_the_gateway_sent_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """IKE's packets are not tracked; a Fragmentation Needed must reach them all the same."""

    async def test(scene: Scene) -> None:
        scene.router.talk((PUBLIC, 4500), STRANGER)
        sent = udp(PUBLIC, STRANGER, sport=4500)
        with pytest.raises(ConnectionRefusedError):
            scene.router.send("wan", icmp(STRANGER, PUBLIC, UNREACHABLE, sent))

    in_a_scene(monkeypatch, test)


def test_what_the_gateway_itself_sends_to_private_addresses_does_not_leave_in_clear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(scene: Scene) -> None:
        ask = scene.router.ask
        assert ask(PUBLIC, STRANGER) == "wan"
        assert ask(PRIVATE, APP) == "lan"
        assert ask(PRIVATE, STRANGER) == "", "a private source"
        assert ask(PUBLIC, "192.168.99.1") == "", "a private destination"

    in_a_scene(monkeypatch, test)


def test_an_address_passes_from_its_place_on_to_the_end_of_its_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(scene: Scene) -> None:
        table, address = scene.sessions, IPv4Address(OPENVPN)
        peer = Peer("OpenVPN", "u", "", "")
        assert not scene.passes()
        place = table.reserve(peer, address)
        assert scene.passes(), "before anybody was told of the address"
        table.release(place)
        assert not scene.passes()
        session = table.open(table.reserve(peer, address), handle="1", private_address=address)
        scene.fence.enclose(replace(REACH, sites=()))
        assert scene.passes(), "rules change, sessions stay"
        table.bar(session)
        assert not scene.passes(), "though the table still shows it"
        assert table.close(session)
        assert not scene.passes(), "though the tunnel is still there"
        place = table.reserve(peer, address)
        assert scene.passes(), "the next one"
        table.release(place)

    in_a_scene(monkeypatch, test)


def test_a_place_that_lapses_leaves_no_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(scene: Scene) -> None:
        scene.sessions.reserve(Peer("OpenVPN", "u", "", ""), IPv4Address(OPENVPN))
        assert scene.passes()

        async def closed() -> bool:
            return not scene.passes()

        await wait_until("the kernel forgets it", PATIENCE, closed)

    monkeypatch.setattr(sessions, "RESERVATION_LIFE", 1.0)
    in_a_scene(monkeypatch, test)


def test_what_cannot_be_written_is_refused_and_what_cannot_be_taken_out_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(scene: Scene) -> None:
        session = scene.connect("OpenVPN")
        scene.connect("SSTP")
        saved = Nft().run(f"list table {TABLE}")
        Nft().run(f"delete table {TABLE}")
        with pytest.raises(FenceError, match="No such file or directory"):
            scene.connect("IkeV2")
        assert [s.peer.protocol for s in scene.sessions] == ["OpenVPN", "SSTP"]
        assert scene.sessions.close(session)
        (said,) = scene.said()
        assert said.startswith(f"{OPENVPN} could not be taken out of the fence; trying again")
        Nft().run(saved)
        assert scene.passes(), "the element came back with the table"

        async def told() -> bool:
            return scene.said()[1:] == [f"{OPENVPN} is out of the fence now"]

        await wait_until("it is tried again", PATIENCE, told)
        assert not scene.passes()
        assert scene.passes(SSTP, "sstp0")

    monkeypatch.setattr(fence, "RETRY", 0.05)
    in_a_scene(monkeypatch, test)


def test_nothing_is_left_of_an_earlier_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(scene: Scene) -> None:
        scene.connect("OpenVPN")
        assert scene.passes()
        NftFence(PLACEMENT, scene.log).enclose(REACH)
        assert not scene.passes()

    in_a_scene(monkeypatch, test)


def test_elements_of_sets_change_together_or_not_at_all() -> None:
    def there() -> None:
        calls.unshare(calls.NEWNET)
        nft = Nft()
        kind = "type ipv4_addr . ifname;"
        nft.run(
            "add table inet t\n"
            f"add set inet t sessions {{ {kind} }}\n"
            f"add set inet t reserved {{ {kind} flags timeout; }}\n"
        )
        elements = Elements("t")
        alice, bob = (IPv4Address(f"172.16.0.{n}") for n in (9, 10))
        elements.apply([Change("sessions", alice, "ovpn0", there=True)])
        elements.apply([Change("reserved", bob, "a-name-of-fiftee", there=True, seconds=30)])
        said = nft.run("list table inet t")
        assert '172.16.0.9 . "ovpn0" }' in said
        assert '172.16.0.10 . "a-name-of-fiftee" timeout 30s' in said
        for wrong in (
            [Change("sessions", bob, "x", there=True), Change("sessions", bob, "y", there=False)],
            [Change("sessions", bob, "x", there=True), Change("none", bob, "x", there=True)],
        ):
            with pytest.raises(NftError, match="No such file"):
                elements.apply(wrong)
            assert nft.run("list table inet t").count("172.16.0.10") == 1
        gone = [Change("sessions", alice, "ovpn0", there=there) for there in (True, False)]
        for _ in range(2):
            elements.apply(gone)
            assert "172.16.0.9" not in nft.run("list table inet t")
        elements.close()

    isolated(there)
