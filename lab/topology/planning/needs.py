"""What a client computer wants of its kernel, and what a gateway may come to offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.topology.model.steps import Create, Update

if TYPE_CHECKING:
    from gateway.common.vocabulary import VpnProtocol
    from lab.topology.model.topology import Client, Topology
    from lab.topology.planning.plan import Need


def needs_of(topology: Topology, client: Client) -> tuple[Need, ...]:
    """PPP, if it may dial SSTP by sstpc at a gateway that offers it, now or later."""
    if client.sstpClient != "sstpc" or "SSTP" not in client.dials:
        return ()
    return ("ppp",) if may_offer(topology, topology.gateway_of(client), "SSTP") else ()


def may_offer(topology: Topology, gateway: str, protocol: VpnProtocol) -> bool:
    """Whether this gateway offers the protocol to clients, now or after a change."""
    configuration = topology.gateways[gateway].properties.vpnClientConfiguration
    if configuration is not None and protocol in configuration.vpnClientProtocols:
        return True
    changes = [
        step.properties
        for step in topology.expect
        if (isinstance(step, Update) and step.update == gateway)
        or (isinstance(step, Create) and step.create == gateway)
    ]
    return any(_offers(properties, protocol) for properties in changes)


def _offers(properties: dict[str, Any], protocol: VpnProtocol) -> bool:
    """Of a part of a gateway's document, in which null takes something out (RFC 7396)."""
    configuration = properties.get("vpnClientConfiguration") or {}
    return protocol in (configuration.get("vpnClientProtocols") or ())
