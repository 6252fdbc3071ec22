"""Rules about the client address pool."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from gateway.arm.resource import NOT_YET
from gateway.arm.rules.case import CLIENT, LAB, Path, Violation, not_a_prefix, prefix_of

SMALLEST_POOL = 29
PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
NOT_HANDED_OUT = tuple(
    map(
        IPv4Network,
        ("0.0.0.0/8", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "224.0.0.0/3"),
    )
)
"""What cannot be the address of a client: ranges that no virtual network may have, either."""
POOL: Path = (*CLIENT, "vpnClientAddressPool", "addressPrefixes")
_POOL_ARTICLE = "azure-docs vpn-gateway-client-address-pool"

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.arm.rules.case import Case


def pool_is_there(case: Case) -> Iterator[Violation]:
    """Clients need addresses."""
    if not case.client.vpnClientAddressPool.addressPrefixes:
        yield Violation(
            POOL,
            "no client address pool",
            "a private prefix outside the VNet, such as 172.16.201.0/24",
            _POOL_ARTICLE,
        )


def pool_prefixes(case: Case) -> Iterator[Violation]:
    """The pool consists of IPv4 prefixes that are large enough. Azure's articles advise private
    ones, and Azure's reference of New-AzVirtualNetworkGateway has 201.169.0.0/16."""
    for index, text in enumerate(case.client.vpnClientAddressPool.addressPrefixes):
        prefix, path = prefix_of(text), (*POOL, index)
        if prefix is None:
            yield not_a_prefix(path, text)
        elif not isinstance(prefix, IPv4Network):
            yield Violation(path, f"an IPv6 pool: {NOT_YET}", "give an IPv4 prefix", LAB)
        elif taken := next((other for other in NOT_HANDED_OUT if prefix.overlaps(other)), None):
            yield Violation(
                path,
                f"{prefix} has addresses of {taken}, which no client can have",
                "a private prefix outside the VNet, such as 172.16.201.0/24",
                "azure-docs virtual-networks-faq: address ranges that cannot be used",
            )
        elif prefix.prefixlen > SMALLEST_POOL:
            yield Violation(
                path,
                f"{prefix} is too small",
                f"/{SMALLEST_POOL} or larger",
                f"{_POOL_ARTICLE}: minimum /29 for active-standby",
            )


def pool_overlaps_nothing(case: Case) -> Iterator[Violation]:
    """A pool prefix overlaps neither the VNet, nor a connected site, nor another pool prefix."""
    texts = case.client.vpnClientAddressPool.addressPrefixes
    pool = [(index, prefix) for index, text in enumerate(texts) if (prefix := prefix_of(text))]
    for index, prefix in pool:
        others = [("the virtual network's", text) for text in case.network.addressPrefixes]
        others += [("the site's", text) for text in case.network.sitePrefixes]
        others += [("the pool's own", str(other)) for i, other in pool if i < index]
        for whose, text in others:
            other = prefix_of(text)
            if other and prefix.version == other.version and prefix.overlaps(other):
                yield Violation(
                    (*POOL, index),
                    f"{prefix} overlaps {whose} {other}",
                    "choose a prefix that nothing else uses",
                    f"{_POOL_ARTICLE}: must not overlap with the on-premises location or the "
                    "virtual network",
                )
