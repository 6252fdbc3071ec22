"""The computers and cables of on-premises sites, and of their private links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import collapse_addresses
from itertools import permutations
from typing import TYPE_CHECKING

from gateway.arm.rules.addresses import PRIVATE
from gateway.arm.rules.bgp import asn_of
from gateway.charon.proposals import Proposals, proposals
from lab.topology.planning.addressing import (
    PUBLIC_DNS,
    Addresses,
    bgp_address,
    directory_name,
    link_name,
    pool,
)
from lab.topology.planning.builders import (
    default_route,
    dns_service,
    host_services,
    hosts_file,
    plugged_in,
    with_length,
)
from lab.topology.planning.firewall import host_rules, matches
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Route
from lab.topology.planning.radius_servers import directory_service, radius_nodes, radius_service
from lab.topology.planning.specs import BgpSpec, VpnDeviceSpec

if TYPE_CHECKING:
    from lab.topology.model.sites import Site, SiteConnection, SiteFirewall, SiteHost
    from lab.topology.model.topology import Topology
    from lab.topology.model.values import IpAddress, Network
    from lab.topology.planning.plan import Kind
    from lab.topology.planning.radius_servers import RadiusNode
    from lab.topology.planning.specs import DnsSpec, ServiceSpec

EVERYTHING = "0.0.0.0/0"

# What is private goes through a tunnel, a private link, or nowhere: it is never hidden behind the
# device's public address, and on the Internet's side it neither comes nor goes outside IPsec, be it
# the kernel's (secpath, ipsec) or kernel-libipsec's, which has a device of its own.
_FIREWALL = """\
define private = {{ {private} }}
table inet p2slab {{
  chain hide {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "wan" ip daddr != $private masquerade
  }}
  chain arriving {{
    type filter hook prerouting priority raw; policy accept;
    iifname "wan" meta secpath missing ip saddr $private drop
    iifname "wan" meta secpath missing ip daddr $private drop
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname "wan" meta secpath missing goto outside
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    iifname "wan" meta secpath missing ct state != {{ established, related }} drop
  }}
  chain outside {{
    udp dport {{ 500, 4500 }} accept
    meta l4proto esp accept
    ct state established,related accept
    drop
  }}
  chain between {{
    type filter hook forward priority filter; policy accept;
{denied}
  }}
  chain departing {{
    type filter hook postrouting priority srcnat + 10; policy accept;
    oifname "wan" rt ipsec missing ip saddr $private drop
    oifname "wan" rt ipsec missing ip daddr $private drop
  }}
}}
"""


@dataclass(frozen=True)
class Sites:
    """Nodes and links of all sites."""

    topology: Topology
    addresses: Addresses
    host_names: Mapping[str, str]

    def nodes(self) -> Iterator[NodePlan]:
        """Each site's device, its private link, and its computers."""
        for name, site in self.topology.sites.items():
            yield self._device(name, site)
            if site.privateLink:
                yield self._link(name, site)
            for server in self._servers(name):
                radius = radius_service(self.topology, self.addresses, server)
                gateway = site.radius.defaultGateway if site.radius else None
                yield self._in_lan(server.node, "radius", site, (radius,), gateway)
            if site.directory:
                controller = directory_service(self.topology, name)
                yield self._in_lan(directory_name(name), "directory", site, (controller,))
            for host, spec in site.hosts.items():
                yield self._host(host, spec, site)

    def links(self) -> Iterator[Cable]:
        """Cables in the LANs, and of private links."""
        for name, site in self.topology.sites.items():
            names = [server.node for server in self._servers(name)]
            names += [directory_name(name)] if site.directory else []
            members = [(host, "eth0") for host in (*names, *site.hosts)]
            yield from plugged_in(name, "lan", site.lan, members, self.addresses)
        for number, (name, (vnet, site_end)) in enumerate(self.addresses.links.items()):
            for pair, node, interface, end in (
                (vnet, self._linked_vnet(), f"er{number}", "vnet"),
                (site_end, name, "er", "site"),
            ):
                near = with_length(pair.internet, pair.prefix)
                far = with_length(pair.device, pair.prefix)
                yield Cable(End(node, interface, (near,)), End(link_name(name), end, (far,)))

    def routes_of_vnet(self, vnet: str) -> Iterator[Route]:
        """To sites and VNets behind the VNet's gateways, and over private links."""
        for name, site in self.topology.sites.items():
            gateway = site.connection and self.topology.gateways.get(site.connection.to)
            if site.connection and gateway and gateway.vnet == vnet:
                at = self.addresses.private[site.connection.to]
                known = (site.lan,) if site.bgp else site.known_prefixes
                yield from (Route(str(prefix), str(at)) for prefix in known)
            elif site.privateLink and vnet == self._linked_vnet():
                yield Route(str(site.lan), str(self.addresses.links[name][0].device))
        for connection in self.topology.connections.values():
            for own, other in permutations(connection.gateways):
                if self.topology.gateways[own].vnet == vnet:
                    there = self.topology.vnets[self.topology.gateways[other].vnet]
                    via = str(self.addresses.private[own])
                    yield from (Route(str(prefix), via) for prefix in there.addressSpace)

    def linked_to(self, vnet: str) -> Iterator[Network]:
        """What private links add to the VNet's routes, also to those of its gateway's subnet: that
        RADIUS does not go there is the gateway's own decision."""
        for name in self.addresses.links:
            if vnet == self._linked_vnet():
                yield self.topology.sites[name].lan

    def _linked_vnet(self) -> str:
        """The VNet at the other end of private links: rules see to it that there is one only."""
        return next(iter(self.topology.vnets))

    def _device(self, name: str, site: Site) -> NodePlan:
        router = site.lan.network_address + 1
        linked = self.addresses.links.get(name)
        vnet = self.topology.vnets[self._linked_vnet()]
        over_link = (
            (Route(str(prefix), str(linked[1].device)) for prefix in vnet.addressSpace)
            if linked
            else ()
        )
        return NodePlan(
            name,
            "site",
            bridges=(Bridge("lan", (with_length(router, site.lan),)),),
            routes=(default_route(self.addresses.public[name]), *over_link),
            forwarding=True,
            nftables=_FIREWALL.format(private=self._private(site), denied=_denied(site.firewall)),
            nameservers=(str(PUBLIC_DNS),),
            hosts=hosts_file(self.host_names[name], router),
            services=(self._dns(site), *self._vpn(name, site), *self._bgp(site)),
        )

    def _private(self, site: Site) -> str:
        """Private addresses, and others that are at either end of its tunnel."""
        prefixes = [*PRIVATE, site.lan]
        if site.connection:
            gateway = self.topology.gateways[site.connection.to]
            prefixes += self.topology.vnets[gateway.vnet].addressSpace
            prefixes += pool(self.topology, site.connection.to)
        return ", ".join(map(str, collapse_addresses(p for p in prefixes if p.version == 4)))

    def _dns(self, site: Site) -> DnsSpec:
        records = {self.host_names[h]: self.addresses.private[h] for h in site.hosts}
        return dns_service(site.lan.network_address + 1, records, PUBLIC_DNS)

    def _vpn(self, name: str, site: Site) -> Iterator[VpnDeviceSpec]:
        if site.connection:
            ike, esp = _offer(site, site.connection)
            yield VpnDeviceSpec(
                public=str(self.addresses.public[name].device),
                peer=str(site.device.peer or self.addresses.public[site.connection.to].device),
                local=tuple(map(str, site.device.localPrefixes or (site.lan,))),
                remote=tuple(map(str, site.device.remotePrefixes or (EVERYTHING,))),
                lan=str(site.lan),
                known=(*map(str, site.known_prefixes), *_announced(site)),
                ike=ike,
                esp=esp,
                shared_key=site.connection.sharedKey,
            )

    def _bgp(self, site: Site) -> Iterator[BgpSpec]:
        if not site.bgp or not site.connection:
            return
        gateway = self.topology.gateways[site.connection.to]
        yield BgpSpec(
            address=str(site.device_address),
            asn=site.bgp.asn,
            peer=str(bgp_address(self.topology, site.connection.to)),
            peer_asn=asn_of(gateway.properties),
            announced=_announced(site),
        )

    def _link(self, name: str, site: Site) -> NodePlan:
        to_vnet, to_site = self.addresses.links[name]
        vnet = self.topology.vnets[self._linked_vnet()]
        return NodePlan(
            link_name(name),
            "link",
            routes=(
                Route(str(site.lan), str(to_site.internet)),
                *(Route(str(prefix), str(to_vnet.internet)) for prefix in vnet.addressSpace),
            ),
            forwarding=True,
            hosts=hosts_file(self.host_names[link_name(name)], to_vnet.device),
        )

    def _servers(self, site: str) -> Iterator[RadiusNode]:
        return (server for server in radius_nodes(self.topology) if server.site == site)

    def _host(self, name: str, host: SiteHost, site: Site) -> NodePlan:
        address = self.addresses.private[name]
        router = site.lan.network_address + 1
        dns = dns_service(address, {self.host_names[name]: address}, router)
        node = self._in_lan(name, "host", site, host_services(name, host, dns), host.defaultGateway)
        return replace(node, nftables=host_rules(host))

    def _in_lan(
        self,
        name: str,
        kind: Kind,
        site: Site,
        services: tuple[ServiceSpec, ...],
        gateway: IpAddress | None = None,
    ) -> NodePlan:
        router = site.lan.network_address + 1
        address = self.addresses.private[name]
        return NodePlan(
            name,
            kind,
            routes=(Route("default", str(gateway or router)),),
            nameservers=(str(router),),
            hosts=hosts_file(self.host_names[name], address),
            services=services,
        )


def _announced(site: Site) -> tuple[str, ...]:
    """What the device announces by BGP."""
    return tuple(map(str, site.bgp.announce or (site.lan,))) if site.bgp else ()


def _denied(firewall: SiteFirewall) -> str:
    sides = {'oifname "lan"': firewall.denyIn, 'iifname "lan"': firewall.denyOut}
    return "\n".join(
        f"    {side} {match} drop" for side, entries in sides.items() for match in matches(entries)
    )


def _offer(site: Site, connection: SiteConnection) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """IKE and ESP proposals of the device: its own, or set up for the connection's policy."""
    policy = next(iter(connection.ipsecPolicies), None)
    asked = proposals(policy) if policy else Proposals((), ())
    own = site.ike
    return (own and own.proposals) or asked.ike, (own and own.esp) or asked.esp
