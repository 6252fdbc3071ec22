"""A gateway's network of TUN devices alone: what a test writes into one has arrived there, and what
leaves by another can be read. The kernel does it all before the writing returns."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from gateway.arm.placement import Placement
from gateway.dataplane import tun
from gateway.dataplane.ip import checksum
from lab.kernel import sysctls

PUBLIC, PRIVATE, STRANGER = "203.0.113.2", "10.1.255.4", "192.0.2.9"
APP, OTHER_NETWORK, SITE, HIDDEN_SITE = "10.1.1.4", "10.7.0.1", "192.168.50.10", "192.168.60.10"
IKEV2, OPENVPN, SSTP = "172.16.201.2", "172.16.201.66", "172.16.201.130"
"""Of each protocol's part of the pool."""
POOL = IPv4Network("172.16.201.0/24")
NETWORK = IPv4Network("10.1.0.0/16")
SITES = (IPv4Network("192.168.50.0/24"), IPv4Network("192.168.60.0/24"))
PLACEMENT = Placement.model_validate(
    {
        "name": "gw",
        "gatewayId": "1",
        "fqdn": "gw",
        "publicIPAddress": PUBLIC,
        "privateIPAddress": PRIVATE,
        "virtualNetwork": {"name": "v", "addressPrefixes": [str(NETWORK)]},
        "interfaces": {"public": "wan", "private": "lan"},
        "serverCertificate": {"certificate": "a", "privateKey": "b", "root": "c"},
    }
)
_DEVICES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "wan": (f"{PUBLIC}/30", ("0.0.0.0/0",)),
    "lan": (f"{PRIVATE}/27", ("10.0.0.0/8",)),
    "ipsec0": ("172.16.201.1/32", ("172.16.201.0/26", *map(str, SITES))),
    "ovpn0": ("172.16.201.65/32", ("172.16.201.64/26",)),
    "sstp0": ("172.16.201.129/32", ("172.16.201.128/26",)),
}
ECHO_REQUEST, UNREACHABLE = 8, 3
PORT = 5555
_HEADER = struct.Struct(">BBHHHBBH4s4s")


class Router:
    """In the network namespace in which it is made. Its devices end with it."""

    def __init__(self) -> None:
        sysctls.write(sysctls.ROUTER)
        self._devices: dict[str, int] = {}
        for name, (address, routes) in _DEVICES.items():
            self._devices[name] = tun.open_tun(name, vnet_hdr=False)
            prefixes = [IPv4Network(route) for route in routes]
            tun.configure(name, IPv4Interface(address), 1400, prefixes)
        ends = ((PRIVATE, PORT), (PUBLIC, PORT), (PUBLIC, 500), (PUBLIC, 4500))
        self._own = {end: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for end in ends}
        for end, own in self._own.items():
            own.bind(end)
        self._esp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ESP)
        for each in (*self._own.values(), self._esp):
            each.setblocking(False)

    def move(self, prefix: str, device: str) -> None:
        """Route this through another device."""
        route = ["ip", "route", "replace", prefix, "dev", device]
        subprocess.run(route, check=True)

    def send(self, device: str, packet: bytes) -> str:
        """Where a packet that arrives by this device comes out: a device, `gateway` for a socket
        or an answer of the gateway's own, or nothing at all."""
        self._drain()
        os.write(self._devices[device], packet)
        for own in (*self._own.values(), self._esp):
            if _read(own.fileno()):
                return "gateway"
        return self._leaves(packet[12:20])

    def ask(self, source: str, target: str) -> str:
        """The gateway's own packet, to be answered: the device by which it leaves, or nothing."""
        self._drain()
        try:
            self._own[source, PORT].sendto(b"asked", (target, PORT))
        except PermissionError:
            return ""
        return self._leaves(IPv4Address(source).packed + IPv4Address(target).packed)

    def talk(self, source: tuple[str, int], target: str) -> None:
        """The gateway's own socket at this end, which from now on hears of this peer alone, and
        of errors."""
        own = self._own[source]
        own.connect((target, PORT))
        own.send(b"asked")

    def _leaves(self, addresses: bytes) -> str:
        for name, descriptor in self._devices.items():
            while left := _read(descriptor):
                if left[0] >> 4 == 4:  # IPv6 has things of its own to say
                    return name if left[12:20] == addresses else "gateway"
        return ""

    def _drain(self) -> None:
        sockets = (*self._own.values(), self._esp)
        for descriptor in (*self._devices.values(), *(s.fileno() for s in sockets)):
            while _read(descriptor):
                pass


def udp(source: str, target: str, *, sport: int = PORT, port: int = PORT) -> bytes:
    """A datagram."""
    return _ip(source, target, 17, struct.pack(">HHHH", sport, port, 12, 0) + b"data")


def tcp(source: str, target: str, port: int) -> bytes:
    """A SYN."""
    body = struct.pack(">HHIIBBHHH", PORT, port, 1, 0, 0x50, 2, 999, 0, 0)
    addresses = IPv4Address(source).packed + IPv4Address(target).packed
    right = struct.pack(">H", checksum(addresses + struct.pack(">HH", 6, len(body)) + body))
    return _ip(source, target, 6, body[:16] + right + body[18:])


def icmp(source: str, target: str, kind: int = ECHO_REQUEST, quoted: bytes = b"") -> bytes:
    """An ICMP message; errors quote the packet they are about."""
    code = 3 if quoted else 0
    message = struct.pack(">BBHI", kind, code, 0, 0) + (quoted or b"echo")
    return _ip(source, target, 1, message[:2] + struct.pack(">H", checksum(message)) + message[4:])


def esp(source: str, target: str) -> bytes:
    """ESP of an unknown SA."""
    return _ip(source, target, 50, bytes(32))


def _ip(source: str, target: str, protocol: int, body: bytes) -> bytes:
    addresses = IPv4Address(source).packed, IPv4Address(target).packed
    fields = [0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0, *addresses]
    fields[7] = checksum(_HEADER.pack(*fields))
    return _HEADER.pack(*fields) + body


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return b""
