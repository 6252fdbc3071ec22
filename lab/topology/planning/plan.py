"""The plan: everything that will be built and then checked, as data.

`lab.topology.planning.planner` makes it from a model; `up --dry-run` prints it; the supervisor
carries it out. Addresses are strings in CIDR form, IPv4 or IPv6 alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lab.errors import UsageError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from gateway.arm.connections import Connection, LocalNetworkGateway
    from gateway.arm.placement import Placement
    from gateway.arm.resource import VirtualNetworkGateway
    from lab.topology.model.ike import IkeOffer
    from lab.topology.model.persona import ClientSystem
    from lab.topology.model.steps import Step, TimedFault
    from lab.topology.model.tls import CipherSuite, TlsVersion
    from lab.topology.model.vocabulary import VpnProtocol
    from lab.topology.planning.specs import ServiceSpec

Kind = Literal[
    "internet",
    "access",
    "proxy",
    "client",
    "vnet",
    "host",
    "gateway",
    "site",
    "link",
    "radius",
    "directory",
]
Need = Literal["ppp", "clock"]
"""What a node wants of its kernel besides what every kernel under a lab has."""
Shaper = Literal["tbf", "netem", "aggregate"]
"""What a node wants of the machine's kernel for its rates, without which the lab is not built."""


@dataclass(frozen=True)
class Bridge:
    """A switch inside a node; the node's own addresses on it are the segment's first router."""

    name: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class End:
    """One end of a cable."""

    node: str
    interface: str
    addresses: tuple[str, ...] = ()
    bridge: str | None = None


@dataclass(frozen=True)
class Cable:
    """A cable (veth pair) between two nodes."""

    a: End
    b: End
    mtu: int = 1500


@dataclass(frozen=True)
class Route:
    """`destination` is a prefix or `default`."""

    destination: str
    via: str
    metric: int = 0


@dataclass(frozen=True)
class TableRoute:
    """A route of a table that is not the main one."""

    destination: str
    kind: Literal["via", "blackhole", "throw"]
    """`throw`: the main table decides."""
    via: str = ""
    name: str = ""
    """In the topology; empty: it is Azure's own."""


@dataclass(frozen=True)
class RouteTable:
    """The routes for what comes from a subnet."""

    subnet: str
    interface: str
    """Where that arrives."""
    routes: tuple[TableRoute, ...]


@dataclass(frozen=True)
class Line:
    """How a node sends through one of its links or bridges."""

    interface: str
    mbps: float | None = None
    latency: float | None = None
    """Seconds."""


@dataclass(frozen=True)
class NodePlan:
    """A computer: its switches, routes, firewall, names and services."""

    name: str
    kind: Kind
    bridges: tuple[Bridge, ...] = ()
    loopback: tuple[str, ...] = ()
    """Further addresses on `lo`."""
    routes: tuple[Route, ...] = ()
    route_tables: tuple[RouteTable, ...] = ()
    forwarding: bool = False
    nftables: str | None = None
    lines: tuple[Line, ...] = ()
    shapers: tuple[Shaper, ...] = ()
    nameservers: tuple[str, ...] = ()
    hosts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """/etc/hosts: address and names."""
    services: tuple[ServiceSpec, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    """Names below /proc/sys/net, and values: besides those of every computer."""
    needs: tuple[Need, ...] = ()
    """Where the machine's kernel lacks one of them, the node gets a kernel of its own."""
    clock: int = 0
    """How many days its clock is ahead; it needs one of its own then."""
    alias: str = ""
    """Its host name, where its name is none."""

    @property
    def host_name(self) -> str:
        """A DNS label; also the name of its directory."""
        return self.alias or self.name


@dataclass(frozen=True)
class CertificatePlan:
    """A certificate to be issued before anything starts; `issuer` None means self-signed."""

    name: str
    subject: str
    issuer: str | None
    kind: Literal["root", "intermediate", "client", "server"]
    dns_names: tuple[str, ...] = ()
    principal: str = ""
    """A user principal name, as an alternative name."""
    days_before: int = 1
    """How many days ago it became valid; negative: not valid yet."""
    days_after: int = 365
    """How many days from now it expires; negative: expired already."""
    client_auth: bool = True
    certificate_file: str | None = None
    """A certificate of the user's own, with its key: nothing is issued then."""
    key_file: str | None = None
    """Its private key, where that is in another file."""
    password: SecretStr | None = field(default=None, repr=False)
    """The password of these files, or `password_file`, which has it in its first line."""
    password_file: str | None = None


@dataclass(frozen=True)
class GatewayPlan:
    """A virtual network gateway: what `python -m gateway` reads and is sent."""

    node: str
    placement: Placement
    resource: VirtualNetworkGateway
    """`${NAME.publicCertData}` and `${NAME.thumbprint}` stand where a certificate of the plan goes
    and are filled in before the first PUT."""
    local_network_gateways: tuple[LocalNetworkGateway, ...] = ()
    connections: tuple[Connection, ...] = ()

    @property
    def name(self) -> str:
        """The gateway's name in the topology."""
        return self.placement.name


@dataclass(frozen=True)
class TlsLimits:
    """What a client computer's TLS can do at most."""

    maximum: TlsVersion | None = None
    """The newest version it speaks."""
    eap_maximum: TlsVersion | None = None
    """The newest version of EAP-TLS inside the tunnel."""
    ciphers: tuple[CipherSuite, ...] = ()
    """All the cipher suites it offers; empty: the usual ones."""


@dataclass(frozen=True)
class ClientPlan:
    """A client computer and its user."""

    name: str
    node: str
    system: ClientSystem
    gateway: str
    access: str
    """The node of its access network: where its traffic is seen by others."""
    protocols: tuple[VpnProtocol, ...]
    """What its user tries, in order; dialling leaves out what the system or the profile lacks."""
    certificate: str | None = None
    others: tuple[str, ...] = ()
    """Certificates that are on the computer, too."""
    user: str | None = None
    """The name with which its user signs in; None: by certificate."""
    password: SecretStr | None = field(default=None, repr=False)
    radius_root: str | None = None
    radius_at: tuple[str, ...] = ()
    """The gateways whose RADIUS servers judge its certificate."""
    """The certificate by which it knows the RADIUS server, for who shows that one a certificate."""
    proxy: tuple[str, int] | None = None
    proxy_user: str | None = None
    """As whom it uses the proxy."""
    proxy_password: SecretStr | None = field(default=None, repr=False)
    sstp_client: Literal["sstpc", "python"] = "sstpc"
    tls: TlsLimits | None = None
    ike: IkeOffer | None = None
    """What it proposes in place of its operating system and the profile."""
    server: str | None = None
    """What its profile names in place of the gateway."""


@dataclass(frozen=True)
class Plan:
    """A lab, from the first namespace to the last check."""

    name: str
    story: str
    nodes: tuple[NodePlan, ...]
    links: tuple[Cable, ...]
    certificates: tuple[CertificatePlan, ...]
    gateways: tuple[GatewayPlan, ...]
    clients: tuple[ClientPlan, ...]
    steps: tuple[Step, ...]
    faults: tuple[TimedFault, ...] = ()
    addresses: dict[str, str] = field(default_factory=dict)
    """Name of a node to the address by which others reach it, for checks."""

    @property
    def connected_sites(self) -> dict[str, GatewayPlan]:
        """Site to the gateway to which it has a tunnel."""
        return {
            connection.name: gateway
            for gateway in self.gateways
            for connection in gateway.connections
            if connection.local_network_gateway
        }

    @property
    def connections(self) -> tuple[str, ...]:
        """The names of all connections; of a VNet-to-VNet connection twice."""
        return tuple(one.name for gateway in self.gateways for one in gateway.connections)

    def gateways_of(self, connection: str) -> tuple[str, ...]:
        """The gateway of a site's connection, or both of a VNet-to-VNet connection. UsageError: no
        gateway has a connection of this name."""
        found = [g.name for g in self.gateways for one in g.connections if one.name == connection]
        if not found:
            raise UsageError(
                f"{connection} has no connection",
                "a site with `connection:`, or one of connections",
            )
        return tuple(found)

    @property
    def radius_servers(self) -> list[str]:
        """Addresses of all RADIUS servers that gateways are told of, the higher score first."""
        scores: dict[str, int] = {}
        for gateway in self.gateways:
            configuration = gateway.resource.properties.vpnClientConfiguration
            for server in configuration.servers if configuration else ():
                scores.setdefault(server.radiusServerAddress, server.radiusServerScore or 0)
        return sorted(scores, key=lambda address: -scores[address])
