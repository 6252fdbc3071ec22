"""Small parts of which the computers of a lab are put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import TYPE_CHECKING

from lab.topology.planning.plan import Cable, End, Route, Service

if TYPE_CHECKING:
    from lab.topology.model.values import IpAddress, Network
    from lab.topology.model.vocabulary import Serves
    from lab.topology.planning.addressing import Addresses, Pair


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
    listen: IpAddress, records: dict[str, list[str]], forward: Iterable[IpAddress] = ()
) -> Service:
    """A DNS server with names of its own; `forward`: who knows the others."""
    options = {"listen": [str(listen)], "records": records, "forward": [str(f) for f in forward]}
    return Service("dns", options)


def host_services(name: str, words: Iterable[Serves], dns: Service) -> tuple[Service, ...]:
    """What a host `serves`, in the file's words."""
    services: dict[Serves, Service] = {
        "http": Service("http", {"port": 80, "text": f"hello from {name}"}),
        "iperf3": Service("iperf3", {"port": 5201}),
        "echo": Service("echo", {"port": 7}),
        "dns": dns,
    }
    return tuple(services[word] for word in words)


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
