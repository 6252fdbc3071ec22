"""The TUN device of all SSTP clients: opened and configured as root, used unprivileged.

Structures and numbers: linux/if_tun.h, linux/virtio_net.h.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import TYPE_CHECKING

from gateway.common.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Interface, IPv4Network

_TUNSETIFF = 0x400454CA
_TUNGETIFF = 0x800454D2
_TUNSETOFFLOAD = 0x400454D0
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_TUN_F_CSUM, _TUN_F_TSO4, _TUN_F_TSO_ECN, _TUN_F_USO4, _TUN_F_USO6 = 1, 2, 8, 0x20, 0x40
_IFREQ = struct.Struct("=16sH22x")
_QUEUE_PACKETS = 4000


def open_tun(name: str, *, vnet_hdr: bool) -> int:
    """Create the device; return a non-blocking descriptor. The device exists while it is open.

    `vnet_hdr`: every packet is preceded by a struct virtio_net_hdr (10 bytes) and, after offload(),
    may be unsegmented (TSO; from Linux 6.2 on, UDP, too). EngineError.
    """
    flags = _IFF_TUN | _IFF_NO_PI | (_IFF_VNET_HDR if vnet_hdr else 0)
    try:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise EngineError("cannot open /dev/net/tun", said=error.strerror) from error
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, _IFREQ.pack(name.encode(), flags))
    except OSError as error:
        os.close(descriptor)
        raise EngineError(f"cannot make the TUN device {name}", said=error.strerror) from error
    return descriptor


def offload(descriptor: int) -> bool:
    """Let the kernel leave checksums and segmentation to the reader. Whether UDP is included.

    For a device with virtio_net_hdr; needs no privilege.
    """
    tcp = _TUN_F_CSUM | _TUN_F_TSO4 | _TUN_F_TSO_ECN
    try:
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, tcp | _TUN_F_USO4 | _TUN_F_USO6)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, tcp)
        return False
    return True


def has_vnet_hdr(descriptor: int) -> bool:
    """Whether the device was opened with virtio_net_hdr; needs no privilege."""
    answer = fcntl.ioctl(descriptor, _TUNGETIFF, bytes(_IFREQ.size))
    return bool(_IFREQ.unpack(answer)[1] & _IFF_VNET_HDR)


def configure(name: str, address: IPv4Interface, mtu: int, routes: Iterable[IPv4Network]) -> None:
    """Set the device's address, MTU (bytes of an IP packet) and routes, and bring it up.

    Equal routes that are there already come first.

    EngineError, with the kernel's message.
    """
    from pyroute2 import IPRoute  # noqa: PLC0415 (0.1 s, and only in the process that is root)
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415

    with IPRoute() as kernel:
        try:
            index = kernel.link_lookup(ifname=name)[0]
            kernel.addr(
                "replace", index=index, address=str(address.ip), prefixlen=address.network.prefixlen
            )
            kernel.link("set", index=index, mtu=mtu, txqlen=_QUEUE_PACKETS, state="up")
            for route in routes:
                kernel.route("append", dst=str(route), oif=index, prefsrc=str(address.ip))
        except NetlinkError as error:
            raise EngineError(f"cannot configure the TUN device {name}", said=str(error)) from error
