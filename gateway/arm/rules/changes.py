"""Rules about a change of a gateway that exists: what only another gateway can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.arm.rules.case import Violation
from gateway.arm.sku import BASIC, SKUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.arm.rules.case import Case

_ANEW = "delete the gateway and create it anew"


def sizes_that_a_gateway_changes_to(case: Case) -> Iterator[Violation]:
    """Basic has no other size, and legacy SKUs have only one another."""
    if case.former is None:
        return
    new = SKUS[case.gateway.properties.sku.name]
    old = SKUS[case.former.properties.sku.name]
    if old.resizes_to(new):
        return
    source = (
        "seed: You can't resize a gateway that uses a Basic SKU to one of the new gateway SKUs, "
        "you must instead change to a new SKU, which involves deleting and recreating your VPN "
        "gateway."
        if BASIC in (old.name, new.name)
        else "azure-docs vpn-gateway-about-skus-legacy: you can't resize between the old SKUs and "
        "the new SKU families"
    )
    yield Violation(
        ("sku", "name"),
        f"a gateway of the {old.name} SKU cannot be resized to {new.name}",
        f"{_ANEW} with {new.name}",
        source,
    )


def connections_fit_the_new_size(case: Case) -> Iterator[Violation]:
    """A gateway does not become smaller than its connections need."""
    sku = SKUS[case.gateway.properties.sku.name]
    if case.network.connections > sku.site_to_site_tunnels:
        yield Violation(
            ("sku", "name"),
            f"the {sku.name} SKU allows {sku.site_to_site_tunnels} site-to-site tunnels, and the "
            f"gateway has {case.network.connections}",
            "delete connections first",
            "seed: table of gateway SKUs, S2S/VNet-to-VNet Tunnels",
        )


def vpn_type_stays(case: Case) -> Iterator[Violation]:
    """A gateway keeps its VPN type."""
    new = case.gateway.properties.vpnType
    if case.former and case.former.properties.vpnType != new:
        yield Violation(
            ("vpnType",),
            f"a {case.former.properties.vpnType} gateway cannot become {new}",
            f"{_ANEW} as {new}",
            "azure-docs vpn-gateway-vpn-faq: an Azure VPN gateway type can't be changed from "
            "policy-based to route-based, or from route-based to policy-based",
        )
