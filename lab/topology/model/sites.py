"""Models of on-premises sites in a topology file."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema

from gateway.arm.ipsec import IpsecPolicies
from lab.topology.model.hosts import Computer
from lab.topology.model.ike import IkeOffer
from lab.topology.model.site_services import Directory, SiteRadius
from lab.topology.model.values import (
    Address,
    Allow,
    IpAddress,
    Mtu,
    Name,
    Network,
    Prefix,
    Prefixes,
)

_PRINTABLE = re.compile(r"[\x20-\x7e]{1,128}")


def _key(value: Any) -> SecretStr:
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
        raise ValueError("a pre-shared key is 1 to 128 printable ASCII characters, in quotes")
    return SecretStr(value)


SharedKey = Annotated[
    SecretStr,
    BeforeValidator(_key),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 128}),
]
"""azure-docs vpn-gateway-vpn-faq: printable ASCII, at most 128 characters."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ToldBgp(_Model):
    """What Azure is told of the BGP of the site's device."""

    asn: int | None = Field(default=None, strict=True)
    """Its autonomous system number; left out, the true one."""
    bgpPeeringAddress: Address | None = None
    """Its address; left out, the true one."""


class LocalNetworkGateway(_Model):
    """What Azure is told of the site, where that is not the truth: its local network gateway."""

    gatewayIpAddress: Address | None = None
    """The address of the VPN device; left out, the true one."""
    addressPrefixes: Prefixes | None = None
    """The prefixes of the site: the VNet's routes to it, and the gateway's selectors; left out, the
    site's `lan`."""
    bgpSettings: ToldBgp = ToldBgp()
    """BGP of the site's device, such as {asn: 65011}; left out, the site's `bgp`."""


class VpnDevice(_Model):
    """How the site's VPN device is set up, where that is not as the connection needs it."""

    peer: Address | None = None
    """The gateway's public address; left out, the true one."""
    localPrefixes: Prefixes | None = None
    """Its selectors on its own side; left out, the site's `lan`."""
    remotePrefixes: Prefixes | None = None
    """Its selectors on the gateway's side; left out, all that the gateway asks for."""


class SiteFirewall(_Model):
    """What the site's device drops between the LAN and all others, each packet by its destination
    port."""

    denyIn: tuple[Allow, ...] = ()
    """What it does not let into the LAN, such as [udp/1812]."""
    denyOut: tuple[Allow, ...] = ()
    """What it does not let out of the LAN, such as [udp]."""


class SiteConnection(_Model):
    """The site-to-site tunnel to a gateway: ARM's connection and local network gateway."""

    to: str
    """The gateway: a key of `gateways`."""
    sharedKey: SharedKey
    """The pre-shared key that both ends have."""
    dpdTimeoutSeconds: int = Field(default=45, strict=True, ge=9, le=3600)
    """After how many seconds without an answer the gateway considers the peer dead."""
    ipsecPolicies: IpsecPolicies = ()
    """ARM's IPsec policy of the connection: the only algorithms that the gateway then takes."""
    localNetworkGateway: LocalNetworkGateway = LocalNetworkGateway()
    """What Azure is told of the site, such as {addressPrefixes: [192.168.50.0/25]}."""


class VnetConnection(_Model):
    """A VNet-to-VNet tunnel (ARM's Vnet2Vnet): each of the two gateways has a connection of this
    name to the other."""

    virtualNetworkGateway1: str
    """A gateway: a key of `gateways`."""
    virtualNetworkGateway2: str
    """The gateway of the other VNet."""
    sharedKey: SharedKey
    """The pre-shared key that both have."""
    dpdTimeoutSeconds: int = Field(default=45, ge=9, le=3600)
    """After how many seconds without an answer a gateway considers the other dead."""
    ipsecPolicies: IpsecPolicies = ()
    """ARM's IPsec policy of both connections: the only algorithms that they then take."""

    @property
    def gateways(self) -> tuple[str, str]:
        """Both gateways."""
        return self.virtualNetworkGateway1, self.virtualNetworkGateway2


class SiteHost(Computer):
    """A computer in a site's LAN."""

    address: Address | None = None
    """Its address; left out, the next free one of the LAN from the tenth on."""
    defaultGateway: Address | None = None
    """Where it sends what is not for the LAN; left out, to the site's device."""


class SiteBgp(_Model):
    """BGP on the site's VPN device, at the device's address in the LAN."""

    asn: int = Field(strict=True)
    """Its autonomous system number, such as 65010."""
    announce: Prefixes | None = None
    """What it tells the gateway of; left out, the site's `lan`."""


class Site(_Model):
    """An on-premises site: a VPN device with a public address, and a LAN behind it."""

    lan: Prefix
    """The prefix of its computers, such as 192.168.50.0/24; the device has the first address."""
    connection: SiteConnection | None = None
    """Its tunnel, such as {to: contoso-gw, sharedKey: "..."}."""
    ike: IkeOffer | None = None
    """What its VPN device proposes, such as {proposals: [aes256-sha256-modp2048]}; left out, what
    the connection's policy asks for, or else what Azure's gateways take without one."""
    device: VpnDevice = VpnDevice()
    """How its VPN device is set up, such as {remotePrefixes: [10.1.0.0/24]}."""
    bgp: SiteBgp | None = None
    """BGP through the tunnel, such as {asn: 65010}; Azure is then told of no more than the
    device's own address, and learns the rest."""
    firewall: SiteFirewall = SiteFirewall()
    """What its device drops, such as {denyIn: [udp/1812]}."""
    mtu: Mtu = 1500
    """The largest packet on its link to the Internet, in bytes, such as 1492 with PPPoE."""
    tellsMtu: bool = True
    """Whether its provider's router tells senders of packets that are too large for that link
    (ICMP, fragmentation needed): where it does not, these packets are lost without a trace."""
    privateLink: bool = False
    """In place of `connection`: a private line to the VNet, as ExpressRoute is. The GatewaySubnet
    has its route, too, but VPN gateways do not send RADIUS over it."""
    hosts: dict[Name, SiteHost] = {}
    """Its computers, by name."""
    radius: SiteRadius | None = None
    """Its RADIUS server, such as {address: 192.168.50.10, users: {alice: {password: "..."}}}."""
    directory: Directory | None = None
    """Its Active Directory domain, such as {address: 192.168.50.5, users: {...}}."""

    @property
    def known_prefixes(self) -> tuple[Network, ...]:
        """The site's prefixes, as Azure knows them."""
        told = self.connection and self.connection.localNetworkGateway.addressPrefixes
        if told or self.bgp is None:
            return told or (self.lan,)
        return (ip_network(self.bgp_peer),)

    @property
    def bgp_peer(self) -> IpAddress:
        """The address of the device's BGP, as Azure knows it."""
        told = self.connection.localNetworkGateway.bgpSettings if self.connection else ToldBgp()
        return told.bgpPeeringAddress or self.device_address

    @property
    def device_address(self) -> IpAddress:
        """The address of the device in its LAN."""
        return self.lan.network_address + 1
