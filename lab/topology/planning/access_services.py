"""What runs on an access network's router: its DNS server and its captive portal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lab.choices import spelling
from lab.topology.planning.addressing import PUBLIC_DNS, proxy_name
from lab.topology.planning.builders import dns_service
from lab.topology.planning.plan import CertificatePlan
from lab.topology.planning.specs import InspectionSpec, PortalSpec, ProxySpec

if TYPE_CHECKING:
    from lab.topology.model.topology import Access, Proxy, Topology
    from lab.topology.model.values import IpAddress
    from lab.topology.planning.addressing import Addresses
    from lab.topology.planning.identity import Identity
    from lab.topology.planning.specs import ServiceSpec


def services_of(
    name: str, access: Access, router: IpAddress, identities: Mapping[str, Identity]
) -> Iterator[ServiceSpec]:
    """The services of an access network's router, whose address in the LAN is given."""
    if access.dns:
        records = {public_name(n, identities): a for n, a in access.dns.answers.items()}
        refused = tuple(public_name(one, identities) for one in access.dns.refuses)
        yield replace(dns_service(router, records, PUBLIC_DNS), refused=refused)
    if access.portal:
        yield PortalSpec(str(router), portal_name(name))
    if access.inspects:
        shown = {one.fqdn: _shown_for(name, gateway) for gateway, one in identities.items()}
        yield InspectionSpec(str(router), inspection_name(name), shown, str(PUBLIC_DNS))


def proxy_service(proxy: Proxy, identities: Mapping[str, Identity]) -> ProxySpec:
    """The proxy of an access network."""
    denied = tuple(public_name(one, identities) for one in proxy.denyHosts)
    return ProxySpec(proxy.port, proxy.allow, denied, proxy.users)


def nameserver_of(topology: Topology, name: str, addresses: Addresses) -> IpAddress:
    """Whom the computers of an access network ask for names: its router if that has a DNS server,
    its proxy if it has one, else the Internet's server."""
    if topology.access[name].dns:
        return addresses.lans[name].network_address + 1
    return addresses.private.get(proxy_name(name), PUBLIC_DNS)


def public_name(name: str, identities: Mapping[str, Identity]) -> str:
    """The name that clients of a gateway dial, or the name itself if it is no gateway's."""
    gateway = spelling(identities).get(name.casefold())
    return identities[gateway].fqdn if gateway else name


def portal_name(access: str) -> str:
    """The certificate with which a captive portal answers HTTPS."""
    return f"{access}-portal"


def inspection_name(access: str) -> str:
    """The authority of the certificates that an inspecting firewall shows."""
    return f"{access}-inspection"


def _shown_for(access: str, gateway: str) -> str:
    return f"{inspection_name(access)}-{gateway}"


def router_certificates(
    topology: Topology,
    host_names: Mapping[str, str],
    server_names: Mapping[str, tuple[str, str]],
) -> Iterator[CertificatePlan]:
    """Those of captive portals and inspecting firewalls; no authority that clients know vouches for
    who stands in for others. `server_names`: gateway to its common name and its further DNS name.
    """
    for name, access in topology.access.items():
        host = host_names[name]
        if access.portal:
            yield CertificatePlan(portal_name(name), f"portal.{host}.test", None, "root")
        if access.inspects:
            root = inspection_name(name)
            yield CertificatePlan(root, f"inspection.{host}.test", None, "root")
            for gateway, names in server_names.items():
                own = _shown_for(name, gateway)
                yield CertificatePlan(own, names[0], root, "server", names, client_auth=False)
