"""Rules about BGP: autonomous system numbers, and where a site's peer is."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from gateway.arm.rules.case import Path, Violation, prefix_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.arm.connections import LocalNetworkGateway
    from gateway.arm.resource import BgpSettings, GatewayProperties, VirtualNetworkGateway

DEFAULT_ASN = 65515
AZURES_OWN = frozenset((8074, 8075, 12076, 65515, *range(65517, 65521)))
IANAS = frozenset((23456, *range(64496, 64512), *range(65535, 65552)))
LARGEST_ASN = 2**32 - 1
_FAQ = "azure-docs vpn-gateway-faq-bgp-include"
_SETTINGS = ("bgpSettings",)


def asn_of(gateway: GatewayProperties) -> int:
    """The gateway's autonomous system number."""
    settings = gateway.bgpSettings
    return DEFAULT_ASN if settings is None or settings.asn is None else settings.asn


def usable_asn(settings: BgpSettings | None, default: int | None = None) -> Iterator[Violation]:
    """The number may be taken; `default`: the one of Azure's own that may be."""
    asn = settings.asn if settings else None
    if asn is None or asn == default:
        return
    path: Path = (*_SETTINGS, "asn")
    remedy = "such as 65010"
    if not 1 <= asn <= LARGEST_ASN:
        yield Violation(path, f"{asn} is no autonomous system number", remedy, "RFC 6793")
    elif asn in AZURES_OWN:
        yield Violation(path, f"Azure reserves the ASN {asn}", remedy, _FAQ)
    elif asn in IANAS:
        yield Violation(path, f"IANA reserves the ASN {asn}", remedy, _FAQ)


def usable_peer(local: LocalNetworkGateway) -> Iterator[Violation]:
    """A local network gateway with BGP settings names a peer inside its own prefixes."""
    properties = local.properties
    settings = properties.bgpSettings
    if settings is None:
        return
    yield from usable_asn(settings)
    path: Path = (*_SETTINGS, "bgpPeeringAddress")
    if settings.asn is None:
        yield Violation((*_SETTINGS, "asn"), "no ASN", "the site's own, such as 65010", _FAQ)
    try:
        address = IPv4Address(settings.bgpPeeringAddress or "")
    except AddressValueError:
        yield Violation(
            path,
            f"{settings.bgpPeeringAddress!r} is not an IPv4 address",
            "the address at which the site's device speaks BGP",
            _FAQ,
        )
        return
    if str(address) == properties.gatewayIpAddress:
        yield Violation(
            path,
            "the peer is at the device's public address",
            "an address of the device inside the tunnel",
            f"{_FAQ}: the peer must not be the public address of the VPN device",
        )
    prefixes = map(prefix_of, properties.localNetworkAddressSpace.addressPrefixes)
    if not any(prefix and address in prefix for prefix in prefixes):
        yield Violation(
            path,
            f"{address} is in none of the site's prefixes",
            f"add {address}/32 to localNetworkAddressSpace",
            f"{_FAQ}: the local network gateway has the peer's /32",
        )


def ends_have_bgp(
    gateway: VirtualNetworkGateway, local: LocalNetworkGateway
) -> Iterator[Violation]:
    """A connection with BGP needs it at both ends, with different ASNs."""
    path: Path = ("enableBgp",)
    settings = local.properties.bgpSettings
    if not gateway.properties.enableBgp:
        yield Violation(path, f"{gateway.name} has no BGP", "set enableBgp of the gateway", _FAQ)
    if settings is None:
        yield Violation(path, f"{local.name} has no bgpSettings", "add asn and address", _FAQ)
    elif settings.asn == asn_of(gateway.properties):
        yield Violation(
            path,
            f"{local.name} has the gateway's own ASN {settings.asn}",
            "give the two sides different ASNs",
            f"{_FAQ}: the on-premises ASN differs from the VNet's",
        )
