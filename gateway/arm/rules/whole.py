"""Rules about the gateway as a whole."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from gateway.arm.resource import NOT_YET
from gateway.arm.rules.bgp import DEFAULT_ASN, usable_asn
from gateway.arm.rules.case import LAB, Violation, not_a_prefix, prefix_of
from gateway.arm.sku import BASIC, SKUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.arm.rules.case import Case


def vpn_gateway_only(case: Case) -> Iterator[Violation]:
    """The lab supports VPN gateways only."""
    if case.gateway.properties.gatewayType != "Vpn":
        kind = case.gateway.properties.gatewayType
        yield Violation(("gatewayType",), f"{kind}: {NOT_YET}", "use Vpn", LAB)


def classic_has_legacy_skus(case: Case) -> Iterator[Violation]:
    """The older deployment model has the older sizes only."""
    sku = SKUS[case.gateway.properties.sku.name]
    if case.deployment == "Classic" and not sku.legacy:
        yield Violation(
            ("sku", "name"),
            f"the classic deployment model does not support the {sku.name} SKU",
            f"use {BASIC} or another legacy SKU, or the Resource Manager deployment model",
            "azure-docs vpn-gateway-about-skus-legacy: classic VPN gateways continue to use the "
            "legacy SKUs"
            if sku.zone_redundant
            else "seed: VpnGw1, VpnGw2, and VpnGw3 are supported for VPN gateways using the "
            "Resource Manager deployment model only.",
        )


def route_based_only(case: Case) -> Iterator[Violation]:
    """Point-to-site needs a route-based gateway."""
    if case.gateway.properties.vpnType == "PolicyBased":
        yield Violation(
            ("vpnType",),
            "a PolicyBased gateway has no point-to-site connections",
            "use RouteBased" + (", a dynamic gateway" if case.deployment == "Classic" else ""),
            "seed: We do not support Point-to-Site for static routing VPN gateways or "
            "PolicyBased VPN gateways.",
        )


def basic_has_no_bgp(case: Case) -> Iterator[Violation]:
    """The SKU table decides on BGP."""
    properties = case.gateway.properties
    if properties.enableBgp and not SKUS[properties.sku.name].bgp:
        yield Violation(
            ("enableBgp",),
            f"the {properties.sku.name} SKU does not support BGP",
            "use VpnGw1 or higher, or leave it out",
            "seed: table of gateway SKUs, column BGP: Basic Not Supported",
        )
    yield from usable_asn(properties.bgpSettings, DEFAULT_ASN)


def tier_is_name(case: Case) -> Iterator[Violation]:
    """A SKU's tier repeats its name."""
    sku = case.gateway.properties.sku
    if sku.tier is not None and sku.tier != sku.name:
        yield Violation(
            ("sku", "tier"),
            f"tier {sku.tier} does not match the SKU's name {sku.name}",
            f"write {sku.name} or leave it out",
            "azure-rest-api-specs virtualNetworkGateway.json, VirtualNetworkGatewaySku",
        )


def stands_in_gateway_subnet(case: Case) -> Iterator[Violation]:
    """Azure finds the gateway's subnet by its name."""
    for index, configuration in enumerate(case.gateway.properties.ipConfigurations):
        subnet = configuration.properties.subnet
        # Names in the ids of resources are compared without case (azure-docs resource naming).
        if subnet and subnet.id.rsplit("/", 1)[-1].lower() != "gatewaysubnet":
            yield Violation(
                ("ipConfigurations", index, "properties", "subnet", "id"),
                f"{subnet.id} is not a gateway subnet",
                "the subnet must be called GatewaySubnet",
                "azure-docs vpn-gateway-vpn-faq: the subnet must be named 'GatewaySubnet'",
            )


def custom_routes_are_prefixes(case: Case) -> Iterator[Violation]:
    """Custom routes, which clients send into the tunnel besides the VNet's, are prefixes."""
    routes = case.gateway.properties.customRoutes
    path = ("customRoutes", "addressPrefixes")
    for index, text in enumerate(routes.addressPrefixes if routes else ()):
        prefix = prefix_of(text)
        if prefix is None:
            yield not_a_prefix((*path, index), text)
        elif not isinstance(prefix, IPv4Network):
            yield Violation((*path, index), f"an IPv6 route: {NOT_YET}", "give an IPv4 prefix", LAB)
