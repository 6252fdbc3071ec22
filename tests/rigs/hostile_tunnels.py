"""Tunnels of a client who is let in and sends what he likes, past his own kernel and programs.

Over IKEv2 by ESP of the test's own, over SSTP by a call of the lab's own, over OpenVPN by the real
program, whose TUN gets any bytes. Everything blocks; tests call it in a thread.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import Protocol

from cryptography import x509

from gateway.common.vocabulary import VpnProtocol
from gateway.sstp.protocol.events import Connected, Data
from lab.clients.profile import read_profile
from lab.pki.authority import Credential
from lab.runtime.lab import Lab
from tests.rigs import forged
from tests.rigs.esp import IPV4, IPV6, Esp
from tests.rigs.ike_attacker import IkeAttacker, by_eap_tls
from tests.rigs.patience import PATIENCE
from tests.rigs.sstp_bench import off
from tests.rigs.sstp_caller import SstpCaller
from tests.rigs.sstp_people import echo, echo_number

SLICE = 0.02
BATCH = 100
"""Packets after which a ping must have come back: no queue on the way overflows."""
ETH_P_IP, OUTGOING = 0x0800, 4


class Tunnel(Protocol):
    """`address`: the one that the gateway has given."""

    address: IPv4Address

    def send(self, packet: bytes) -> None: ...

    def hear(self) -> list[bytes]:
        """Packets that have come out of the tunnel; waits a little for the first."""


class OverIke:
    """ESP in UDP."""

    def __init__(self, attacker: IkeAttacker, address: IPv4Address, esp: Esp) -> None:
        self.address = address
        self._attacker = attacker
        self._esp = esp

    def send(self, packet: bytes) -> None:
        following = IPV4 if packet[0] >> 4 == IPV4 else IPV6
        self._attacker.send(self._esp.seal(packet, following))

    def hear(self) -> list[bytes]:
        self._attacker.listen(SLICE)
        came, self._attacker.datagrams = self._attacker.datagrams, []
        return [packet for one in came if (packet := self._esp.open(one)) is not None]


class OverSstp:
    """PPP in SSTP in TLS."""

    def __init__(self, caller: SstpCaller) -> None:
        assert caller.call.address
        self.address = caller.call.address
        self._caller = caller

    def send(self, packet: bytes) -> None:
        self._caller.send(packet)

    def hear(self) -> list[bytes]:
        self._caller.turn(1)
        came, self._caller.events = self._caller.events, []
        return [event.packet for event in came if isinstance(event, Data)]


class OverOpenVpn:
    """The program's TUN, by a packet socket."""

    def __init__(self, line: socket.socket, device: str, address: str) -> None:
        self.address = IPv4Address(address)
        self._line = line
        self._device = device

    def send(self, packet: bytes) -> None:
        self._line.sendto(packet, (self._device, ETH_P_IP))

    def hear(self) -> list[bytes]:
        came = []
        while select.select([self._line], [], [], SLICE if not came else 0)[0]:
            packet, where = self._line.recvfrom(65536)
            if where[2] != OUTGOING:
                came.append(packet)
        return came


async def dial(lab: Lab, client: str, gateway: str, protocol: VpnProtocol) -> Tunnel:
    """Connect a client of a lab, with the certificate that it has."""
    plan = next(one for one in lab.plan.clients if one.name == client)
    credential = lab._credentials[plan.certificate or ""]
    ways = {"IkeV2": _ike, "SSTP": _sstp, "OpenVPN": _openvpn}
    return await ways[protocol](lab, client, gateway, credential)


async def _ike(lab: Lab, client: str, gateway: str, credential: Credential) -> Tunnel:
    line = await lab.nodes[client].call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    attacker = IkeAttacker(
        line, lab.addresses[gateway], by_eap_tls(forged.from_credential(credential))
    )
    outcome = await off(attacker.dial)
    assert outcome.established, outcome
    assert outcome.address, outcome
    assert outcome.child, outcome
    return OverIke(attacker, outcome.address, Esp(outcome.child))


async def _sstp(lab: Lab, client: str, gateway: str, credential: Credential) -> Tunnel:
    profile = read_profile(await lab.package(gateway))
    where = lab.addresses[gateway], 443
    stream = await lab.nodes[client].call(lambda: socket.create_connection(where, PATIENCE))
    root = x509.load_pem_x509_certificate(profile.server_root)
    caller = await off(lambda: SstpCaller(stream, profile.server, credential, root))
    event = await off(caller.dial)
    assert isinstance(event, Connected), event
    return OverSstp(caller)


async def _openvpn(lab: Lab, client: str, _gateway: str, _credential: Credential) -> Tunnel:
    connection, _ = await lab.clients[client].dial("OpenVPN")

    def line() -> socket.socket:
        own = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        own.bind((connection.interface, 3))
        return own

    made = await lab.nodes[client].call(line)
    return OverOpenVpn(made, connection.interface, connection.address)


class Sender:
    """Sends packets of any number and keeps what is answered."""

    def __init__(self, tunnel: Tunnel, witness: str) -> None:
        """`witness`: who answers the honest pings."""
        self.tunnel = tunnel
        self.heard: list[bytes] = []
        """All but the answers to honest pings."""
        self._witness = IPv4Address(witness)
        self._number = 0

    def send(self, packets: Iterable[bytes]) -> None:
        """All of them; when this returns, the gateway has seen them."""
        for count, packet in enumerate(packets, 1):
            self.tunnel.send(packet)
            if count % BATCH == 0:
                self.wait()
        self.wait()

    def wait(self) -> None:
        """Until an honest ping, behind all that was sent, is answered."""
        self._number += 1
        number = self._number & 0xFFFF
        self.tunnel.send(echo(self.tunnel.address, self._witness, number))
        self.until(lambda packet: echo_number(packet) == number, f"answer to ping {number}")

    def until(self, is_it: Callable[[bytes], bool], what: str) -> bytes:
        """What comes out of the tunnel, as soon as it does."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            came = self.tunnel.hear()
            found = [packet for packet in came if is_it(packet)]
            self.heard += [packet for packet in came if packet not in found]
            if found:
                return found[0]
        raise TimeoutError(f"no {what} within {PATIENCE} s; last heard: {self.heard[-3:]}")
