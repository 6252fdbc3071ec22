"""Rules about connections and local network gateways."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from gateway.arm.connections import name_in
from gateway.arm.resource import NOT_YET
from gateway.arm.rules.case import LAB, Path, Violation, not_a_prefix, prefix_of
from gateway.arm.rules.ipsec import connection_policies
from gateway.arm.sku import SKUS, more_tunnels
from radius.printable import is_printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gateway.arm.connections import Connection, LocalNetworkGateway
    from gateway.arm.resource import VirtualNetworkGateway

LONGEST_KEY = 128


@dataclass(frozen=True)
class ConnectionCase:
    """A connection, and the resources that exist already."""

    connection: Connection
    gateway: VirtualNetworkGateway
    local_gateways: Mapping[str, LocalNetworkGateway]
    others: Mapping[str, Connection]
    """The gateway's other connections, by name."""


def ipsec_only(case: ConnectionCase) -> Iterator[Violation]:
    """Only tunnels over the Internet; a private link is no VPN gateway connection."""
    properties = case.connection.properties
    if properties.connectionType != "IPsec":
        kind = properties.connectionType
        yield Violation(("connectionType",), f"{kind}: {NOT_YET}", "use IPsec", LAB)
    if properties.connectionProtocol != "IKEv2":
        yield Violation(("connectionProtocol",), f"IKEv1: {NOT_YET}", "use IKEv2", LAB)
    if properties.enableBgp:
        yield Violation(("enableBgp",), f"BGP: {NOT_YET}", "leave it out", LAB)


def connects_this_gateway(case: ConnectionCase) -> Iterator[Violation]:
    """Both ends of the connection exist."""
    properties = case.connection.properties
    if name_in(properties.virtualNetworkGateway1) != case.gateway.name:
        yield Violation(
            ("virtualNetworkGateway1", "id"),
            f"this gateway is {case.gateway.name}",
            "name it in virtualNetworkGateway1",
            LAB,
        )
    if case.connection.local_network_gateway not in case.local_gateways:
        yield Violation(
            ("localNetworkGateway2", "id"),
            f"there is no local network gateway {case.connection.local_network_gateway!r}",
            "PUT it first",
            "azure-rest-api-specs: a connection refers to existing resources",
        )


def connection_has_a_key(case: ConnectionCase) -> Iterator[Violation]:
    """A connection has a key of printable ASCII; messages never contain its text."""
    secret = case.connection.properties.sharedKey
    key = secret.get_secret_value() if secret else ""
    if not key or len(key) > LONGEST_KEY or not key.isascii() or not is_printable(key):
        yield Violation(
            ("sharedKey",),
            "the shared key cannot be used" if key else "the shared key is missing",
            f"1 to {LONGEST_KEY} printable ASCII characters",
            "azure-docs vpn-gateway-vpn-faq: the PSK is limited to printable ASCII characters",
        )


def route_based_yet(case: ConnectionCase) -> Iterator[Violation]:
    """Not yet PolicyBased: such a gateway has a single IKEv1 tunnel."""
    if case.gateway.properties.vpnType == "PolicyBased":
        yield Violation(
            ("virtualNetworkGateway1", "id"),
            f"a connection of a PolicyBased gateway: {NOT_YET}",
            "use RouteBased",
            LAB,
        )


def tunnels_of_the_sku(case: ConnectionCase) -> Iterator[Violation]:
    """The SKU limits the number of tunnels."""
    sku = SKUS[case.gateway.properties.sku.name]
    if len(case.others) >= sku.site_to_site_tunnels:
        yield Violation(
            ("virtualNetworkGateway1", "id"),
            f"the {sku.name} SKU allows {sku.site_to_site_tunnels} site-to-site tunnels",
            more_tunnels(sku),
            "seed: table of gateway SKUs, S2S/VNet-to-VNet Tunnels",
        )


def one_tunnel_a_device(case: ConnectionCase) -> Iterator[Violation]:
    """Two tunnels to one device could not be told apart by their addresses."""
    mine = case.local_gateways.get(case.connection.local_network_gateway)
    for name, other in case.others.items():
        theirs = case.local_gateways.get(other.local_network_gateway)
        if mine and theirs and _device(mine) == _device(theirs):
            yield Violation(
                ("localNetworkGateway2", "id"),
                f"{name} already connects to {_device(mine)}",
                "use one connection per VPN device",
                "azure-docs vpn-gateway-about-vpngateways: one tunnel between two addresses",
            )


def policy_can_be_agreed_on(case: ConnectionCase) -> Iterator[Violation]:
    """The policy is one that Azure supports."""
    yield from connection_policies(
        case.connection.properties.ipsecPolicies, case.gateway.properties
    )


def _device(local: LocalNetworkGateway) -> str:
    return local.properties.gatewayIpAddress


CONNECTION_RULES: tuple[Callable[[ConnectionCase], Iterator[Violation]], ...] = (
    ipsec_only,
    connects_this_gateway,
    connection_has_a_key,
    route_based_yet,
    tunnels_of_the_sku,
    one_tunnel_a_device,
    policy_can_be_agreed_on,
)


def local_gateway_violations(
    local: LocalNetworkGateway, own: Mapping[str, tuple[str, ...]]
) -> Iterator[Violation]:
    """The device needs an IPv4 address; the site's prefixes must not overlap the gateway's `own`.

    `own` maps a description ("virtual network") to prefixes.
    """
    properties = local.properties
    try:
        IPv4Address(properties.gatewayIpAddress)
    except AddressValueError:
        yield Violation(
            ("gatewayIpAddress",),
            f"{properties.gatewayIpAddress!r} is not an IPv4 address",
            "the public address of the VPN device",
            "azure-rest-api-specs: LocalNetworkGateway.gatewayIpAddress",
        )
    path: Path = ("localNetworkAddressSpace", "addressPrefixes")
    for index, text in enumerate(properties.localNetworkAddressSpace.addressPrefixes):
        prefix = prefix_of(text)
        if isinstance(prefix, IPv4Network):
            yield from _overlaps((*path, index), prefix, own)
        else:
            yield not_a_prefix((*path, index), text)
    if not properties.localNetworkAddressSpace.addressPrefixes:
        yield Violation(
            path,
            "no prefix",
            "name the site's prefixes",
            "azure-docs vpn-gateway-howto-site-to-site: the address space of the site",
        )


def _overlaps(
    path: Path, prefix: IPv4Network, own: Mapping[str, tuple[str, ...]]
) -> Iterator[Violation]:
    for what, texts in own.items():
        for other in map(prefix_of, texts):
            if isinstance(other, IPv4Network) and prefix.overlaps(other):
                yield Violation(
                    path,
                    f"{prefix} overlaps the {what}'s {other}",
                    "the site, the VNet and its clients must not share addresses",
                    "azure-docs vpn-gateway-howto-site-to-site: prefixes must not overlap",
                )
