"""The services of a node: one class for each role.

Planning makes them, `up --dry-run` prints them, and the role (lab.roles) reads them. Addresses and
prefixes are strings. A field marked SECRET is never printed. What exists only at run time, such as
an issued certificate, is named here and found in lab.roles.RoleContext.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from radius.directory import User
    from radius.methods import Method
    from radius.push import Approved

SECRET = {"secret": True}
"""Metadata of a field that is never printed; such a field has repr=False, too."""


def is_secret(part: Field[Any]) -> bool:
    """Whether a field is marked SECRET."""
    return part.metadata == SECRET


@dataclass(frozen=True)
class DnsSpec:
    """A DNS server with names of its own."""

    role: ClassVar[str] = "dns"
    listen: tuple[str, ...]
    records: Mapping[str, tuple[str, ...]]
    """Name to addresses."""
    forward: tuple[str, ...] = ()
    """Servers that know the other names; none: it says that there are none."""
    refused: tuple[str, ...] = ()
    """Names that it says do not exist, whoever knows them."""


@dataclass(frozen=True)
class HttpSpec:
    """A web server that answers every path with the text."""

    role: ClassVar[str] = "http"
    text: str
    port: int = 80
    listen: str = ""
    """The address; empty: every one."""


@dataclass(frozen=True)
class EchoSpec:
    """An echo server, TCP and UDP (RFC 862)."""

    role: ClassVar[str] = "echo"
    port: int = 7
    listen: str = ""


@dataclass(frozen=True)
class Iperf3Spec:
    """A throughput server."""

    role: ClassVar[str] = "iperf3"
    port: int = 5201
    listen: str = ""


@dataclass(frozen=True)
class ProxySpec:
    """An HTTP proxy, which connects (CONNECT) to the allowed ports."""

    role: ClassVar[str] = "proxy"
    port: int
    allow: tuple[int, ...]
    denied: tuple[str, ...] = ()
    """Names to which it does not connect."""
    users: Mapping[str, SecretStr] = field(default_factory=dict, repr=False, metadata=SECRET)
    """Name to password; none: it asks nobody."""


@dataclass(frozen=True)
class PortalSpec:
    """A captive portal."""

    role: ClassVar[str] = "portal"
    address: str
    """Its own, in the LAN of its access network."""
    certificate: str
    """Of the plan's certificates, the one with which it answers HTTPS."""


@dataclass(frozen=True)
class InspectionSpec:
    """A firewall that breaks TLS open."""

    role: ClassVar[str] = "inspection"
    address: str
    """Its own, in the LAN of its access network."""
    certificate: str
    """Of the plan's certificates, the authority that issues those that it shows."""
    certificates: Mapping[str, str]
    """Name of a server to the certificate that is shown in its place."""
    nameserver: str
    """Who knows the servers' addresses."""


@dataclass(frozen=True)
class VpnDeviceSpec:
    """A site's VPN device."""

    role: ClassVar[str] = "site"
    public: str
    """Its address on the Internet."""
    peer: str
    """The gateway's public address."""
    local: tuple[str, ...]
    """Its selectors: the prefixes behind the device, and"""
    remote: tuple[str, ...]
    """those behind the gateway."""
    lan: str
    """The prefix of its LAN."""
    known: tuple[str, ...]
    """The prefixes behind it, as the gateway knows them."""
    shared_key: SecretStr = field(repr=False, metadata=SECRET)
    ike: tuple[str, ...] = ()
    """Its IKE proposals; empty: those for Azure's defaults."""
    esp: tuple[str, ...] = ()
    """Its ESP proposals; empty: those for Azure's defaults."""


@dataclass(frozen=True)
class BgpSpec:
    """What a site announces to a gateway."""

    role: ClassVar[str] = "bgp"
    address: str
    asn: int
    peer: str
    """The gateway's address in its GatewaySubnet."""
    peer_asn: int
    announced: tuple[str, ...]


@dataclass(frozen=True)
class RadiusSpec:
    """A RADIUS server."""

    role: ClassVar[str] = "radius"
    address: str
    clients: tuple[str, ...]
    """Prefixes from which gateways may ask."""
    methods: tuple[Method, ...]
    certificate: str | None
    """Of the plan's certificates, the server's own; PEAP and EAP-TLS need it."""
    authority: str | None
    """Of the plan's certificates, the issuer of the users' certificates; EAP-TLS needs it."""
    revoked: tuple[str, ...]
    """Of the plan's certificates, those on the authority's revocation list."""
    signs_all: bool
    """Whether every answer has a Message-Authenticator."""
    domain: str | None
    """The NetBIOS name of the Active Directory domain that the server is a member of."""
    group: str | None
    """The group of the domain whose members alone are let in."""
    factor: Approved | None
    """How users approve a second factor; None: they are not asked."""
    deniers: tuple[str, ...]
    """Users who deny instead."""
    secret: SecretStr = field(repr=False, metadata=SECRET)
    """The shared secret of all clients."""
    users: Mapping[str, SecretStr] = field(repr=False, metadata=SECRET)
    """Name to password."""


@dataclass(frozen=True)
class DirectorySpec:
    """A site's domain controller; the site's RADIUS servers are members of its domain."""

    role: ClassVar[str] = "directory"
    realm: str
    """The domain's DNS name."""
    addresses: Mapping[str, str]
    """NetBIOS name to address, of the controller and the members."""
    members: Mapping[str, str]
    """NetBIOS name to node."""
    lockout_threshold: int
    """After how many wrong passwords an account is locked; 0: never."""
    users: tuple[User, ...] = field(repr=False, metadata=SECRET)


ServiceSpec = (
    DnsSpec
    | HttpSpec
    | EchoSpec
    | Iperf3Spec
    | ProxySpec
    | PortalSpec
    | InspectionSpec
    | VpnDeviceSpec
    | BgpSpec
    | RadiusSpec
    | DirectorySpec
)
