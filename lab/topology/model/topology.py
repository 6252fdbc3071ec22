"""Pydantic models of a topology file.

The attribute docstrings become the descriptions in the JSON Schema (`p2slab schema`) and the
remedies of error messages. A gateway's `properties` are Azure's document; their model is the
gateway's own (gateway/arm/resource.py). Rules over the whole file are in lab/topology/rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.arm.resource import GatewayProperties
from gateway.common.vocabulary import DeploymentModel
from lab.topology.model.access_services import AccessDns
from lab.topology.model.hosts import Computer
from lab.topology.model.ike import IkeOffer
from lab.topology.model.persona import Architecture, ClientSystem, Os, client_system, order_of
from lab.topology.model.route_tables import RouteTable
from lab.topology.model.security_groups import NetworkSecurityGroup
from lab.topology.model.site_services import Password, RadiusService
from lab.topology.model.sites import Site, SiteConnection, VnetConnection
from lab.topology.model.steps import Connects, Create, Refused, Step, TimedFault, Update
from lab.topology.model.tls import CipherSuite, TlsVersion
from lab.topology.model.values import (
    Address,
    Allow,
    CommonName,
    Days,
    DnsName,
    Duration,
    Dword,
    Loss,
    Mbps,
    Mtu,
    Name,
    Port,
    Prefix,
    ProxyUser,
    SignIn,
    Target,
    Traffic,
    Version,
    WholeSeconds,
)
from lab.topology.model.vocabulary import VpnProtocol

GATEWAY_SUBNET = "GatewaySubnet"
SstpClient = Literal["sstpc", "python"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Host(Computer):
    """A computer in a VNet."""

    subnet: str
    """Its subnet: a key of the VNet's `subnets`."""
    address: Address | None = None
    """Its address; left out, the next free one of the subnet (Azure reserves the first four)."""
    forwards: bool = False
    """Whether it forwards packets that are not for it, as a VirtualAppliance must."""
    radius: RadiusService | None = None
    """Makes it a RADIUS server, such as {users: {alice: {password: "..."}}}."""


class DhcpOptions(_Model):
    """Azure's dhcpOptions of a VNet."""

    dnsServers: tuple[Address, ...] = ()
    """DNS servers of hosts and VPN clients, in place of 168.63.129.16."""


class Vnet(_Model):
    """A virtual network."""

    addressSpace: Annotated[tuple[Prefix, ...], Field(min_length=1)]
    """Its prefixes, such as [10.1.0.0/16]."""
    subnets: dict[Name, Prefix] = {}
    """Subnet names to prefixes, such as {GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}."""
    networkSecurityGroups: dict[Name, NetworkSecurityGroup] = {}
    """Subnet names to their network security groups."""
    routeTables: dict[Name, RouteTable] = {}
    """Subnet names to their route tables."""
    hosts: dict[Name, Host] = {}
    """Its computers, by name."""
    dhcpOptions: DhcpOptions = DhcpOptions()


def _document_or_properties(rule: dict[str, Any]) -> None:
    """Loading puts the file's content into `properties` (lab/topology/reading/azure.py)."""
    rule["required"].remove("properties")
    rule["anyOf"] = [{"required": ["properties"]}, {"required": ["document"]}]


class GatewayCertificate(_Model):
    """The certificate with which a gateway shows itself, where that is not the right one."""

    name: Annotated[DnsName, Field(max_length=64)] | None = None
    """The only name in it; left out, the gateway's."""
    validFrom: Days = -1
    """Start of validity, in days from now: -1d, or +1d for a certificate not yet valid."""
    validTo: Days = 365
    """End of validity, in days from now: +365d, or -1d for an expired certificate."""
    issuer: str | None = None
    """The authority that issued it: a key of `pki`; left out, the public one, whose root is in the
    profile."""


class PublicName(_Model):
    """The record of a gateway's name in the Internet's DNS."""

    to: Address
    """The address in it, such as that of a gateway that was there before."""


class Gateway(_Model):
    """A point-to-site VPN gateway."""

    model_config = ConfigDict(json_schema_extra=_document_or_properties)

    vnet: str
    """Its VNet; the gateway is in the VNet's GatewaySubnet."""
    deploymentModel: DeploymentModel = "ResourceManager"
    """Azure's older model, Classic, has the legacy SKUs, SSTP and certificates only."""
    benchmarkScale: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The part of its SKU's aggregate throughput that it lets pass, for machines that are slower:
    0.1 of VpnGw1's 650 Mbit/s are 65. Azure's is 1."""
    publicName: PublicName | None = None
    """What the Internet's DNS says of its name, where that is not the truth, such as
    {to: 198.51.100.77}: all clients ask for that name."""
    serverCertificate: GatewayCertificate = GatewayCertificate()
    """Its own certificate, such as {validTo: -1d}; left out, the one that clients expect."""
    properties: GatewayProperties
    """Azure's own document: ARM `properties` of Microsoft.Network/virtualNetworkGateways, or the
    whole resource, as GET, az, Azure PowerShell and the SDKs write it."""
    document: str | None = None
    """In place of `properties`: a JSON file with the document, relative to the topology file."""
    ignore: tuple[str, ...] = ()
    """Parts of the document that this lab cannot carry out and does without, such as [natRules]."""


class Proxy(_Model):
    """An HTTP proxy in an access network: the only way out for its clients."""

    port: Port = 3128
    """The port that it listens on."""
    allow: tuple[Port, ...] = (443,)
    """The ports that it connects to (HTTP CONNECT)."""
    users: dict[ProxyUser, Password] = {}
    """Who may use it, and their passwords, in quotes; left out, everybody may."""
    denyHosts: tuple[DnsName, ...] = ()
    """Names to which it does not connect, such as [contoso-gw]: the name of a gateway in this file
    stands for the name that the gateway's clients dial."""


class Access(_Model):
    """A network that connects clients to the Internet: a home, a hotel, an office."""

    nat: bool = True
    """Whether its router translates its computers' addresses to its own public address."""
    lan: Prefix | None = None
    """The prefix of its computers; left out, the next free 192.168.N.0/24 from 192.168.77.0/24."""
    allow: tuple[Allow, ...] | None = None
    """What its firewall lets out, such as [tcp/80, tcp/443, udp/53]; left out, everything
    (with a proxy: only the proxy)."""
    deny: tuple[Traffic, ...] = ()
    """What its firewall drops on the way out, by service, by address or by both, such as
    [udp/500, 203.0.113.2, tcp/443 to 203.0.113.0/24]; before `allow`."""
    reject: tuple[Traffic, ...] = ()
    """As `deny`, and its firewall says so: TCP gets a reset, the rest an ICMP error; before
    `deny`."""
    udpTimeout: WholeSeconds | None = None
    """After how many seconds of silence its router forgets a UDP connection, such as 30s; left
    out, as its kernel does, 30 s, and 120 s once both ends have sent."""
    dns: AccessDns | None = None
    """A DNS server of its own, such as {answers: {contoso-gw: 198.51.100.77}}; left out, its
    computers ask the Internet's (with a proxy: the proxy)."""
    portal: bool = False
    """A captive portal: until a computer's user signs in (`signIn`), its router answers HTTP and
    HTTPS itself, whoever was called, and lets out nothing else but DNS."""
    inspects: bool = False
    """Whether its firewall breaks TLS open: it answers TCP 443 with a certificate of its own for
    whoever was called, and passes HTTP on."""
    rate: Mbps | None = None
    """Mbit/s of its line, each way; left out, what the machine can do."""
    latency: Annotated[Duration, Field(le=10)] | None = None
    """How much later each packet arrives, each way, such as 30ms. The kernel needs netem."""
    loss: Loss | None = None
    """The share of packets that its line loses, each way, such as 1%."""
    mtu: Mtu = 1500
    """The largest packet on its link to the Internet, in bytes, such as 1492 with PPPoE."""
    tellsMtu: bool = True
    """Whether its router tells senders of packets that are too large (ICMP, fragmentation needed):
    where it does not, these packets are lost without a trace."""
    proxy: Proxy | None = None
    """An HTTP proxy, such as {port: 3128, allow: [443]}."""


class _Certificate(_Model):
    certificate: str | None = None
    """A certificate of your own: a file, relative to the topology file. PEM, DER (.cer, .crt),
    PKCS #7 (.p7b) or PKCS #12 (.pfx, .p12). A client sends the chain that is in it, too."""
    key: str | None = None
    """The file with its private key; left out, the key is in the same file."""
    password: Password | None = None
    """The password of these files."""
    passwordFile: str | None = None
    """In place of `password`: a file that has it in its first line."""
    validFrom: Days = -1
    """Start of validity, in days from now: -1d, or +1d for a certificate not yet valid."""
    validTo: Days = 365
    """End of validity, in days from now: +365d, or -1d for an expired certificate."""


class Authority(_Certificate):
    """A certification authority: a root, or an intermediate when it names its issuer."""

    issuer: str | None = None
    """The authority that issued it; left out, it is a self-signed root. Beside `certificate`, its
    key must have signed that file."""
    subject: CommonName | None = None
    """Its common name; left out, its name in this file."""


class ClientCertificate(_Certificate):
    """The certificate of a client's user."""

    issuer: str | None = None
    """The authority that issues it: a key of `pki`. Required without `certificate`; beside it, its
    key must have signed that file."""
    subject: CommonName | None = None
    """Its common name; left out, the client's name."""
    clientAuth: bool = True
    """Whether its extended key usage has clientAuth; gateways refuse it otherwise."""


class OtherCertificate(_Model):
    """A certificate on a client's computer that is not the one it shows."""

    issuer: str
    """The authority that issues it: a key of `pki`."""
    subject: CommonName | None = None
    """Its common name; left out, the client's name."""
    validFrom: Days = -1
    """Start of validity, in days from now: -1d, or +1d for a certificate not yet valid."""
    validTo: Days = 365
    """End of validity, in days from now: +365d, or -1d for an expired certificate."""
    clientAuth: bool = True
    """Whether its extended key usage has clientAuth; gateways refuse it otherwise."""


class Tls(_Model):
    """Limits of a client computer's TLS, for old computers."""

    maximum: TlsVersion | None = None
    """The newest version it speaks, in quotes, such as "1.1"; left out, the newest of its TLS
    library."""
    ciphers: tuple[CipherSuite, ...] = ()
    """The only cipher suites it offers, by their IANA names, such as
    [TLS_RSA_WITH_3DES_EDE_CBC_SHA, TLS_RSA_WITH_RC4_128_SHA]; left out, its library's default."""


class ProxySignIn(_Model):
    """As whom a client uses the proxy of its access network."""

    user: ProxyUser
    """The user name."""
    password: Password
    """The password, in quotes."""


class ProfileEdits(_Model):
    """What somebody has changed in a client's VPN client configuration by hand."""

    server: Target
    """The server to dial, in place of the gateway's name: an address or a DNS name."""


class Client(_Model):
    """A client computer and its user."""

    os: Os
    """Its operating system: determines which protocols it dials, and in which order."""
    version: Version | None = None
    """The version of windows10, macos or ios, such as 1607 or "10.13"; left out, the newest."""
    architecture: Architecture | None = None
    """The processor of a Windows; left out, Amd64. Servers have no other."""
    updates: tuple[str, ...] | None = None
    """The updates that are installed on a Windows, such as [KB4057142]. Without `updates` and
    `registry`, all that it needs are there; with one of them, nothing but what they say."""
    registry: dict[str, Dword] | None = None
    """Registry values of a Windows by their paths, each a REG_DWORD, such as
    {'HKLM\\SYSTEM\\CurrentControlSet\\Services\\RasMan\\PPP\\EAP\\13\\TlsVersion': 0xfc0}."""
    administrator: bool = True
    """Whether the user of a Windows has administrator rights; without them it dials nothing."""
    clock: Days = 0
    """How far its clock is ahead, in days: +2d, or -2d where it is behind. Such a computer has a
    kernel of its own, for computers that share one have one clock."""
    behind: str
    """Its access network: a key of `access`."""
    gateway: str | None = None
    """The gateway it dials; optional when there is only one."""
    certificate: ClientCertificate | None = None
    """Its user's certificate, such as {issuer: contoso-root}."""
    otherCertificates: tuple[OtherCertificate, ...] = ()
    """Certificates that are on the computer, too, and that its programs did not choose."""
    user: SignIn | None = None
    """The user name for a gateway with RADIUS: alice, DOMAIN\\alice or alice@domain. The password
    is the one in the RADIUS server or the directory."""
    password: Password | None = None
    """A password to use in place of the right one."""
    protocols: Annotated[tuple[VpnProtocol, ...], Field(min_length=1)] | None = None
    """The protocols it dials, in order, in place of its operating system's. No operating system
    dials what it cannot."""
    sstpClient: SstpClient = "sstpc"
    """The SSTP client: sstpc (the real program, with pppd), or python (the lab's own, which needs
    no PPP in the kernel)."""
    proxy: ProxySignIn | None = None
    """What it says to a proxy with users, such as {user: alice, password: "..."}. Only OpenVPN can:
    SSTP clients know no such thing."""
    profile: ProfileEdits | None = None
    """What is in its profile otherwise than the gateway wrote, such as {server: vpn.contoso.com}.
    """
    tls: Tls | None = None
    """Further limits of its TLS when it dials SSTP or OpenVPN, and of the EAP-TLS of IkeV2, such as
    {maximum: "1.1"}."""
    ike: IkeOffer | None = None
    """What it proposes over IkeV2, such as {proposals: [aes256-sha256-modp2048]}; left out, the
    profile's IPsec policy, or else what its operating system proposes."""

    @property
    def dials(self) -> tuple[VpnProtocol, ...]:
        """The protocols it dials once it has all updates, first choice first."""
        able = self.system.release.dials
        return tuple(one for one in self.order if one in able)

    @property
    def order(self) -> tuple[VpnProtocol, ...]:
        """The protocols that its user tries, first choice first."""
        return self.protocols or order_of(self.os)

    @property
    def system(self) -> ClientSystem:
        """Its operating system when the lab begins."""
        return client_system(
            self.os,
            self.version,
            self.architecture,
            self.updates,
            self.registry,
            administrator=self.administrator,
        )


class Topology(_Model):
    """A p2slab topology: networks, VPN gateways and clients, and the checks to run on them."""

    model_config = ConfigDict(title="p2slab topology")

    name: Name
    """The lab's name."""
    story: str
    """What happens, in a sentence or two."""
    vnets: dict[Name, Vnet]
    """Virtual networks, by name."""
    gateways: dict[Name, Gateway] = {}
    """Point-to-site VPN gateways, by name."""
    sites: dict[Name, Site] = {}
    """On-premises sites, by name."""
    connections: dict[Name, VnetConnection] = {}
    """VNet-to-VNet connections between two gateways, by name."""
    access: dict[Name, Access] = {}
    """Access networks, by name."""
    pki: dict[Name, Authority] = {}
    """Certification authorities, by name. A gateway's document refers to their certificates as
    ${NAME.publicCertData}, and to a client's certificate as ${NAME.thumbprint}."""
    clients: dict[Name, Client] = {}
    """Client computers, by name."""
    faults: tuple[TimedFault, ...] = ()
    """Faults at set times, such as {fault: s2s-cut, after: 5s, for: 20s}; faults between steps are
    in `expect`."""
    expect: tuple[Step, ...] = ()
    """Checks, and actions between them, in order: docs/topology-language.md describes them."""

    def connections_of(self, gateway: str) -> dict[str, SiteConnection | VnetConnection]:
        """The gateway's connections, by name: those of sites, then those to other VNets."""
        sites = {
            name: site.connection
            for name, site in self.sites.items()
            if site.connection and site.connection.to == gateway
        }
        return sites | {n: c for n, c in self.connections.items() if gateway in c.gateways}

    def changes_of(self, gateway: str) -> Iterator[dict[str, Any]]:
        """What each `update` and `create` in `expect` merges into the gateway's document."""
        for step in self.expect:
            if isinstance(step, Update | Create) and step.gateway == gateway:
                yield step.properties

    def gateway_of(self, client: Client) -> str:
        """The name of the gateway that a client dials."""
        return client.gateway or next(iter(self.gateways))

    def dialled_by(self, name: str) -> tuple[str, ...]:
        """The names of all gateways that a client dials, its own first."""
        others = (
            step.to
            for step in self.expect
            if (isinstance(step, Connects) and step.connects == name)
            or (isinstance(step, Refused) and step.refused == name)
        )
        own = self.gateway_of(self.clients[name])
        return tuple(dict.fromkeys((own, *(other for other in others if other))))
