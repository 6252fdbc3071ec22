"""What a client computer wants of its kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.topology.steps import Update

if TYPE_CHECKING:
    from lab.topology.model import Client, Topology
    from lab.topology.plan import Need


def needs_of(topology: Topology, client: Client) -> tuple[Need, ...]:
    """PPP, if it may dial SSTP by sstpc at a gateway that offers it, now or after an `update`."""
    if client.sstpClient != "sstpc" or "SSTP" not in client.dials:
        return ()
    name = topology.gateway_of(client)
    configuration = topology.gateways[name].properties.vpnClientConfiguration
    offered = configuration is not None and "SSTP" in configuration.vpnClientProtocols
    updates = [step for step in topology.expect if isinstance(step, Update) and step.update == name]
    later = any(_offers_sstp(step.properties) for step in updates)
    return ("ppp",) if offered or later else ()


def _offers_sstp(properties: dict[str, Any]) -> bool:
    """Of a part of a gateway's document, in which null takes something out (RFC 7396)."""
    configuration = properties.get("vpnClientConfiguration") or {}
    return "SSTP" in (configuration.get("vpnClientProtocols") or ())
