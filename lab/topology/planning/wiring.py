"""The computers and cables of a lab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lab.topology.model.topology import GATEWAY_SUBNET
from lab.topology.model.values import IpAddress
from lab.topology.planning.access_services import (
    nameserver_of,
    proxy_service,
    services_of,
)
from lab.topology.planning.addressing import AZURE_DNS, PUBLIC_DNS, Addresses, pool, proxy_name
from lab.topology.planning.builders import (
    alone,
    default_route,
    dns_service,
    host_services,
    hosts_file,
    plugged_in,
    with_length,
)
from lab.topology.planning.firewall import (
    FABRIC,
    host_rules,
    provider_rules,
    router_rules,
    router_sysctls,
)
from lab.topology.planning.lines import aggregate_of, lines_of, shapers_of
from lab.topology.planning.needs import needs_of
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Route
from lab.topology.planning.radius_servers import radius_nodes, radius_service
from lab.topology.planning.route_tables import route_tables
from lab.topology.planning.security_groups import group_rules, virtual_network
from lab.topology.planning.site_wiring import Sites

if TYPE_CHECKING:
    from lab.topology.model.topology import Access, Client, Gateway, Host, Topology, Vnet
    from lab.topology.planning.identity import Identity
    from lab.topology.planning.radius_servers import RadiusNode

INTERNET = "internet"
DEFAULT_MTU = 1500
DHCP_METRIC = 100
"""Of a client's default route: NetworkManager's. A tunnel's default route comes before it."""
Names = dict[str, IpAddress]
"""What a DNS server knows."""


@dataclass(frozen=True)
class Network:
    """Nodes and links, kind by kind."""

    topology: Topology
    addresses: Addresses
    identities: dict[str, Identity]
    host_names: Mapping[str, str]

    def nodes(self) -> Iterator[NodePlan]:
        """Every computer, the Internet first."""
        for node in self._nodes():
            name = self.host_names[node.name]
            yield node if name == node.name else replace(node, alias=name)

    def _nodes(self) -> Iterator[NodePlan]:
        yield self._internet()
        servers = tuple(radius_nodes(self.topology))
        for name, vnet in self.topology.vnets.items():
            names = self._names_of(name, vnet)
            yield self._vnet(name, vnet, names)
            for host_name, host in vnet.hosts.items():
                own = tuple(server for server in servers if server.node == host_name)
                yield self._host(host_name, host, vnet, names, own)
        for name, gateway in self.topology.gateways.items():
            yield self._gateway(name, gateway)
        yield from self.sites.nodes()
        for name, access in self.topology.access.items():
            yield self._access(name, access)
            if access.proxy:
                yield self._proxy(name, access)
        for name, client in self.topology.clients.items():
            yield self._client(name, client)

    def links(self) -> Iterator[Cable]:
        """Every cable."""
        for index, (name, pair) in enumerate(self.addresses.public.items()):
            internet = with_length(pair.internet, pair.prefix)
            device = with_length(pair.device, pair.prefix)
            line = self.topology.access.get(name) or self.topology.sites.get(name)
            yield Cable(
                End(INTERNET, f"net{index}", (internet,)),
                End(name, "wan", (device,)),
                line.mtu if line else DEFAULT_MTU,
            )
        for name, vnet in self.topology.vnets.items():
            yield from self._vnet_links(name, vnet)
        yield from self.sites.links()
        for name in self.topology.access:
            yield from self._access_links(name)

    @property
    def sites(self) -> Sites:
        """The on-premises part."""
        return Sites(self.topology, self.addresses, self.host_names)

    # ------------------------------------------------------------------------------- nodes

    def _internet(self) -> NodePlan:
        written = {
            name: gateway.publicName.to
            for name, gateway in self.topology.gateways.items()
            if gateway.publicName
        }
        records = {
            identity.fqdn: written.get(name, self.addresses.public[name].device)
            for name, identity in self.identities.items()
        }
        silent = [
            self.addresses.public[name].device
            for name, site in self.topology.sites.items()
            if not site.tellsMtu
        ]
        routed = [name for name, access in self.topology.access.items() if not access.nat]
        return NodePlan(
            INTERNET,
            "internet",
            loopback=(alone(PUBLIC_DNS),),
            routes=tuple(
                Route(str(self.addresses.lans[name]), str(self.addresses.public[name].device))
                for name in routed
            ),
            forwarding=True,
            nftables=provider_rules(silent),
            nameservers=(str(PUBLIC_DNS),),
            hosts=hosts_file(self.host_names[INTERNET], PUBLIC_DNS),
            services=(dns_service(PUBLIC_DNS, records),),
        )

    def _vnet(self, name: str, vnet: Vnet, names: Names) -> NodePlan:
        bridges = tuple(
            Bridge(f"sub{index}", (with_length(prefix.network_address + 1, prefix),))
            for index, prefix in enumerate(vnet.subnets.values())
        )
        routes = tuple(
            Route(str(prefix), str(self.addresses.private[gateway]))
            for gateway, spec in self.topology.gateways.items()
            if spec.vnet == name
            for prefix in pool(self.topology, gateway)
        )
        routes = (*routes, *self.sites.routes_of_vnet(name))
        system = [*map(str, vnet.addressSpace), *(route.destination for route in routes)]
        gateways = (own for own, spec in self.topology.gateways.items() if spec.vnet == name)
        gateway = next(map(self.addresses.private.__getitem__, gateways), None)
        tables = route_tables(vnet, [bridge.name for bridge in bridges], system, gateway)
        return NodePlan(
            name,
            "vnet",
            bridges=bridges,
            loopback=(alone(AZURE_DNS),),
            routes=routes,
            route_tables=tuple(tables),
            forwarding=True,
            nftables=FABRIC,
            nameservers=(str(AZURE_DNS),),
            hosts=hosts_file(self.host_names[name], AZURE_DNS),
            services=(dns_service(AZURE_DNS, names),),
        )

    def _names_of(self, name: str, vnet: Vnet) -> Names:
        domain = f"{self.host_names[name]}.internal"
        return {
            known: self.addresses.private[host]
            for host in vnet.hosts
            for known in (self.host_names[host], f"{self.host_names[host]}.{domain}")
        }

    def _host(
        self, name: str, host: Host, vnet: Vnet, names: Names, servers: tuple[RadiusNode, ...]
    ) -> NodePlan:
        address = self.addresses.private[name]
        dns = dns_service(address, names, AZURE_DNS)
        return NodePlan(
            name,
            "host",
            routes=(Route("default", str(vnet.subnets[host.subnet].network_address + 1)),),
            nameservers=tuple(map(str, vnet.dhcpOptions.dnsServers or (AZURE_DNS,))),
            hosts=hosts_file(self.host_names[name], address),
            forwarding=host.forwards,
            nftables=self._rules(vnet, host),
            services=(
                *host_services(name, host, dns),
                *(radius_service(self.topology, self.addresses, server) for server in servers),
            ),
        )

    def _rules(self, vnet: Vnet, host: Host) -> str | None:
        """Of its subnet's network security group, and its own."""
        group = vnet.networkSecurityGroups.get(host.subnet)
        name = next(name for name, one in self.topology.vnets.items() if one is vnet)
        first = group_rules(group, virtual_network(self.topology, name)) if group else ""
        return first + (host_rules(host) or "") or None

    def _gateway(self, name: str, gateway: Gateway) -> NodePlan:
        vnet = self.topology.vnets[gateway.vnet]
        router = vnet.subnets[GATEWAY_SUBNET].network_address + 1
        prefixes = (*vnet.addressSpace, *self.sites.linked_to(gateway.vnet))
        inside = (Route(str(prefix), str(router)) for prefix in prefixes)
        return NodePlan(
            name,
            "gateway",
            routes=(default_route(self.addresses.public[name]), *inside),
            forwarding=True,
            shapers=aggregate_of(self.topology, gateway),
            nameservers=(str(PUBLIC_DNS),),
            hosts=hosts_file(self.host_names[name], self.addresses.private[name]),
        )

    def _access(self, name: str, access: Access) -> NodePlan:
        lan = self.addresses.lans[name]
        router = lan.network_address + 1
        return NodePlan(
            name,
            "access",
            bridges=(Bridge("lan", (with_length(router, lan),)),),
            routes=(default_route(self.addresses.public[name]),),
            forwarding=True,
            nftables=router_rules(access, self.addresses.private.get(proxy_name(name))),
            lines=lines_of(access),
            shapers=shapers_of(access),
            nameservers=(str(PUBLIC_DNS),),
            hosts=hosts_file(self.host_names[name], router),
            services=tuple(services_of(name, access, router, self.identities)),
            sysctls=router_sysctls(access),
        )

    def _proxy(self, name: str, access: Access) -> NodePlan:
        assert access.proxy is not None
        at = self.addresses.private[proxy_name(name)]
        return NodePlan(
            proxy_name(name),
            "proxy",
            routes=(Route("default", str(self.addresses.lans[name].network_address + 1)),),
            nameservers=(str(PUBLIC_DNS),),
            hosts=hosts_file(self.host_names[proxy_name(name)], at),
            # Behind a firewall that lets out nothing else, somebody must answer DNS.
            services=(
                dns_service(at, {}, PUBLIC_DNS),
                proxy_service(access.proxy, self.identities),
            ),
        )

    def _client(self, name: str, client: Client) -> NodePlan:
        lan = self.addresses.lans[client.behind]
        nameserver = nameserver_of(self.topology, client.behind, self.addresses)
        return NodePlan(
            name,
            "client",
            routes=(Route("default", str(lan.network_address + 1), DHCP_METRIC),),
            nameservers=(str(nameserver),),
            hosts=hosts_file(self.host_names[name], self.addresses.private[name]),
            needs=needs_of(self.topology, name),
            clock=client.clock,
        )

    # ------------------------------------------------------------------------------- links

    def _vnet_links(self, name: str, vnet: Vnet) -> Iterator[Cable]:
        for index, (subnet, prefix) in enumerate(vnet.subnets.items()):
            members = [(host, "eth0") for host, spec in vnet.hosts.items() if spec.subnet == subnet]
            if subnet == GATEWAY_SUBNET:
                gateways = self.topology.gateways.items()
                members += [(gateway, "lan") for gateway, spec in gateways if spec.vnet == name]
            yield from plugged_in(name, f"sub{index}", prefix, members, self.addresses)

    def _access_links(self, name: str) -> Iterator[Cable]:
        clients = self.topology.clients.items()
        members = [(client, "eth0") for client, spec in clients if spec.behind == name]
        if self.topology.access[name].proxy:
            members.append((proxy_name(name), "eth0"))
        lan = self.addresses.lans[name]
        yield from plugged_in(name, "lan", lan, members, self.addresses)
