"""Connections and local network gateways: their ARM documents, and the tunnels made from them."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any, Literal

from gateway.arm.connections import Connection, LocalNetworkGateway
from gateway.arm.documents import parse
from gateway.arm.rules.bgp import asn_of
from gateway.arm.rules.connections import (
    CONNECTION_RULES,
    ConnectionCase,
    local_gateway_violations,
)
from gateway.common.errors import Detail, InvalidDocumentError, NotFoundError
from gateway.policy.diagnostics import TunnelLog
from gateway.s2s import bgp
from gateway.s2s.config import Tunnel
from gateway.s2s.engine import SiteToSite

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from gateway.arm.connections import ConnectionStatus
    from gateway.arm.placement import Placement
    from gateway.arm.resource import VirtualNetworkGateway
    from gateway.arm.rules.case import Violation
    from gateway.charon.daemon import Charon

_NAME = re.compile(r"[0-9A-Za-z]([0-9A-Za-z_.-]{0,78}[0-9A-Za-z_])?")
"""Azure-docs resource-name-rules, Microsoft.Network: connections and localNetworkGateways."""


class Connections:
    """The site-to-site part of a gateway."""

    def __init__(
        self,
        placement: Placement,
        charon: Charon,
        state: Path,
        learnt: Callable[[], Awaitable[None]],
    ) -> None:
        """`state`: BIRD's directory; `learnt` is awaited when BGP has changed a site's prefixes."""
        self.log = TunnelLog()
        self._placement = placement
        self._engine = SiteToSite(placement, charon, self.log)
        self._speaker = bgp.Speaker(state, learnt)
        self._pool: tuple[IPv4Network, ...] = ()
        self._local_gateways: dict[str, LocalNetworkGateway] = {}
        self._connections: dict[str, Connection] = {}

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes of all connected sites and VNets."""
        ends = (self._end(connection) for connection in self._connections.values())
        return tuple(dict.fromkeys(str(prefix) for _, prefixes in ends for prefix in prefixes))

    def take_local_gateway(
        self, name: str, data: object, gateway: VirtualNetworkGateway | None
    ) -> None:
        """PUT a local network gateway. InvalidDocumentError: nothing has changed."""
        local = parse(LocalNetworkGateway, data, name=name)
        found = local_gateway_violations(local, self._own(gateway))
        _refuse(name, local.name, found)
        self._local_gateways[name] = local

    def take_connection(self, name: str, data: object, gateway: VirtualNetworkGateway) -> None:
        """PUT a connection. InvalidDocumentError: nothing has changed."""
        connection = parse(Connection, data, name=name).with_key_of(self._connections.get(name))
        others = {n: other for n, other in self._connections.items() if n != name}
        case = ConnectionCase(
            connection,
            gateway,
            self._local_gateways,
            others,
            self._placement.virtualNetworkGateways,
            self._own(gateway),
        )
        _refuse(name, connection.name, (v for rule in CONNECTION_RULES for v in rule(case)))
        self._connections[name] = connection

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all connections."""
        return tuple(self._connections)

    def forget(self, kind: Literal["connections", "localNetworkGateways"], name: str) -> bool:
        """DELETE a resource. False: there is none; InvalidDocumentError: a connection uses it."""
        users = [c.name for c in self._connections.values() if c.local_network_gateway == name]
        if kind == "localNetworkGateways" and users:
            raise InvalidDocumentError(f"{name} is used by {', '.join(users)}; delete these first")
        table: dict[str, Any] = self._connections if kind == "connections" else self._local_gateways
        return table.pop(name, None) is not None

    def guard(self, pool: tuple[IPv4Network, ...]) -> None:
        """No site may learn its way to these addresses of clients from now on."""
        self._pool = pool

    async def reconcile(self, gateway: VirtualNetworkGateway) -> None:
        """Have exactly the tunnels that the documents describe."""
        pool = tuple(map(IPv4Network, _pool(gateway)))
        await self._speaker.configure(self._spoken(gateway, pool))
        await self._engine.configure(
            tuple(self._tunnel(connection, pool) for connection in self._connections.values())
        )

    async def stop(self) -> None:
        """End all tunnels."""
        await self._speaker.stop()
        await self._engine.stop()

    def local_gateway(self, name: str) -> dict[str, Any]:
        """GET a local network gateway. NotFoundError."""
        if name not in self._local_gateways:
            raise _not_found(name)
        return self._local_gateways[name].document()

    def local_gateways(self) -> list[dict[str, Any]]:
        """GET all local network gateways."""
        return [local.document() for local in self._local_gateways.values()]

    async def connection(self, name: str) -> dict[str, Any]:
        """GET a connection, without the key, with status and counters. NotFoundError."""
        if name not in self._connections:
            raise _not_found(name)
        document = self._connections[name].document()
        report = await self._engine.report(name)
        document["properties"] |= {
            "connectionStatus": report.status,
            "ingressBytesTransferred": report.ingress,
            "egressBytesTransferred": report.egress,
            "provisioningState": "Succeeded",
        }
        return document

    async def connections(self) -> list[dict[str, Any]]:
        """GET all connections."""
        return [await self.connection(name) for name in self._connections]

    def bgp_peers(self) -> list[dict[str, Any]]:
        """ARM's getBgpPeerStatus."""
        return self._speaker.peers()

    def learned_routes(self) -> list[dict[str, Any]]:
        """ARM's getLearnedRoutes: what was accepted of peers' announcements and is in force."""

        def accepted(name: str) -> list[IPv4Network]:
            learnt, laid = self._learnt(self._connections[name]), self._engine.prefixes(name)
            return [prefix for prefix in learnt if prefix in laid]

        return self._speaker.routes(accepted)

    def status(self, name: str) -> ConnectionStatus:
        """The last known status of a connection."""
        return self._engine.status(name)

    def reaches(self, address: IPv4Address) -> str | None:
        """The name of the connection whose site contains the address; None: no site does."""
        return self._engine.reaches(address)

    def _tunnel(self, connection: Connection, pool: tuple[IPv4Network, ...]) -> Tunnel:
        """Clients' addresses are for sites alone: a client reaches no other VNet (seed)."""
        properties = connection.properties
        peer, prefixes = self._end(connection)
        to_vnet = properties.connectionType == "Vnet2Vnet"
        assert properties.sharedKey
        return Tunnel(
            connection.name,
            peer,
            prefixes,
            (*self._placement.virtualNetwork.addressPrefixes, *(() if to_vnet else pool)),
            properties.dpdTimeoutSeconds,
            self._initiates(connection, peer),
            properties.sharedKey,
            next(iter(properties.ipsecPolicies), None),
        )

    def _initiates(self, connection: Connection, peer: IPv4Address) -> bool:
        """Of two gateways of Azure the one with the lower address initiates, unless their mode says
        more: both at once would replace each other's tunnel."""
        mode = connection.properties.connectionMode
        if mode == "Default" and connection.properties.connectionType == "Vnet2Vnet":
            return self._placement.publicIPAddress < peer
        return mode != "ResponderOnly"

    def _end(self, connection: Connection) -> tuple[IPv4Address, tuple[IPv4Network, ...]]:
        """The other end's public address, and the prefixes behind it."""
        if connection.properties.connectionType == "Vnet2Vnet":
            remote = self._placement.virtualNetworkGateways[connection.remote_gateway]
            return remote.publicIPAddress, remote.addressPrefixes
        there = self._local_gateways[connection.local_network_gateway].properties
        prefixes = _networks(there.localNetworkAddressSpace.addressPrefixes)
        learnt = self._learnt(connection) if connection.properties.enableBgp else ()
        return IPv4Address(there.gatewayIpAddress), tuple(dict.fromkeys((*prefixes, *learnt)))

    def _learnt(self, connection: Connection) -> tuple[IPv4Network, ...]:
        """What a site has announced and may have. Of two sites that announce the same, the first
        connection has it: the kernel could not tell two tunnels with one selector apart."""
        taken = [*self._placement.virtualNetwork.addressPrefixes, *self._pool]
        for name, other in self._connections.items():
            if name == connection.name:
                break
            taken += self._end(other)[1]
        told = self._speaker.learnt(connection.name)
        for other in self._connections.values():
            local = self._local_gateways.get(other.local_network_gateway)
            if other is not connection and local:
                taken += _networks(local.properties.localNetworkAddressSpace.addressPrefixes)
            elif other is not connection:
                taken += self._end(other)[1]
        return bgp.acceptable(told, taken)

    def _spoken(
        self, gateway: VirtualNetworkGateway, pool: tuple[IPv4Network, ...]
    ) -> bgp.Settings | None:
        """What BIRD is to say, and to whom; None: no connection has BGP.

        Azure announces the VNet's prefixes and those of clients (azure-docs
        vpn-gateway-about-point-to-site-routing: with BGP, sites and clients reach each other).
        """
        address = self._placement.bgpPeeringAddress
        peers = []
        for connection in self._connections.values():
            local = self._local_gateways.get(connection.local_network_gateway)
            settings = local.properties.bgpSettings if local else None
            if not connection.properties.enableBgp or settings is None:
                continue
            assert settings.asn
            assert settings.bgpPeeringAddress
            end = IPv4Address(settings.bgpPeeringAddress)
            peers.append(bgp.Peer(connection.name, end, settings.asn))
        if not peers or address is None or not gateway.properties.enableBgp:
            return None
        announced = (*self._placement.virtualNetwork.addressPrefixes, *pool)
        return bgp.Settings(address, asn_of(gateway.properties), announced, tuple(peers))

    def _own(self, gateway: VirtualNetworkGateway | None) -> dict[str, tuple[str, ...]]:
        """What no other end may have."""
        network = tuple(map(str, self._placement.virtualNetwork.addressPrefixes))
        return {"virtual network": network, "pool": _pool(gateway)}


def _pool(gateway: VirtualNetworkGateway | None) -> tuple[str, ...]:
    client = gateway.properties.vpnClientConfiguration if gateway else None
    return client.vpnClientAddressPool.addressPrefixes if client else ()


def _networks(texts: Iterable[str]) -> tuple[IPv4Network, ...]:
    return tuple(map(IPv4Network, texts))


def _not_found(name: str) -> NotFoundError:
    return NotFoundError(f"{name} was not found")


def _refuse(name: str, own: str, found: Iterable[Violation]) -> None:
    details = [violation.detail() for violation in found]
    if not _NAME.fullmatch(own):
        words = "a name has 1 to 80 letters, digits, underscores, periods and hyphens"
        details.append(Detail("InvalidResourceName", words, "name"))
    if name != own:
        details.append(Detail("InvalidResourceName", f"the name in the URL is {name}", "name"))
    if details:
        raise InvalidDocumentError("; ".join(d.message for d in details), details)
