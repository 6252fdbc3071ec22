"""Connections and local network gateways: their ARM documents, and the tunnels made from them."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any, Literal

from gateway.arm.connections import Connection, LocalNetworkGateway
from gateway.arm.documents import parse
from gateway.arm.rules.connections import (
    CONNECTION_RULES,
    ConnectionCase,
    local_gateway_violations,
)
from gateway.common.errors import Detail, InvalidDocumentError, NotFoundError
from gateway.policy.diagnostics import TunnelLog
from gateway.s2s.config import Tunnel
from gateway.s2s.engine import SiteToSite

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.arm.connections import ConnectionStatus
    from gateway.arm.placement import Placement
    from gateway.arm.resource import VirtualNetworkGateway
    from gateway.arm.rules.case import Violation
    from gateway.charon.daemon import Charon

_NAME = re.compile(r"[0-9A-Za-z]([0-9A-Za-z_.-]{0,78}[0-9A-Za-z_])?")
"""Azure-docs resource-name-rules, Microsoft.Network: connections and localNetworkGateways."""


class Connections:
    """The site-to-site part of a gateway."""

    def __init__(self, placement: Placement, charon: Charon) -> None:
        self.log = TunnelLog()
        self._placement = placement
        self._engine = SiteToSite(placement, charon, self.log)
        self._local_gateways: dict[str, LocalNetworkGateway] = {}
        self._connections: dict[str, Connection] = {}

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes of all connected sites."""
        used = {connection.local_network_gateway for connection in self._connections.values()}
        return tuple(prefix for name in used for prefix in self._space(self._local_gateways[name]))

    def take_local_gateway(
        self, name: str, data: object, gateway: VirtualNetworkGateway | None
    ) -> None:
        """PUT a local network gateway. InvalidDocumentError: nothing has changed."""
        local = parse(LocalNetworkGateway, data, name=name)
        network = tuple(map(str, self._placement.virtualNetwork.addressPrefixes))
        found = local_gateway_violations(
            local, {"virtual network": network, "pool": _pool(gateway)}
        )
        _refuse(name, local.name, found)
        self._local_gateways[name] = local

    def take_connection(self, name: str, data: object, gateway: VirtualNetworkGateway) -> None:
        """PUT a connection. InvalidDocumentError: nothing has changed."""
        connection = parse(Connection, data, name=name).with_key_of(self._connections.get(name))
        others = {n: other for n, other in self._connections.items() if n != name}
        case = ConnectionCase(connection, gateway, self._local_gateways, others)
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

    async def reconcile(self, gateway: VirtualNetworkGateway) -> None:
        """Have exactly the tunnels that the documents describe."""
        network = self._placement.virtualNetwork.addressPrefixes
        local = (*network, *map(IPv4Network, _pool(gateway)))
        await self._engine.configure(
            tuple(self._tunnel(connection, local) for connection in self._connections.values())
        )

    async def stop(self) -> None:
        """End all tunnels."""
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

    def status(self, name: str) -> ConnectionStatus:
        """The last known status of a connection."""
        return self._engine.status(name)

    def reaches(self, address: IPv4Address) -> str | None:
        """The name of the connection whose site contains the address; None: no site does."""
        return self._engine.reaches(address)

    def _tunnel(self, connection: Connection, local: tuple[IPv4Network, ...]) -> Tunnel:
        properties = connection.properties
        there = self._local_gateways[connection.local_network_gateway]
        assert properties.sharedKey
        return Tunnel(
            connection.name,
            IPv4Address(there.properties.gatewayIpAddress),
            tuple(map(IPv4Network, self._space(there))),
            local,
            properties.dpdTimeoutSeconds,
            properties.connectionMode != "ResponderOnly",
            properties.sharedKey,
            next(iter(properties.ipsecPolicies), None),
        )

    def _space(self, local: LocalNetworkGateway) -> tuple[str, ...]:
        return local.properties.localNetworkAddressSpace.addressPrefixes


def _pool(gateway: VirtualNetworkGateway | None) -> tuple[str, ...]:
    client = gateway.properties.vpnClientConfiguration if gateway else None
    return client.vpnClientAddressPool.addressPrefixes if client else ()


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
