"""What runs on an access network's router: its DNS server and its captive portal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lab.choices import spelling
from lab.topology.planning.addressing import PUBLIC_DNS, proxy_name
from lab.topology.planning.builders import dns_service
from lab.topology.planning.plan import CertificatePlan
from lab.topology.planning.specs import PortalSpec, ProxySpec

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


def portal_certificates(
    topology: Topology, host_names: Mapping[str, str]
) -> Iterator[CertificatePlan]:
    """Self-signed: no authority vouches for who stands in for everybody."""
    for name, access in topology.access.items():
        if access.portal:
            subject = f"portal.{host_names[name]}.test"
            yield CertificatePlan(portal_name(name), subject, None, "root")
