"""The ports of the protocols, and which ones a node's programs have, from its kernel's tables
(proc(5), /proc/net)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

PORTS: dict[str, tuple[tuple[str, int], ...]] = {
    "IkeV2": (("udp", 500), ("udp", 4500)),
    "SSTP": (("tcp", 443),),
    "OpenVPN": (("tcp", 443),),
}
"""Where a dial's packets go; the packets of a tunnel that stands go to the last one."""
_LISTENING = {"tcp": "0A", "udp": "07"}
"""The state of a socket to which strangers may send."""


def listening(protocol: str) -> str:
    """The sockets that listen in the calling thread's namespace: `ADDRESS:PORT`, with spaces
    between; IPv6 ones as `*`, for they take IPv4 too unless bound to an address. To be called by
    Node.wait_for: a node's own /proc does not know its thread. OSError: the kernel does not tell.
    """
    return " ".join(dict.fromkeys(_sockets(protocol)))


def _sockets(protocol: str) -> Iterator[str]:
    for name in (protocol, f"{protocol}6"):
        try:
            rows = Path(f"/proc/thread-self/net/{name}").read_text().splitlines()[1:]
        except FileNotFoundError:
            if name == protocol:
                raise
            continue  # a kernel without IPv6
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTENING[protocol]:
                yield _socket(fields[1])


def _socket(text: str) -> str:
    address, _, port = text.partition(":")
    if len(address) == 8:
        return f"{IPv4Address(bytes.fromhex(address)[::-1])}:{int(port, 16)}"
    return f"{'*' if not int(address, 16) else 'IPv6'}:{int(port, 16)}"


def takes(sockets: str, address: str, port: int) -> bool:
    """Whether one of them takes what is sent to this address and port."""
    return any(f"{own}:{port}" in sockets.split() for own in (address, "0.0.0.0", "*"))
