"""Which layers of the private root a topology needs (lab.boot.layers)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.topology.planning.needs import has_several_roots, may_offer, needs_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.topology.model.topology import Topology


def layers_for(topologies: Iterable[Topology]) -> frozenset[str]:
    """Those that these topologies need between them, whatever the machine's kernel has."""
    found = {"core"}
    for topology in topologies:
        if any(needs_of(topology, name) for name in topology.clients):
            found |= {"sstp", "build"}
        if any(may_offer(topology, gateway, "SSTP") for gateway in topology.gateways):
            found.add("build")
        if any(
            may_offer(topology, gateway, "OpenVPN") and has_several_roots(topology, gateway)
            for gateway in topology.gateways
        ):
            found.add("build")  # for roots of one name (gateway/openvpn/issuers.c)
        if any(site.directory for site in topology.sites.values()):
            found.add("directory")
        if any(site.bgp for site in topology.sites.values()):
            found.add("bgp")
    return frozenset(found)
