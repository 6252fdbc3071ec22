"""What rules are given and what they find."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Literal

from gateway.arm.resource import VpnClientConfiguration

if TYPE_CHECKING:
    from gateway.arm.resource import VirtualNetworkGateway

Path = tuple[str | int, ...]
Prefix = IPv4Network | IPv6Network

DeploymentModel = Literal["ResourceManager", "Classic"]
"""Azure's two; a gateway's document does not say in which it was made."""

CLIENT: Path = ("vpnClientConfiguration",)
PROTOCOLS: Path = (*CLIENT, "vpnClientProtocols")
AUTHENTICATION: Path = (*CLIENT, "vpnAuthenticationTypes")

LAB = "this lab's own limit, not Azure's"


@dataclass(frozen=True)
class Network:
    """What the gateway stands in: the VNet's prefixes and, known ones, of connected sites."""

    addressPrefixes: tuple[str, ...]
    sitePrefixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Violation:
    """One thing that Azure refuses; `path` starts at `properties`."""

    path: Path
    message: str
    remedy: str
    source: str


@dataclass(frozen=True)
class Case:
    """What a rule looks at."""

    gateway: VirtualNetworkGateway
    network: Network
    placeholders: bool
    deployment: DeploymentModel = "ResourceManager"

    @property
    def client(self) -> VpnClientConfiguration:
        """An empty configuration stands for none: its rules find nothing to refuse."""
        return self.gateway.properties.vpnClientConfiguration or VpnClientConfiguration()


def prefix_of(text: str) -> Prefix | None:
    """A prefix, or None if the text is not one."""
    try:
        return ip_network(text)
    except ValueError:
        return None


def not_a_prefix(path: Path, text: str) -> Violation:
    """The violation for what is not a prefix."""
    return Violation(
        path,
        f"{text!r} is not a prefix",
        "network address and length, as 172.16.201.0/24, without host bits",
        "azure-rest-api-specs: AddressSpace in CIDR notation",
    )
