"""From a topology to the plan of its lab: pure and deterministic.

The topology must have passed lab.topology.rules; what they guarantee is not checked again.
Service options, by role: dns {listen: addresses, records: {name: addresses}, forward:
addresses}; http {port, text}; echo {port}; iperf3 {port}; proxy {port, allow: ports}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from lab.topology.addressing import (
    AZURE_DNS,
    PUBLIC_DNS,
    Addresses,
    Pair,
    allocate,
    pool,
    proxy_name,
)
from lab.topology.certificates import certificate_plans
from lab.topology.firewall import router_rules
from lab.topology.model import GATEWAY_SUBNET
from lab.topology.plan import (
    Bridge,
    ClientPlan,
    End,
    GatewayPlan,
    Link,
    NodePlan,
    Plan,
    Route,
    Service,
)

if TYPE_CHECKING:
    from lab.topology.model import Access, Client, Gateway, Host, Topology, Vnet
    from lab.topology.values import IpAddress, Network

INTERNET = "internet"
_NAMESPACE = UUID("6f1b7f0e-5b0a-5d5c-9a36-3c1f6f2a9d11")
"""Names made from this give the same gateway the same identity every time."""


@dataclass(frozen=True)
class _Identity:
    """How Azure would name a gateway: its id, and the name that clients dial."""

    gateway_id: str
    common_name: str
    fqdn: str


def make_plan(topology: Topology, base: Path) -> Plan:
    """The plan; `base` is the directory of the topology file, for the user's own certificates."""
    addresses = allocate(topology)
    identities = {name: _identity(topology.name, name) for name in topology.gateways}
    world = _World(topology, addresses, identities)
    return Plan(
        name=topology.name,
        story=topology.story,
        nodes=tuple(world.nodes()),
        links=tuple(world.links()),
        certificates=certificate_plans(
            topology, base, {n: (i.common_name, i.fqdn) for n, i in identities.items()}
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
        addresses=_reached_at(addresses),
    )


def _identity(topology: str, gateway: str) -> _Identity:
    gateway_id = uuid5(_NAMESPACE, f"{topology}/{gateway}")
    tail = uuid5(gateway_id, "fqdn").hex[:12]
    return _Identity(
        str(gateway_id),
        f"{gateway_id}.vpn.azure.com",
        f"azuregateway-{gateway_id}-{tail}.vpn.azure.com",
    )


def _reached_at(addresses: Addresses) -> dict[str, str]:
    """By which address others reach a node: gateways at their public one."""
    public = {name: pair.device for name, pair in addresses.public.items()}
    merged = {INTERNET: PUBLIC_DNS, **addresses.private, **public}
    return {name: str(address) for name, address in merged.items()}


def _gateway_plan(
    topology: Topology, name: str, addresses: Addresses, identity: _Identity
) -> GatewayPlan:
    gateway = topology.gateways[name]
    vnet = topology.vnets[gateway.vnet]
    placement = {
        "name": name,
        "gatewayId": identity.gateway_id,
        "fqdn": identity.fqdn,
        "publicIPAddress": str(addresses.public[name].device),
        "privateIPAddress": str(addresses.private[name]),
        "virtualNetwork": {
            "name": gateway.vnet,
            "addressPrefixes": [str(prefix) for prefix in vnet.addressSpace],
            "dnsServers": [str(server) for server in vnet.dhcpOptions.dnsServers],
        },
        "interfaces": {"public": "wan", "private": "lan"},
        "serverCertificate": {
            "certificate": "/run/gateway/server.pem",
            "privateKey": "/run/gateway/server.key",
            "root": "/run/gateway/root.pem",
        },
    }
    properties = gateway.properties.model_dump(mode="json", exclude_unset=True)
    return GatewayPlan(name, name, placement, {"name": name, "properties": properties})


def _client_plan(topology: Topology, name: str, client: Client, addresses: Addresses) -> ClientPlan:
    proxy = topology.access[client.behind].proxy
    at = str(addresses.private[proxy_name(client.behind)]) if proxy else ""
    return ClientPlan(
        name=name,
        node=name,
        os=client.os,
        gateway=topology.gateway_of(client),
        access=client.behind,
        protocols=client.dials,
        certificate=name if client.certificate else None,
        proxy=(at, proxy.port) if proxy else None,
    )


@dataclass(frozen=True)
class _World:
    """Nodes and links, kind by kind."""

    topology: Topology
    addresses: Addresses
    identities: dict[str, _Identity]

    def nodes(self) -> Iterator[NodePlan]:
        """Every computer, the Internet first."""
        yield self._internet()
        for name, vnet in self.topology.vnets.items():
            yield self._vnet(name, vnet)
            for host_name, host in vnet.hosts.items():
                yield self._host(host_name, host, name, vnet)
        for name, gateway in self.topology.gateways.items():
            yield self._gateway(name, gateway)
        for name, access in self.topology.access.items():
            yield self._access(name, access)
            if access.proxy:
                yield self._proxy(name, access)
        for name, client in self.topology.clients.items():
            yield self._client(name, client)

    def links(self) -> Iterator[Link]:
        """Every cable."""
        for index, (name, pair) in enumerate(self.addresses.public.items()):
            internet = _with_length(pair.internet, pair.prefix)
            device = _with_length(pair.device, pair.prefix)
            yield Link(End(INTERNET, f"net{index}", (internet,)), End(name, "wan", (device,)))
        for name, vnet in self.topology.vnets.items():
            yield from self._vnet_links(name, vnet)
        for name in self.topology.access:
            yield from self._access_links(name)

    # ------------------------------------------------------------------------------- nodes

    def _internet(self) -> NodePlan:
        records = {
            identity.fqdn: [str(self.addresses.public[name].device)]
            for name, identity in self.identities.items()
        }
        routed = [name for name, access in self.topology.access.items() if not access.nat]
        return NodePlan(
            INTERNET,
            "internet",
            loopback=(_alone(PUBLIC_DNS),),
            routes=tuple(
                Route(str(self.addresses.lans[name]), str(self.addresses.public[name].device))
                for name in routed
            ),
            forwarding=True,
            nameservers=(str(PUBLIC_DNS),),
            hosts=_hosts_file(INTERNET, PUBLIC_DNS),
            services=(_dns(PUBLIC_DNS, records),),
        )

    def _vnet(self, name: str, vnet: Vnet) -> NodePlan:
        bridges = tuple(
            Bridge(f"sub{index}", (_with_length(prefix.network_address + 1, prefix),))
            for index, prefix in enumerate(vnet.subnets.values())
        )
        routes = tuple(
            Route(str(prefix), str(self.addresses.private[gateway]))
            for gateway, spec in self.topology.gateways.items()
            if spec.vnet == name
            for prefix in pool(self.topology, gateway)
        )
        return NodePlan(
            name,
            "vnet",
            bridges=bridges,
            loopback=(_alone(AZURE_DNS),),
            routes=routes,
            forwarding=True,
            nameservers=(str(AZURE_DNS),),
            hosts=_hosts_file(name, AZURE_DNS),
            services=(_dns(AZURE_DNS, self._names_of(name, vnet)),),
        )

    def _names_of(self, name: str, vnet: Vnet) -> dict[str, list[str]]:
        return {
            known: [str(self.addresses.private[host])]
            for host in vnet.hosts
            for known in (host, f"{host}.{name}.internal")
        }

    def _host(self, name: str, host: Host, vnet_name: str, vnet: Vnet) -> NodePlan:
        address = self.addresses.private[name]
        services = {
            "http": Service("http", {"port": 80, "text": f"hello from {name}"}),
            "iperf3": Service("iperf3", {"port": 5201}),
            "echo": Service("echo", {"port": 7}),
            "dns": _dns(address, self._names_of(vnet_name, vnet), forward=[AZURE_DNS]),
        }
        return NodePlan(
            name,
            "host",
            routes=(Route("default", str(vnet.subnets[host.subnet].network_address + 1)),),
            nameservers=tuple(map(str, vnet.dhcpOptions.dnsServers or (AZURE_DNS,))),
            hosts=_hosts_file(name, address),
            services=tuple(services[word] for word in host.serves),
        )

    def _gateway(self, name: str, gateway: Gateway) -> NodePlan:
        vnet = self.topology.vnets[gateway.vnet]
        router = vnet.subnets[GATEWAY_SUBNET].network_address + 1
        inside = (Route(str(prefix), str(router)) for prefix in vnet.addressSpace)
        return NodePlan(
            name,
            "gateway",
            routes=(_default(self.addresses.public[name]), *inside),
            forwarding=True,
            nameservers=(str(PUBLIC_DNS),),
            hosts=_hosts_file(name, self.addresses.private[name]),
        )

    def _access(self, name: str, access: Access) -> NodePlan:
        lan = self.addresses.lans[name]
        return NodePlan(
            name,
            "access",
            bridges=(Bridge("lan", (_with_length(lan.network_address + 1, lan),)),),
            routes=(_default(self.addresses.public[name]),),
            forwarding=True,
            nftables=router_rules(access, self.addresses.private.get(proxy_name(name))),
            nameservers=(str(PUBLIC_DNS),),
            hosts=_hosts_file(name, lan.network_address + 1),
        )

    def _proxy(self, name: str, access: Access) -> NodePlan:
        assert access.proxy is not None
        at = self.addresses.private[proxy_name(name)]
        options = {"port": access.proxy.port, "allow": list(access.proxy.allow)}
        return NodePlan(
            proxy_name(name),
            "proxy",
            routes=(Route("default", str(self.addresses.lans[name].network_address + 1)),),
            nameservers=(str(PUBLIC_DNS),),
            hosts=_hosts_file(proxy_name(name), at),
            # Behind a firewall that lets out nothing else, somebody must answer DNS.
            services=(_dns(at, {}, forward=[PUBLIC_DNS]), Service("proxy", options)),
        )

    def _client(self, name: str, client: Client) -> NodePlan:
        lan = self.addresses.lans[client.behind]
        nameserver = self.addresses.private.get(proxy_name(client.behind), PUBLIC_DNS)
        return NodePlan(
            name,
            "client",
            routes=(Route("default", str(lan.network_address + 1)),),
            nameservers=(str(nameserver),),
            hosts=_hosts_file(name, self.addresses.private[name]),
        )

    # ------------------------------------------------------------------------------- links

    def _vnet_links(self, name: str, vnet: Vnet) -> Iterator[Link]:
        for index, (subnet, prefix) in enumerate(vnet.subnets.items()):
            members = [(host, "eth0") for host, spec in vnet.hosts.items() if spec.subnet == subnet]
            if subnet == GATEWAY_SUBNET:
                gateways = self.topology.gateways.items()
                members += [(gateway, "lan") for gateway, spec in gateways if spec.vnet == name]
            yield from self._plugged_in(name, f"sub{index}", prefix, members)

    def _access_links(self, name: str) -> Iterator[Link]:
        clients = self.topology.clients.items()
        members = [(client, "eth0") for client, spec in clients if spec.behind == name]
        if self.topology.access[name].proxy:
            members.append((proxy_name(name), "eth0"))
        yield from self._plugged_in(name, "lan", self.addresses.lans[name], members)

    def _plugged_in(
        self, router: str, bridge: str, prefix: Network, members: Iterable[tuple[str, str]]
    ) -> Iterator[Link]:
        for index, (member, interface) in enumerate(members):
            address = _with_length(self.addresses.private[member], prefix)
            yield Link(
                End(router, f"{bridge}p{index}", bridge=bridge), End(member, interface, (address,))
            )


def _default(pair: Pair) -> Route:
    return Route("default", str(pair.internet))


def _with_length(address: IpAddress, prefix: Network) -> str:
    return f"{address}/{prefix.prefixlen}"


def _alone(address: IpAddress) -> str:
    return str(ip_network(address))


def _hosts_file(name: str, address: IpAddress) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """A node knows only itself: every other name is asked of a DNS server."""
    return (("127.0.0.1", ("localhost",)), ("::1", ("localhost",)), (str(address), (name,)))


def _dns(
    listen: IpAddress, records: dict[str, list[str]], forward: Iterable[IpAddress] = ()
) -> Service:
    options = {"listen": [str(listen)], "records": records, "forward": [str(f) for f in forward]}
    return Service("dns", options)
