"""The RADIUS servers of a topology: where they stand, what they know, and who knows whom. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from lab.topology.model.steps import Create, Update
from lab.topology.model.topology import GATEWAY_SUBNET
from lab.topology.planning.addressing import radius_name
from lab.topology.planning.plan import CertificatePlan
from lab.topology.planning.specs import DirectorySpec, RadiusSpec
from radius.directory import CONTROLLER, User, member_name
from radius.reasons import bare

if TYPE_CHECKING:
    from lab.topology.model.site_services import RadiusService
    from lab.topology.model.topology import Client, Topology
    from lab.topology.model.values import IpAddress, Network
    from lab.topology.planning.addressing import Addresses
    from lab.topology.reading.problems import Path
    from radius.methods import Method

RADIUS_ROOT = "radius-server-root"
"""The authority of the RADIUS servers' own certificates."""
WITH_TLS: frozenset[Method] = frozenset(("PEAP", "EAP-TLS"))


@dataclass(frozen=True)
class RadiusNode:
    """A RADIUS server, and the part of the file that it comes from."""

    node: str
    service: RadiusService
    path: Path
    site: str | None = None
    address: IpAddress | None = None
    """None for a VNet host's: it has the host's."""

    @property
    def methods(self) -> tuple[Method, ...]:
        """What it speaks: EAP-TLS only with an authority of users' certificates."""
        has = self.service.certificates is not None
        return tuple(m for m in self.service.methods if m != "EAP-TLS" or has)

    @property
    def certificate(self) -> str | None:
        """The name of its own certificate, where it needs one."""
        return f"{self.node}-server" if WITH_TLS & set(self.methods) else None


def radius_nodes(topology: Topology) -> Iterator[RadiusNode]:
    """Every RADIUS server."""
    for name, vnet in topology.vnets.items():
        for host_name, host in vnet.hosts.items():
            if host.radius:
                path: Path = ("vnets", name, "hosts", host_name, "radius")
                yield RadiusNode(host_name, host.radius, path)
    for name, site in topology.sites.items():
        if site.radius:
            path = ("sites", name, "radius")
            yield RadiusNode(radius_name(name), site.radius, path, name, site.radius.address)
            if site.radius.second:
                second = radius_name(name, second=True)
                yield RadiusNode(second, site.radius, path, name, site.radius.second)


def radius_service(topology: Topology, addresses: Addresses, node: RadiusNode) -> RadiusSpec:
    """What runs on the node."""
    at = node.address or addresses.private[node.node]
    certificates, factor = node.service.certificates, node.service.secondFactor
    return RadiusSpec(
        address=str(at),
        clients=tuple(map(str, node.service.clients or _gateway_subnets(topology))),
        methods=node.methods,
        certificate=node.certificate,
        authority=certificates.authority if certificates else None,
        revoked=certificates.revoked if certificates else (),
        signs_all=node.service.signs == "all",
        domain=_domain(topology, node),
        group=node.service.group,
        factor=factor.approved if factor else None,
        deniers=factor.denied if factor else (),
        secret=_secret(topology, at, node),
        users={name: user.password for name, user in node.service.users.items()},
    )


def _gateway_subnets(topology: Topology) -> tuple[Network, ...]:
    vnets = (topology.vnets[gateway.vnet] for gateway in topology.gateways.values())
    return tuple(vnet.subnets[GATEWAY_SUBNET] for vnet in vnets)


def _domain(topology: Topology, node: RadiusNode) -> str | None:
    """Of which its node is a member."""
    directory = topology.sites[node.site].directory if node.site else None
    return directory.domain if directory else None


def directory_service(topology: Topology, site: str) -> DirectorySpec:
    """A site's domain controller; the site's RADIUS servers are the members."""
    directory = topology.sites[site].directory
    assert directory is not None
    servers = [node for node in radius_nodes(topology) if node.site == site]
    members = {member_name(number): server for number, server in enumerate(servers, 1)}
    return DirectorySpec(
        realm=directory.realm,
        addresses={
            CONTROLLER: str(directory.address),
            **{name: str(server.address) for name, server in members.items()},
        },
        members={name: server.node for name, server in members.items()},
        lockout_threshold=directory.lockoutThreshold,
        users=tuple(
            User(
                name,
                user.password.get_secret_value(),
                user.groups,
                user.disabled,
                user.mustChangePassword,
                user.expired,
            )
            for name, user in directory.users.items()
        ),
    )


def not_signing_all(
    topology: Topology, gateway: str, addresses: Addresses
) -> tuple[IpAddress, ...]:
    """Addresses of the servers for which the gateway makes an exception."""
    return tuple(
        node.address or addresses.private[node.node]
        for node in radius_nodes(topology)
        if node.service.signs != "all"
        and node.service.exception
        and gateway in _asking(topology, node)
    )


def _asking(topology: Topology, node: RadiusNode) -> list[str]:
    """The gateways that can reach it: an address may be another server's elsewhere."""
    if node.site is None:
        vnet = node.path[1]
        return [name for name, gateway in topology.gateways.items() if gateway.vnet == vnet]
    connection = topology.sites[node.site].connection
    return [connection.to] if connection and connection.to in topology.gateways else []


def _secret(topology: Topology, at: IpAddress, node: RadiusNode) -> SecretStr:
    """Its own, else the one in a gateway's document; nobody's where no gateway asks it."""
    if node.service.secret:
        return node.service.secret
    near = _asking(topology, node)
    for name in (*near, *topology.gateways):  # one that cannot reach it may still have its secret
        configuration = topology.gateways[name].properties.vpnClientConfiguration
        for server in configuration.servers if configuration else ():
            if server.radiusServerSecret and server.radiusServerAddress == str(at):
                return server.radiusServerSecret
    for _, address, secret in secrets_of_changes(topology):
        if address == str(at):
            return secret
    return SecretStr(secrets.token_hex(16))


def secrets_of_changes(topology: Topology) -> Iterator[tuple[Path, Any, SecretStr]]:
    """The RADIUS secrets that an `update` or a `create` brings: where, for which address, what."""
    for index, step in enumerate(topology.expect):
        if not isinstance(step, Update | Create):
            continue
        client = step.properties.get("vpnClientConfiguration")
        client = client if isinstance(client, dict) else {}
        path: Path = ("expect", index, "properties", "vpnClientConfiguration")
        rows = client.get("radiusServers")
        listed = enumerate(rows if isinstance(rows, list) else ())
        places = [(path, client), *(((*path, "radiusServers", n), row) for n, row in listed)]
        for place, row in places:
            secret = row.get("radiusServerSecret") if isinstance(row, dict) else None
            if isinstance(secret, str):
                at = row.get("radiusServerAddress")
                yield (*place, "radiusServerSecret"), at, SecretStr(secret)


def radius_certificates(
    topology: Topology, host_names: Mapping[str, str]
) -> Iterator[CertificatePlan]:
    """The servers' own certificates, and their authority."""
    nodes = [node for node in radius_nodes(topology) if node.certificate]
    if nodes:
        yield CertificatePlan(
            RADIUS_ROOT, "p2slab RADIUS server root", None, "root", days_after=3650
        )
    for node in nodes:
        assert node.certificate
        name = f"{host_names[node.node]}.corp.test"
        yield CertificatePlan(
            node.certificate, name, RADIUS_ROOT, "server", dns_names=(name,), client_auth=False
        )


def radius_authorities(topology: Topology) -> frozenset[str]:
    """Authorities whose certificates RADIUS servers accept."""
    found = (node.service.certificates for node in radius_nodes(topology))
    return frozenset(certificates.authority for certificates in found if certificates)


def shows_radius_certificates(topology: Topology, name: str) -> tuple[str, ...]:
    """The gateways whose RADIUS servers judge a client's certificate, of those that it dials: where
    the gateway judges certificates too, those of the RADIUS servers' own users."""
    client = topology.clients[name]
    if client.certificate is None or not radius_authorities(topology):
        return ()
    own = client.certificate.issuer in _below(topology)

    def judged(gateway: str) -> bool:
        configuration = topology.gateways[gateway].properties.vpnClientConfiguration
        types = configuration.vpnAuthenticationTypes if configuration else ()
        return "Radius" in types and ("Certificate" not in types or own)

    return tuple(filter(judged, topology.dialled_by(name)))


def _below(topology: Topology) -> frozenset[str]:
    """Those authorities, and what they have issued."""
    found = radius_authorities(topology)
    while more := {n for n, a in topology.pki.items() if a.issuer in found} - found:
        found |= more
    return found


def password_of(topology: Topology, client: Client) -> SecretStr | None:
    """The password that a client's user types: the one given, else the one that servers know."""
    if client.password:
        return client.password
    if client.user is None:
        return None
    for node in radius_nodes(topology):
        if client.user in node.service.users:
            return node.service.users[client.user].password
    for site in topology.sites.values():
        name = bare(client.user)
        if site.directory and name in site.directory.users:
            return site.directory.users[name].password
    return None
