"""The input and output of rules: cases and violations."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from gateway.arm.canonical import text_of
from gateway.arm.resource import VpnClientConfiguration
from gateway.common.errors import Detail

if TYPE_CHECKING:
    from gateway.arm.resource import VirtualNetworkGateway
    from gateway.common.vocabulary import DeploymentModel

Path = tuple[str | int, ...]
Prefix = IPv4Network | IPv6Network

CLIENT: Path = ("vpnClientConfiguration",)
PROTOCOLS: Path = (*CLIENT, "vpnClientProtocols")
AUTHENTICATION: Path = (*CLIENT, "vpnAuthenticationTypes")

LAB = "this lab's own limit, not Azure's"


@dataclass(frozen=True)
class Network:
    """The gateway's surroundings: the prefixes of the VNet and those known of connected sites, and
    the number of the gateway's connections."""

    addressPrefixes: tuple[str, ...]
    sitePrefixes: tuple[str, ...] = ()
    connections: int = 0


@dataclass(frozen=True)
class Violation:
    """One thing that Azure refuses; `path` starts at `properties`."""

    path: Path
    message: str
    remedy: str
    source: str

    def detail(self) -> Detail:
        """The entry in an error document of Azure's; the remedy is part of its message."""
        target = text_of(("properties", *self.path))
        return Detail("InvalidProperty", f"{self.message}; {self.remedy}", target, self.source)


@dataclass(frozen=True)
class Case:
    """What a rule examines."""

    gateway: VirtualNetworkGateway
    network: Network
    placeholders: bool
    deployment: DeploymentModel = "ResourceManager"
    former: VirtualNetworkGateway | None = None
    """The document of the gateway that this one changes; None: the gateway is created."""

    @property
    def client(self) -> VpnClientConfiguration:
        """The point-to-site configuration; an empty one if the gateway has none."""
        return self.gateway.properties.vpnClientConfiguration or VpnClientConfiguration()


def prefix_of(text: str) -> Prefix | None:
    """Parse a prefix; None if the text is not one."""
    try:
        return ip_network(text)
    except ValueError:
        return None


def not_a_prefix(path: Path, text: str) -> Violation:
    """The violation for text that is not a prefix."""
    return Violation(
        path,
        f"{text!r} is not a prefix",
        "write network address and length without host bits, such as 172.16.201.0/24",
        "azure-rest-api-specs: AddressSpace in CIDR notation",
    )
