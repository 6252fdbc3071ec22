"""Names: each is used once, and every reference has its target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.choices import did_you_mean
from lab.topology.model.sites import Site
from lab.topology.model.topology import GATEWAY_SUBNET, Topology
from lab.topology.planning.access_services import router_certificates
from lab.topology.planning.addressing import directory_name, link_name, proxy_name, radius_name
from lab.topology.planning.host_names import host_names
from lab.topology.planning.pki import PUBLIC_ROOT, other_name, server_name
from lab.topology.planning.radius_servers import RADIUS_ROOT, radius_nodes
from lab.topology.planning.wiring import INTERNET
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared


def a_name_is_used_once(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Unique over all kinds and without case: checks and `exec` find nodes by it."""
    used = _Used({INTERNET: "the Internet's own node"})
    for name, access in topology.access.items():
        if access.proxy:
            used.add(proxy_name(name), f"the proxy of {name}")
    for name, site in topology.sites.items():
        for node, what in _extra_nodes(name, site):
            used.add(node, f"{what} of {name}")
    for name, what, path in declared.nodes:
        yield from used.refusal(path, name)
        used.add(name, what)


def _extra_nodes(name: str, site: Site) -> Iterator[tuple[str, str]]:
    """Nodes of a site besides itself and its hosts."""
    if site.privateLink:
        yield link_name(name), "the private link"
    if site.radius:
        yield radius_name(name), "the RADIUS server"
        if site.radius.second:
            yield radius_name(name, second=True), "the second RADIUS server"
    if site.directory:
        yield directory_name(name), "the domain controller"


def a_certificate_name_is_used_once(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Authorities share a namespace with the certificates of clients and gateways."""
    used = _Used({PUBLIC_ROOT: "the lab's public authority"})
    used.add(RADIUS_ROOT, "the authority of RADIUS servers")
    for name, what in _certificates_of_nodes(topology):
        used.add(name, what)
    for name in topology.clients:
        yield from used.refusal(("clients", name), name)
    for name, client in topology.clients.items():
        used.add(name, "the certificate of that client")
        for index, _ in enumerate(client.otherCertificates, 1):
            used.add(other_name(name, index), f"another certificate of {name}")
    for name in topology.pki:
        yield from used.refusal(("pki", name), name)
        used.add(name, "another authority")


def _certificates_of_nodes(topology: Topology) -> Iterator[tuple[str, str]]:
    for name in topology.gateways:
        yield server_name(name), f"the certificate of {name}"
    for node in radius_nodes(topology):
        if node.certificate:
            yield node.certificate, f"the certificate of {node.node}"
    nobody = dict.fromkeys(topology.gateways, ("", ""))
    for plan in router_certificates(topology, host_names(topology.access), nobody):
        yield plan.name, "a certificate of an access network's router"


class _Used:
    """Names and their use; as in ARM, case makes no difference."""

    def __init__(self, uses: dict[str, str]) -> None:
        self._uses = {name.casefold(): (name, what) for name, what in uses.items()}

    def add(self, name: str, what: str) -> None:
        self._uses.setdefault(name.casefold(), (name, what))

    def refusal(self, path: Path, name: str) -> Iterator[Problem]:
        """A problem if the name is used."""
        other, what = self._uses.get(name.casefold(), ("", ""))
        if other:
            spelled = "" if other == name else f" as {other!r}"
            yield Problem(path, f"{name!r} is used already{spelled}, for {what}",
                          "choose another name: case makes no difference" if spelled
                          else "choose another name", True)  # fmt: skip


def a_subnet_name_is_used_once(_topology: Topology, declared: Declared) -> Iterator[Problem]:
    """In its VNet."""
    for vnet, subnets in declared.vnets.items():
        used = _Used({})
        for subnet in sorted(subnets):
            yield from used.refusal(("vnets", vnet, "subnets", subnet), subnet)
            used.add(subnet, "another subnet")


def gateways_are_in_a_vnet(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The VNet exists and has a GatewaySubnet."""
    for name, gateway in topology.gateways.items():
        path: Path = ("gateways", name, "vnet")
        if gateway.vnet not in declared.vnets:
            yield _nowhere(path, "VNet", gateway.vnet, declared.vnets)
        elif GATEWAY_SUBNET not in declared.vnets[gateway.vnet]:
            yield Problem(
                path,
                f"the VNet {gateway.vnet!r} has no {GATEWAY_SUBNET}",
                "add one to its subnets, a /27 or larger, with exactly this name",
            )


def one_gateway_a_vnet(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Azure: a virtual network has one VPN gateway (vpn-gateway-vpn-faq)."""
    first: dict[str, str] = {}
    for name, gateway in topology.gateways.items():
        if gateway.vnet in first:
            yield Problem(
                ("gateways", name, "vnet"),
                f"the VNet {gateway.vnet!r} has a gateway already: {first[gateway.vnet]!r}",
                "a VNet has one VPN gateway; give this one a VNet of its own",
            )
        first.setdefault(gateway.vnet, name)


def hosts_are_in_a_subnet(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The subnet exists and is not the GatewaySubnet."""
    for vnet_name, vnet in topology.vnets.items():
        known = declared.vnets[vnet_name]
        for host_name, host in vnet.hosts.items():
            path: Path = ("vnets", vnet_name, "hosts", host_name, "subnet")
            if host.subnet not in known:
                yield _nowhere(path, "subnet", host.subnet, known - {GATEWAY_SUBNET})
            elif host.subnet == GATEWAY_SUBNET:
                yield Problem(path, f"the {GATEWAY_SUBNET} is for gateways only",
                              "put the host into another subnet")  # fmt: skip


def clients_are_behind_a_network(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The access network exists."""
    for name, client in topology.clients.items():
        if client.behind not in declared.access:
            yield _nowhere(
                ("clients", name, "behind"), "access network", client.behind, declared.access
            )


def clients_have_a_gateway(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The gateway exists; it may be omitted if there is only one."""
    for name, client in topology.clients.items():
        if client.gateway is not None and client.gateway not in declared.gateways:
            yield _nowhere(
                ("clients", name, "gateway"), "gateway", client.gateway, declared.gateways
            )
        elif client.gateway is None and len(declared.gateways) != 1:
            yield Problem(
                ("clients", name),
                f"{name!r} must name its gateway",
                did_you_mean("", declared.gateways)
                if declared.gateways
                else "add a gateway under `gateways`",
            )


def _nowhere(path: Path, what: str, name: str, known: Iterable[str]) -> Problem:
    return Problem(path, f"there is no {what} {name!r}", did_you_mean(name, known))


RULES = (
    a_name_is_used_once,
    a_certificate_name_is_used_once,
    a_subnet_name_is_used_once,
    gateways_are_in_a_vnet,
    one_gateway_a_vnet,
    hosts_are_in_a_subnet,
    clients_are_behind_a_network,
    clients_have_a_gateway,
)
