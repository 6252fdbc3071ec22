"""From a topology to the plan of its lab: pure and deterministic.

The topology must have passed lab.topology.rules; what they guarantee is not checked again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.arm.connections import (
    Connection,
    ConnectionProperties,
    LocalNetworkGateway,
    LocalNetworkGatewayProperties,
)
from gateway.arm.placement import (
    Interfaces,
    Placement,
    RemoteGateway,
    ServerCertificate,
    VirtualNetwork,
)
from gateway.arm.resource import AddressSpace, BgpSettings, SubResource, VirtualNetworkGateway
from lab.topology.model.sites import SiteConnection
from lab.topology.planning.addressing import (
    PUBLIC_DNS,
    Addresses,
    allocate,
    bgp_address,
    link_name,
    proxy_name,
)
from lab.topology.planning.host_names import host_names
from lab.topology.planning.identity import identify
from lab.topology.planning.pki import certificate_plans, other_name
from lab.topology.planning.plan import ClientPlan, GatewayPlan, Plan, TlsLimits
from lab.topology.planning.radius_servers import (
    RADIUS_ROOT,
    not_signing_all,
    password_of,
    shows_radius_certificates,
)
from lab.topology.planning.wiring import INTERNET, Network

if TYPE_CHECKING:
    from lab.topology.model.sites import VnetConnection
    from lab.topology.model.topology import Client, Topology
    from lab.topology.planning.identity import Identity


def make_plan(topology: Topology, base: Path) -> Plan:
    """The plan; `base` is the directory of the topology file, for the user's own certificates."""
    addresses = allocate(topology)
    identities = {name: identify(topology.name, name) for name in topology.gateways}
    places = (INTERNET, *topology.vnets, *addresses.public, *addresses.private)
    names = host_names(dict.fromkeys((*places, *map(link_name, addresses.links))))
    world = Network(topology, addresses, identities, names)
    return Plan(
        name=topology.name,
        story=topology.story,
        nodes=tuple(world.nodes()),
        links=tuple(world.links()),
        certificates=certificate_plans(
            topology, base, {n: (i.common_name, i.fqdn) for n, i in identities.items()}, names
        ),
        gateways=tuple(
            _gateway_plan(topology, name, addresses, identity)
            for name, identity in identities.items()
        ),
        clients=tuple(
            _client_plan(topology, name, client, addresses)
            for name, client in topology.clients.items()
        ),
        steps=topology.expect,
        faults=topology.faults,
        addresses=_reached_at(addresses),
    )


def _reached_at(addresses: Addresses) -> dict[str, str]:
    """By which address others reach a node: gateways at their public one."""
    public = {name: pair.device for name, pair in addresses.public.items()}
    merged = {INTERNET: PUBLIC_DNS, **addresses.private, **public}
    return {name: str(address) for name, address in merged.items()}


def _gateway_plan(
    topology: Topology, name: str, addresses: Addresses, identity: Identity
) -> GatewayPlan:
    connections = topology.connections_of(name)
    return GatewayPlan(
        name,
        _placement(topology, name, addresses, identity),
        VirtualNetworkGateway(name=name, properties=topology.gateways[name].properties),
        tuple(
            _local_network_gateway(topology, site, addresses)
            for site in connections
            if site in topology.sites
        ),
        tuple(
            _connection(name, own, spec, bgp=_has_bgp(topology, own))
            for own, spec in connections.items()
        ),
    )


def _placement(
    topology: Topology, name: str, addresses: Addresses, identity: Identity
) -> Placement:
    vnet_name = topology.gateways[name].vnet
    vnet = topology.vnets[vnet_name]
    return Placement(
        name=name,
        gatewayId=identity.gateway_id,
        fqdn=identity.fqdn,
        publicIPAddress=addresses.public[name].device,
        privateIPAddress=addresses.private[name],
        bgpPeeringAddress=bgp_address(topology, name),
        deploymentModel=topology.gateways[name].deploymentModel,
        virtualNetwork=VirtualNetwork(
            name=vnet_name,
            addressPrefixes=vnet.addressSpace,
            dnsServers=vnet.dhcpOptions.dnsServers,
        ),
        virtualNetworkGateways={
            other: RemoteGateway(
                publicIPAddress=addresses.public[other].device,
                addressPrefixes=topology.vnets[spec.vnet].addressSpace,
            )
            for other, spec in topology.gateways.items()
            if other != name
        },
        interfaces=Interfaces(public="wan", private="lan"),
        serverCertificate=ServerCertificate(
            certificate=Path("/run/gateway/server.pem"),
            privateKey=Path("/run/gateway/server.key"),
            root=Path("/run/gateway/root.pem"),
        ),
        radiusServersThatDoNotSignAll=not_signing_all(topology, name, addresses),
        benchmarkScale=topology.gateways[name].benchmarkScale,
    )


def _local_network_gateway(
    topology: Topology, site: str, addresses: Addresses
) -> LocalNetworkGateway:
    spec = topology.sites[site]
    assert spec.connection
    told = spec.connection.localNetworkGateway
    properties = LocalNetworkGatewayProperties(
        localNetworkAddressSpace=AddressSpace(addressPrefixes=tuple(map(str, spec.known_prefixes))),
        gatewayIpAddress=str(told.gatewayIpAddress or addresses.public[site].device),
        bgpSettings=BgpSettings(
            asn=told.bgpSettings.asn or spec.bgp.asn, bgpPeeringAddress=str(spec.bgp_peer)
        )
        if spec.bgp
        else None,
    )
    return LocalNetworkGateway(name=site, properties=properties)


def _connection(
    gateway: str, name: str, spec: SiteConnection | VnetConnection, *, bgp: bool
) -> Connection:
    site = remote = None
    if isinstance(spec, SiteConnection):
        site = SubResource(id=f"/localNetworkGateways/{name}")
    else:
        (other,) = (one for one in spec.gateways if one != gateway)
        remote = SubResource(id=f"/virtualNetworkGateways/{other}")
    properties = ConnectionProperties(
        virtualNetworkGateway1=SubResource(id=f"/virtualNetworkGateways/{gateway}"),
        virtualNetworkGateway2=remote,
        localNetworkGateway2=site,
        connectionType="IPsec" if site else "Vnet2Vnet",
        dpdTimeoutSeconds=spec.dpdTimeoutSeconds,
        sharedKey=spec.sharedKey,
        ipsecPolicies=spec.ipsecPolicies,
        enableBgp=bgp,
    )
    return Connection(name=name, properties=properties)


def _has_bgp(topology: Topology, connection: str) -> bool:
    site = topology.sites.get(connection)
    return site is not None and site.bgp is not None


def _client_plan(topology: Topology, name: str, client: Client, addresses: Addresses) -> ClientPlan:
    proxy = topology.access[client.behind].proxy
    at = str(addresses.private[proxy_name(client.behind)]) if proxy else ""
    judges = shows_radius_certificates(topology, name)
    return ClientPlan(
        name=name,
        node=name,
        system=client.system,
        gateway=topology.gateway_of(client),
        access=client.behind,
        protocols=client.order,
        certificate=name if client.certificate else None,
        others=tuple(
            other_name(name, index) for index, _ in enumerate(client.otherCertificates, 1)
        ),
        user=client.user,
        password=password_of(topology, client),
        radius_root=RADIUS_ROOT if judges else None,
        radius_at=judges,
        proxy=(at, proxy.port) if proxy else None,
        proxy_user=client.proxy.user if client.proxy else None,
        proxy_password=client.proxy.password if client.proxy else None,
        sstp_client=client.sstpClient,
        tls=TlsLimits(client.tls.maximum, ciphers=client.tls.ciphers) if client.tls else None,
        ike=client.ike,
        server=client.profile.server if client.profile else None,
    )
