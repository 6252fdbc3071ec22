"""What the runner is measured against: `ip -batch` a namespace, and rtnetlink packed by hand.

Both are given less to do than the runner does: no sysctls, no private files, no threads. The
files for `ip` are rendered before the clock starts; a namespace is made and named as
`ip netns add` would, but without its fork.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from collections import defaultdict
from ipaddress import ip_address, ip_interface
from pathlib import Path

from gateway.common import calls
from lab.kernel.nft import run
from lab.topology.planning.plan import Cable, End, NodePlan, Plan

NETNS = Path("/run/netns")


def _enter(descriptor: int) -> None:
    calls.setns(descriptor, calls.NEWNET)


def _new_namespace() -> int:
    calls.unshare(calls.NEWNET)
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class IpBatch:
    """One `ip -batch` for each namespace."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        self._plan = plan
        self._files = {node.name: directory / f"{node.name}.ip" for node in plan.nodes}
        lines = _ip_lines(plan)
        for name, file in self._files.items():
            file.write_text("\n".join(lines[name]) + "\n")

    def build(self) -> dict[str, int]:
        """The namespaces' descriptors, by node."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        NETNS.mkdir(exist_ok=True)
        descriptors = {}
        for node in self._plan.nodes:
            descriptors[node.name] = _new_namespace()
            (NETNS / node.name).touch()
            calls.bind("/proc/self/ns/net", str(NETNS / node.name))
        _enter(home)
        for node in self._plan.nodes:
            argv = ["ip", "-n", node.name, "-batch", self._files[node.name]]
            subprocess.run(argv, check=True)
            if node.nftables:
                argv = ["ip", "netns", "exec", node.name, "nft", "-f", "-"]
                subprocess.run(argv, input=node.nftables, text=True, check=True)
        return descriptors


def _ip_lines(plan: Plan) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = defaultdict(list)
    for node in plan.nodes:
        for bridge in node.bridges:
            lines[node.name].append(f"link add {bridge.name} type bridge")
    for link in plan.links:
        peer = f"peer name {link.b.interface} netns {link.b.node}"
        lines[link.a.node].append(f"link add {link.a.interface} type veth {peer}")
        for end in (link.a, link.b):
            lines[end.node] += _ip_end(end)
    for node in plan.nodes:
        own = lines[node.name]
        own.append("link set lo up")
        own += [f"address add {address} dev lo" for address in node.loopback]
        for bridge in node.bridges:
            own += [f"address add {address} dev {bridge.name}" for address in bridge.addresses]
            own.append(f"link set {bridge.name} up")
        own += [f"route add {route.destination} via {route.via}" for route in node.routes]
    return lines


def _ip_end(end: End) -> list[str]:
    master = [f"link set {end.interface} master {end.bridge}"] if end.bridge else []
    addresses = [f"address add {address} dev {end.interface}" for address in end.addresses]
    return [*master, *addresses, f"link set {end.interface} up"]


NEWLINK, NEWADDR, NEWROUTE = 16, 20, 24
REQUEST, ACK, ADD = 1, 4, 0x600
_HEADER = struct.Struct("=IHHII")


class RawNetlink:
    """One process, one send a namespace, every byte packed by hand: the limit."""

    def __init__(self, plan: Plan, _directory: Path) -> None:
        self._plan = plan

    def build(self) -> dict[str, int]:
        """The namespaces' descriptors, by node."""
        descriptors, sockets = {}, {}
        for node in self._plan.nodes:
            descriptors[node.name] = _new_namespace()
            sockets[node.name] = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        index = _indexes(self._plan)
        links: dict[str, list[bytes]] = defaultdict(list)
        for node in self._plan.nodes:
            links[node.name] += [_bridge(b.name, index[node.name, b.name]) for b in node.bridges]
        for link in self._plan.links:
            links[link.a.node].append(_veth(link, index, descriptors[link.b.node]))
        for name, requests in links.items():
            _exchange(sockets[name], requests)
        ends = defaultdict(list)
        for link in self._plan.links:
            ends[link.a.node].append(link.a)
            ends[link.b.node].append(link.b)
        for node in self._plan.nodes:
            _exchange(sockets[node.name], _settings(node, ends[node.name], index))
            if node.nftables:
                _enter(descriptors[node.name])
                run(node.nftables)
        return descriptors


def _indexes(plan: Plan) -> dict[tuple[str, str], int]:
    """(node, interface) to interface index; 1 is the loopback."""
    index: dict[tuple[str, str], int] = {}
    for node in plan.nodes:
        for number, bridge in enumerate(node.bridges, 2):
            index[node.name, bridge.name] = number
    for number, link in enumerate(plan.links, 100):
        index[link.a.node, link.a.interface] = index[link.b.node, link.b.interface] = number
    return index


def _settings(node: NodePlan, ends: list[End], index: dict[tuple[str, str], int]) -> list[bytes]:
    def at(name: str) -> int:
        return index[node.name, name]

    bridges = [
        (at(bridge.name), address) for bridge in node.bridges for address in bridge.addresses
    ]
    cables = [(at(end.interface), address) for end in ends for address in end.addresses]
    lo = [(1, address) for address in node.loopback]
    up = [1, *(at(bridge.name) for bridge in node.bridges), *(at(end.interface) for end in ends)]
    return [
        *(_address(where, address) for where, address in (*lo, *bridges, *cables)),
        *(_message(NEWLINK, 0, _interface(number, 1)) for number in up),
        *(_route(route.destination, route.via) for route in node.routes),
    ]


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _interface(index: int, up: int) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, up, up)


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags | REQUEST, 0, 0) + body


def _bridge(name: str, index: int) -> bytes:
    body = _interface(index, 0) + _text(3, name) + _attribute(18, _text(1, "bridge"))
    return _message(NEWLINK, ADD, body)


def _veth(link: Cable, index: dict[tuple[str, str], int], where: int) -> bytes:
    a, b = link.a, link.b
    far = _interface(index[b.node, b.interface], 0) + _text(3, b.interface)
    far += _attribute(28, struct.pack("=I", where))
    info = _attribute(18, _text(1, "veth") + _attribute(2, _attribute(1, far)))
    body = _interface(index[a.node, a.interface], 0) + _text(3, a.interface) + info
    if a.bridge:
        body += _attribute(10, struct.pack("=I", index[a.node, a.bridge]))
    return _message(NEWLINK, ADD, body)


def _address(index: int, text: str) -> bytes:
    interface = ip_interface(text)
    raw = interface.ip.packed
    head = struct.pack("=BBBBi", _family(raw), interface.network.prefixlen, 0, 0, index)
    return _message(NEWADDR, ADD, head + _attribute(2, raw) + _attribute(1, raw))


def _route(destination: str, via: str) -> bytes:
    gateway = ip_address(via).packed
    to, length = b"", 0
    if destination != "default":
        network = ip_interface(destination).network
        to, length = _attribute(1, network.network_address.packed), network.prefixlen
    head = struct.pack("=BBBBBBBBI", _family(gateway), length, 0, 0, 254, 4, 0, 1, 0)
    return _message(NEWROUTE, ADD, head + to + _attribute(5, gateway))


def _family(raw: bytes) -> int:
    return socket.AF_INET if len(raw) == 4 else socket.AF_INET6


def _exchange(channel: socket.socket, requests: list[bytes]) -> None:
    """Send in batches; the ACK of each batch's last request tells of the batch."""
    for start in range(0, len(requests), 128):
        batch = bytearray(b"".join(requests[start : start + 128]))
        last = len(batch) - len(requests[min(start + 128, len(requests)) - 1])
        struct.pack_into("=H", batch, last + 6, struct.unpack_from("=H", batch, last + 6)[0] | ACK)
        channel.send(batch)
        reply = channel.recv(65536)
        (error,) = struct.unpack_from("=i", reply, _HEADER.size)
        if error:
            raise OSError(-error, os.strerror(-error), "raw netlink")
