"""How the client address pool is divided among protocols.

Azure documents an equal division only where SSTP is one of several protocols
(azure-docs vpn-gateway-client-address-pool). This lab always divides, so that no two engines assign
the same address: with k protocols, each prefix is split into equal parts, whose number is the
smallest power of two that is at least k.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, get_args

from gateway.common.vocabulary import VpnProtocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Address, IPv4Network

_ORDER: tuple[VpnProtocol, ...] = get_args(VpnProtocol)


def divide(
    prefixes: Iterable[IPv4Network], protocols: Iterable[VpnProtocol]
) -> dict[VpnProtocol, tuple[IPv4Network, ...]]:
    """The prefixes of each protocol; parts are allotted in Azure's order of protocols."""
    wanted = sorted(set(protocols), key=_ORDER.index)
    bits = max(0, len(wanted) - 1).bit_length()
    cut = [list(prefix.subnets(prefixlen_diff=bits)) for prefix in prefixes]
    return {protocol: tuple(parts[index] for parts in cut) for index, protocol in enumerate(wanted)}


def usable(parts: Iterable[IPv4Network], *, reserved: int = 0) -> Iterator[IPv4Address]:
    """Addresses for clients: without network, broadcast and the first `reserved` of each part."""
    for part in parts:
        yield from islice(part.hosts(), reserved, None)
