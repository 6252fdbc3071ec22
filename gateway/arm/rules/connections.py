"""Rules about connections and local network gateways."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from gateway.arm.connections import name_in
from gateway.arm.resource import NOT_YET
from gateway.arm.rules.bgp import ends_have_bgp, usable_peer
from gateway.arm.rules.case import LAB, Path, Violation, not_a_prefix, prefix_of
from gateway.arm.rules.ipsec import connection_policies
from gateway.arm.sku import SKUS, more_tunnels
from radius.printable import is_printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gateway.arm.connections import Connection, LocalNetworkGateway
    from gateway.arm.placement import RemoteGateway
    from gateway.arm.resource import VirtualNetworkGateway

LONGEST_KEY = 128
_ENDS = {
    "IPsec": ("localNetworkGateway2", "virtualNetworkGateway2"),
    "Vnet2Vnet": ("virtualNetworkGateway2", "localNetworkGateway2"),
}
"""The types of tunnels: the field that names the other end, and the one that does not belong."""
_SPEC = "azure-rest-api-specs: a connection refers to existing resources"


@dataclass(frozen=True)
class ConnectionCase:
    """A connection, and the resources that exist already."""

    connection: Connection
    gateway: VirtualNetworkGateway
    local_gateways: Mapping[str, LocalNetworkGateway]
    others: Mapping[str, Connection]
    """The gateway's other connections, by name."""
    remote_gateways: Mapping[str, RemoteGateway] = field(default_factory=dict)
    """The other virtual network gateways, by name."""
    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """A description ("virtual network") to prefixes of this side."""

    def device(self, connection: Connection) -> str:
        """The public address of the other end; empty: it does not exist."""
        if connection.properties.connectionType == "Vnet2Vnet":
            remote = self.remote_gateways.get(connection.remote_gateway)
            return str(remote.publicIPAddress) if remote else ""
        local = self.local_gateways.get(connection.local_network_gateway)
        return local.properties.gatewayIpAddress if local else ""


def tunnels_only(case: ConnectionCase) -> Iterator[Violation]:
    """Only tunnels over the Internet; a private link is no VPN gateway connection."""
    properties = case.connection.properties
    if properties.connectionType not in _ENDS:
        kind = properties.connectionType
        yield Violation(("connectionType",), f"{kind}: {NOT_YET}", "use IPsec or Vnet2Vnet", LAB)
    if properties.connectionProtocol != "IKEv2":
        yield Violation(("connectionProtocol",), f"IKEv1: {NOT_YET}", "use IKEv2", LAB)


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
    end = _ENDS.get(properties.connectionType)
    if end is None:
        return
    wanted, other = end
    if getattr(properties, other) is not None:
        yield Violation(
            (other,),
            f"a connection of type {properties.connectionType} leads to a {wanted}",
            "leave it out",
            _SPEC,
        )
    if getattr(properties, wanted) is None:
        yield Violation(
            (wanted,),
            f"a connection of type {properties.connectionType} needs {wanted}",
            "name it by its id",
            _SPEC,
        )
    elif wanted == "virtualNetworkGateway2":
        yield from _leads_to_another_vnet(case)
    elif case.connection.local_network_gateway not in case.local_gateways:
        yield Violation(
            ("localNetworkGateway2", "id"),
            f"there is no local network gateway {case.connection.local_network_gateway!r}",
            "PUT it first",
            _SPEC,
        )


def _leads_to_another_vnet(case: ConnectionCase) -> Iterator[Violation]:
    name = case.connection.remote_gateway
    remote = case.remote_gateways.get(name)
    path: Path = ("virtualNetworkGateway2", "id")
    if remote is None:
        known = ", ".join(case.remote_gateways) or "none"
        message = f"there is no other virtual network gateway {name!r}"
        yield Violation(path, message, f"there are: {known}", _SPEC)
        return
    for prefix in remote.addressPrefixes:
        yield from _overlaps(path, prefix, case.own)


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
    mine = case.device(case.connection)
    end, _ = _ENDS.get(case.connection.properties.connectionType, ("", ""))
    for name, other in case.others.items():
        if mine and mine == case.device(other):
            yield Violation(
                (end, "id"),
                f"{name} already connects to {mine}",
                "use one connection per VPN device",
                "azure-docs vpn-gateway-about-vpngateways: one tunnel between two addresses",
            )


def policy_can_be_agreed_on(case: ConnectionCase) -> Iterator[Violation]:
    """The policy is one that Azure supports."""
    yield from connection_policies(
        case.connection.properties.ipsecPolicies, case.gateway.properties
    )


def both_ends_have_bgp(case: ConnectionCase) -> Iterator[Violation]:
    """BGP runs between a gateway and a site that both have it."""
    connection = case.connection
    if not connection.properties.enableBgp:
        return
    if connection.properties.connectionType == "Vnet2Vnet":
        yield Violation(("enableBgp",), f"BGP between VNets: {NOT_YET}", "leave it out", LAB)
    elif local := case.local_gateways.get(connection.local_network_gateway):
        yield from ends_have_bgp(case.gateway, local)


CONNECTION_RULES: tuple[Callable[[ConnectionCase], Iterator[Violation]], ...] = (
    tunnels_only,
    connects_this_gateway,
    connection_has_a_key,
    route_based_yet,
    tunnels_of_the_sku,
    one_tunnel_a_device,
    policy_can_be_agreed_on,
    both_ends_have_bgp,
)


def local_gateway_violations(
    local: LocalNetworkGateway, own: Mapping[str, tuple[str, ...]]
) -> Iterator[Violation]:
    """The device needs an IPv4 address; the site's prefixes must not overlap the gateway's `own`.

    `own` maps a description ("virtual network") to prefixes.
    """
    properties = local.properties
    yield from usable_peer(local)
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
