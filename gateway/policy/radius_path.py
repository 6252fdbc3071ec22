"""The RADIUS servers of the document, and whether the gateway has a route to them.

Seed: a server on-premises is reached through a site-to-site connection, one in the VNet directly;
traffic to it "can only be routed over a Site-to-Site connection", never over ExpressRoute.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Protocol

from radius.attributes import Nas, nas_identifier
from radius.client import RadiusClient
from radius.packet import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.arm.connections import ConnectionStatus
    from gateway.arm.placement import Placement
    from gateway.arm.resource import VpnClientConfiguration


class Sites(Protocol):
    """The gateway's connections to sites (gateway.s2s.sites)."""

    def reaches(self, address: IPv4Address) -> str | None:
        """The name of the connection whose site contains the address; None: no site does."""

    def status(self, name: str) -> ConnectionStatus:
        """A connection's status."""


class RadiusPath:
    """The RADIUS servers of the current document. `client` asks them; engines share it."""

    def __init__(
        self,
        placement: Placement,
        sites: Sites,
        block: Callable[[Iterable[IPv4Network], Iterable[IPv4Network]], None],
    ) -> None:
        """`block` makes the first prefixes unreachable, and the second no longer so."""
        self._placement = placement
        self._sites = sites
        self._block = block
        self._servers: tuple[Server, ...] = ()
        self._client: RadiusClient | None = None
        self._fenced: tuple[IPv4Network, ...] = ()

    @property
    def enabled(self) -> bool:
        """Whether users authenticate by RADIUS."""
        return bool(self._servers)

    @property
    def client(self) -> RadiusClient:
        """The client of the current servers; it is closed when they change."""
        assert self._client
        return self._client

    async def configure(self, configuration: VpnClientConfiguration) -> None:
        """Use the servers of a document; a change ends pending requests."""
        excepted = {str(address) for address in self._placement.radiusServersThatDoNotSignAll}
        servers = tuple(
            replace(server, may_omit_message_authenticator=server.address in excepted)
            for server in servers_of(configuration)
        )
        if servers == self._servers:
            return
        self._servers = servers
        former, self._client = self._client, None
        if servers:
            placement = self._placement
            nas = Nas(
                nas_identifier(placement.gatewayId),
                str(placement.privateIPAddress),
                str(placement.publicIPAddress),
            )
            self._client = RadiusClient(servers, nas, log=_log)
        if former:
            former.close()

    def close(self) -> None:
        """Close the client."""
        if self._client:
            self._client.close()

    def objection(self) -> str:
        """Why no server can be asked; empty if one can."""
        if any(self._leads_to(server) is not None for server in self._servers):
            return ""
        asked = ", ".join(server.address for server in self._servers)
        return (
            f"{asked} is neither in the VNet nor behind a site-to-site connection, and RADIUS "
            "goes no other way"
        )

    def silence(self) -> str:
        """The possible cause if no server answers: tunnels that are down; empty: none is."""
        names = {self._leads_to(server) for server in self._servers} - {None, ""}
        down = [
            f"the tunnel of {name} is {self._sites.status(name)}"
            for name in sorted(filter(None, names))
            if self._sites.status(name) != "Connected"
        ]
        return ", ".join(down)

    async def fence(self) -> None:
        """Block servers without a route, so that requests to them cannot leave by another way."""
        wanted = tuple(
            IPv4Network(server.address)
            for server in self._servers
            if self._leads_to(server) is None
        )
        former = tuple(prefix for prefix in self._fenced if prefix not in wanted)
        if wanted != self._fenced:
            await asyncio.to_thread(self._block, wanted, former)
            self._fenced = wanted

    def _leads_to(self, server: Server) -> str | None:
        """The connection to a server's site; empty: it is in the VNet; None: there is no route."""
        address = IPv4Address(server.address)
        if any(address in prefix for prefix in self._placement.virtualNetwork.addressPrefixes):
            return ""
        return self._sites.reaches(address)


def servers_of(configuration: VpnClientConfiguration) -> tuple[Server, ...]:
    """The servers in the document's order; the rulebook has ensured that they are complete."""
    if "Radius" not in configuration.vpnAuthenticationTypes:
        return ()
    return tuple(
        Server(
            server.radiusServerAddress,
            server.radiusServerSecret.get_secret_value().encode(),
            server.radiusServerScore or 0,
        )
        for server in configuration.servers
        if server.radiusServerSecret is not None
    )


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")
