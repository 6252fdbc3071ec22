"""What a client computer wants of its kernel, and what a gateway may come to offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.arm.resource import VpnClientConfiguration
    from gateway.common.vocabulary import AuthenticationType, VpnProtocol
    from lab.topology.model.topology import Topology
    from lab.topology.planning.plan import Need


def needs_of(topology: Topology, name: str) -> tuple[Need, ...]:
    """PPP, if the client may dial SSTP by sstpc at a gateway that offers it, now or later; a clock,
    if its own is wrong."""
    client = topology.clients[name]
    dials = client.sstpClient == "sstpc" and "SSTP" in client.dials
    ppp = dials and any(may_offer(topology, one, "SSTP") for one in topology.dialled_by(name))
    wanted: dict[Need, bool] = {"ppp": ppp, "clock": client.clock != 0}
    return tuple(need for need, is_wanted in wanted.items() if is_wanted)


def may_offer(topology: Topology, gateway: str, protocol: VpnProtocol) -> bool:
    """Whether this gateway offers the protocol to clients, now or after a change."""
    return any(protocol in words for words in _words(topology, gateway, "vpnClientProtocols"))


def may_authenticate(topology: Topology, gateway: str, kind: AuthenticationType) -> bool:
    """Whether clients of this gateway authenticate so, now or after a change."""
    found = _words(topology, gateway, "vpnAuthenticationTypes")
    return any(kind in (words or DEFAULT_AUTHENTICATION) for words in found)


def has_clients(topology: Topology, gateway: str) -> bool:
    """Whether this gateway has a point-to-site configuration, now or after a change."""
    return next(_configurations(topology, gateway), None) is not None


def has_several_roots(topology: Topology, gateway: str) -> bool:
    """Whether several roots are uploaded to this gateway, now or after a change."""
    return any(len(roots) > 1 for roots in _words(topology, gateway, "vpnClientRootCertificates"))


DEFAULT_AUTHENTICATION: tuple[AuthenticationType, ...] = ("Certificate",)
"""Where the document names no type."""


def _words(topology: Topology, gateway: str, key: str) -> Iterator[Sequence[str]]:
    """What the document has under the key of its vpnClientConfiguration, and what changes put
    there."""
    for configuration in _configurations(topology, gateway):
        if isinstance(configuration, dict):
            yield configuration.get(key) or ()
        else:
            yield getattr(configuration, key)


def _configurations(
    topology: Topology, gateway: str
) -> Iterator[VpnClientConfiguration | dict[str, Any]]:
    """The document's vpnClientConfiguration, and the parts of it that changes give. In these null
    takes something out (RFC 7396)."""
    first = topology.gateways[gateway].properties.vpnClientConfiguration
    if first is not None:
        yield first
    for properties in topology.changes_of(gateway):
        patch = properties.get("vpnClientConfiguration")
        if isinstance(patch, dict):
            yield patch
