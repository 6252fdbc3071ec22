"""What Azure refuses: one function per rule, each citing the sentence it is based on.

Sources: "seed" is seed/about-point-to-site-vpn.txt; other sources are named articles of
azure-docs. The lab's own rules say `NOT_YET` and name the lab as their source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.arm.rules import addresses, certificates, protocols, radius, whole
from gateway.arm.rules.case import Case, DeploymentModel, Network, Path, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.arm.resource import VirtualNetworkGateway

__all__ = [
    "GATEWAY_RULES",
    "RULES",
    "DeploymentModel",
    "Network",
    "Path",
    "Violation",
    "violations",
]

GATEWAY_RULES: tuple[Callable[[Case], Iterator[Violation]], ...] = (
    whole.vpn_gateway_only,
    whole.no_classic_yet,
    whole.basic_has_no_bgp,
    whole.no_active_active,
    whole.tier_is_name,
    whole.stands_in_gateway_subnet,
    whole.custom_routes_are_prefixes,
)
RULES: tuple[Callable[[Case], Iterator[Violation]], ...] = (
    *GATEWAY_RULES,
    whole.route_based_only,
    protocols.has_a_protocol,
    protocols.nothing_named_twice,
    protocols.basic_has_no_ikev2,
    protocols.basic_has_no_radius,
    protocols.openvpn_has_no_radius,
    protocols.no_sstp_beside_openvpn,
    protocols.no_entra_id_yet,
    protocols.classic_has_sstp_only,
    protocols.classic_has_no_radius,
    radius.radius_has_a_server,
    radius.radius_servers_are_used,
    radius.radius_stands_alone,
    radius.radius_server_addresses,
    radius.radius_server_number,
    radius.radius_server_secrets,
    certificates.certificate_needs_a_root,
    certificates.at_most_20_roots,
    certificates.certificate_names,
    certificates.root_data,
    certificates.thumbprints,
    addresses.pool_is_there,
    addresses.pool_prefixes,
    addresses.pool_overlaps_nothing,
)


def violations(
    gateway: VirtualNetworkGateway,
    network: Network,
    *,
    placeholders: bool = False,
    deployment: DeploymentModel = "ResourceManager",
) -> list[Violation]:
    """Everything that is wrong with the document, in the order of the rules.

    `placeholders` accepts `${NAME.publicCertData}` and `${NAME.thumbprint}`, which topology files
    contain before the certificates are made.
    """
    case = Case(gateway, network, placeholders, deployment)
    rules = RULES if gateway.properties.vpnClientConfiguration else GATEWAY_RULES
    return [violation for rule in rules for violation in rule(case)]
