"""Small parts of which the computers of a lab are put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

from lab.topology.planning.plan import Cable, End, Route
from lab.topology.planning.specs import DnsSpec, EchoSpec, HttpSpec, Iperf3Spec

if TYPE_CHECKING:
    from lab.topology.model.hosts import Computer
    from lab.topology.model.values import IpAddress, Network
    from lab.topology.model.vocabulary import Serves
    from lab.topology.planning.addressing import Addresses, Pair
    from lab.topology.planning.specs import ServiceSpec

LOOPBACK = "127.0.0.1"


def default_route(pair: Pair) -> Route:
    """To the Internet's end of the link."""
    return Route("default", str(pair.internet))


def with_length(address: IpAddress, prefix: Network) -> str:
    """As an interface has it: address and length of the prefix."""
    return f"{address}/{prefix.prefixlen}"


def alone(address: IpAddress) -> str:
    """As `lo` has it."""
    return str(ip_network(address))


def hosts_file(name: str, address: IpAddress) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """A node knows only itself: every other name is asked of a DNS server."""
    return ((str(address), (name,)),)


def dns_service(
    listen: IpAddress, records: Mapping[str, IpAddress], *forward: IpAddress
) -> DnsSpec:
    """A DNS server with names of its own; `forward`: servers that know the others."""
    known = {name: (str(address),) for name, address in records.items()}
    return DnsSpec((str(listen),), known, tuple(map(str, forward)))


def host_services(name: str, host: Computer, dns: DnsSpec) -> tuple[ServiceSpec, ...]:
    """What a host `serves`, and where."""
    listen = LOOPBACK if host.listens == "loopback" else ""
    services: dict[Serves, ServiceSpec] = {
        "http": HttpSpec(f"hello from {name}", listen=listen),
        "iperf3": Iperf3Spec(listen=listen),
        "echo": EchoSpec(listen=listen),
        "dns": replace(dns, listen=(listen,)) if listen else dns,
    }
    return tuple(services[word] for word in host.serves)


def plugged_in(
    router: str,
    bridge: str,
    prefix: Network,
    members: Iterable[tuple[str, str]],
    addresses: Addresses,
) -> Iterator[Cable]:
    """A cable from the router's switch to each member (node and interface)."""
    for index, (member, interface) in enumerate(members):
        address = with_length(addresses.private[member], prefix)
        yield Cable(
            End(router, f"{bridge}p{index}", bridge=bridge), End(member, interface, (address,))
        )
