"""What Azure refuses: one function per rule, each citing the sentence it is based on.

Sources: "seed" is seed/about-point-to-site-vpn.txt; other sources are named articles of
azure-docs. The lab's own rules say `NOT_YET` and name the lab as their source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.arm.rules import addresses, certificates, changes, ipsec, protocols, radius, whole
from gateway.arm.rules.case import Case, Network, Path, Violation
from gateway.arm.rules.unknown import told_whatever_it_is

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.arm.resource import VirtualNetworkGateway
    from gateway.common.vocabulary import DeploymentModel

__all__ = [
    "GATEWAY_RULES",
    "RULES",
    "Network",
    "Path",
    "Violation",
    "violations",
]

GATEWAY_RULES: tuple[Callable[[Case], Iterator[Violation]], ...] = (
    whole.vpn_gateway_only,
    changes.sizes_that_a_gateway_changes_to,
    changes.connections_fit_the_new_size,
    changes.vpn_type_stays,
    whole.classic_has_legacy_skus,
    whole.basic_has_no_bgp,
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
    protocols.legacy_has_no_ikev2_yet,
    protocols.basic_has_no_radius,
    protocols.openvpn_has_no_radius,
    protocols.no_sstp_beside_openvpn,
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
    certificates.roots_issue_clients,
    certificates.thumbprints,
    ipsec.client_policy,
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
    former: VirtualNetworkGateway | None = None,
    unknown: frozenset[Path] = frozenset(),
) -> list[Violation]:
    """Everything that is wrong with the document, in the order of the rules.

    `placeholders` accepts `${NAME.publicCertData}` and `${NAME.thumbprint}`, which topology files
    contain before the certificates are made. `former` is the document that this one replaces.
    `unknown` has the paths, from `properties` on, of what was wrong and is left out: no rule that
    looks there tells anything.
    """
    case = Case(gateway, network, placeholders, deployment, former)
    rules = RULES if gateway.properties.vpnClientConfiguration else GATEWAY_RULES
    if not unknown:
        return [violation for rule in rules for violation in rule(case)]
    return [one for rule in rules for one in told_whatever_it_is(rule, case, unknown)]
