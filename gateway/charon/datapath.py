"""Where ESP is processed, in the kernel or in kernel-libipsec, and the routes that each needs.

To probe for kernel ESP, this module asks the kernel for a security association (XFRM_MSG_NEWSA,
linux/xfrm.h). An open NETLINK_XFRM socket would prove nothing, because ESP is built separately.
Layouts are those of 64-bit Linux, native byte order.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from gateway.common.errors import EngineError
from gateway.policy.protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address, IPv4Network

_NETLINK_XFRM = 6
_NEWSA, _DELSA = 0x10, 0x11
_ALG_AEAD = 18
_REQUEST, _ACK = 0x1, 0x4
_ESP = 50
_TUNNEL_MODE = 1
_HEADER = struct.Struct("=IHHII")
_SPI = 0x100
_ADDRESS = socket.inet_aton("127.0.0.1").ljust(16, b"\0")
_FOREVER = b"\xff" * 32 + b"\0" * 32
USERSPACE_DEVICE = PROTOCOLS["IkeV2"].device
_LAST = 1 << 20
"""Metric that puts a route behind all others."""
CHARONS_TABLE, LOCAL_TABLE = 220, 255
_STEERED = 100
"""Priority of the rules for tunnelled destinations: before the kernel's default rules."""


@dataclass(frozen=True)
class Datapath:
    """`userspace`: strongSwan's kernel-libipsec on a TUN device; otherwise kernel ESP."""

    userspace: bool
    why: str

    def __str__(self) -> str:
        if self.userspace:
            return f"userspace (kernel-libipsec, {USERSPACE_DEVICE}: {self.why})"
        return "kernel (ESP)"


def find() -> Datapath:
    """Ask the kernel of this network namespace for ESP with AES-256-GCM, Azure's first choice."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_XFRM) as kernel:
            code = _request(kernel, _NEWSA, _association())
            if code == 0:
                _request(kernel, _DELSA, _identity())
    except OSError as error:
        return Datapath(userspace=True, why=f"no NETLINK_XFRM: {error.strerror}")
    if code in {0, errno.EEXIST}:
        return Datapath(userspace=False, why="")
    return Datapath(userspace=True, why=f"the kernel has no ESP: {os.strerror(code)}")


def _request(kernel: socket.socket, kind: int, body: bytes) -> int:
    """Send one request and return the kernel's error number, 0 for success."""
    length = _HEADER.size + len(body)
    kernel.send(_HEADER.pack(length, kind, _REQUEST | _ACK, 1, 0) + body)
    code: int = struct.unpack_from("=i", kernel.recv(65536), _HEADER.size)[0]
    return -code


def _association() -> bytes:
    """struct xfrm_usersa_info and its XFRMA_ALG_AEAD."""
    key = bytes(36)  # 32 of AES-256, 4 of salt (RFC 4106)
    algorithm = struct.pack("=64sII", b"rfc4106(gcm(aes))", len(key) * 8, 128) + key
    attribute = struct.pack("=HH", 4 + len(algorithm), _ALG_AEAD) + algorithm
    selector = bytes(56)
    identity = _ADDRESS + struct.pack(">IB3x", _SPI, _ESP)
    counters = bytes(32 + 12)
    tail = struct.pack("=IIHBBB7x", 0, 0, socket.AF_INET, _TUNNEL_MODE, 0, 0)
    return selector + identity + _ADDRESS + _FOREVER + counters + tail + attribute


def _identity() -> bytes:
    """struct xfrm_usersa_id."""
    return _ADDRESS + struct.pack(">I", _SPI) + struct.pack("=HBx", socket.AF_INET, _ESP)


def lay_routes(
    *,
    pool: Iterable[IPv4Network],
    former: Iterable[IPv4Network],
    selectors: Iterable[IPv4Network],
    source: IPv4Address,
) -> None:
    """Route the pool into kernel-libipsec's device, and delete the routes of a former pool.

    libipsec takes the source of its routes from a local address inside each traffic selector, and
    refuses the CHILD_SA if there is none. For each selector without one, the selector's network
    address is therefore added to `lo`. It may be a host's, so packets to it are forwarded: its
    local route is moved to charon's table, which comes last and makes it a valid source there.

    EngineError: the device is missing, or the kernel refuses.
    """
    from pyroute2 import IPRoute  # noqa: PLC0415 - 0.1 s, and only without ESP in the kernel
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415

    with IPRoute() as kernel:
        found = kernel.link_lookup(ifname=USERSPACE_DEVICE)
        if not found:
            raise EngineError(
                f"kernel-libipsec did not create {USERSPACE_DEVICE}; does /dev/net/tun exist?"
            )
        loopback = kernel.link_lookup(ifname="lo")[0]
        try:
            own = [ip_address(row.get_attr("IFA_LOCAL")) for row in kernel.get_addr(socket.AF_INET)]
            for selector in _outermost(selectors):
                if not any(address in selector for address in own):
                    address = f"{selector.network_address}/32"
                    local = {"dst": address, "oif": loopback, "type": "local", "scope": "host"}
                    kernel.addr("add", index=loopback, address=address)
                    kernel.route("replace", **local, table=CHARONS_TABLE)
                    kernel.route("del", **local, table=LOCAL_TABLE)
            for part in former:
                kernel.route("del", dst=str(part), oif=found[0])
            for part in pool:
                kernel.route("replace", dst=str(part), oif=found[0], prefsrc=str(source))
        except NetlinkError as error:
            raise EngineError(f"cannot lay a route into {USERSPACE_DEVICE}: {error}") from error


def _outermost(prefixes: Iterable[IPv4Network]) -> list[IPv4Network]:
    """Those that no other one contains: charon negotiates only these."""
    every = list(prefixes)
    return [one for one in every if not any(one != two and one.subnet_of(two) for two in every)]


def fence(prefixes: Iterable[IPv4Network], former: Iterable[IPv4Network]) -> None:
    """Send packets to these destinations into a tunnel or nowhere, never out in cleartext.

    For each prefix, an `unreachable` route with the highest metric takes effect once the tunnel's
    device has disappeared with its daemon.
    """
    from pyroute2 import IPRoute  # noqa: PLC0415 - as above
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415

    with IPRoute() as kernel:
        try:
            for part in former:
                kernel.route("del", dst=str(part), type="unreachable", priority=_LAST)
            for part in prefixes:
                kernel.route("replace", dst=str(part), type="unreachable", priority=_LAST)
        except NetlinkError as error:
            raise EngineError(f"cannot fence {part}: {error}") from error


def steer(prefixes: Iterable[IPv4Network], former: Iterable[IPv4Network]) -> None:
    """The same for kernel ESP: packets to these destinations follow charon's routes, which exist as
    long as its policies, or go nowhere.

    Policies match by address, not by route. But without charon's route, the gateway's own packets
    would have the public address as their source and match no policy.
    """
    from pyroute2 import IPRoute  # noqa: PLC0415 - as above
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415

    ways: tuple[dict[str, object], ...] = (
        {"priority": _STEERED, "table": CHARONS_TABLE},
        {"priority": _STEERED + 1, "action": "unreachable"},
    )
    with IPRoute() as kernel:
        try:
            for order, parts in (("del", former), ("add", prefixes)):
                for part in parts:
                    for way in ways:
                        kernel.rule(order, dst=str(part), **way)
        except NetlinkError as error:
            raise EngineError(f"cannot steer {part} into its tunnel: {error}") from error
