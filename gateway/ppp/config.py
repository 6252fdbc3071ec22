"""The configuration of the two ends of a link."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from OpenSSL import SSL

Method = Literal["EAP", "MS-CHAPv2", "PAP"]

MRU = 1400
"""The MRU that we request: an Ethernet packet without IP, TCP, TLS and SSTP headers."""


@dataclass(frozen=True)
class ServerConfig:
    """The authenticator's end; shared by all links of a gateway.

    `methods`: the allowed methods, in order of preference. EAP is passed through to the link's
    owner, who answers EapAttempts.
    """

    local_address: IPv4Address
    methods: tuple[Method, ...] = ("EAP",)
    dns: tuple[IPv4Address, ...] = ()
    wins: tuple[IPv4Address, ...] = ()
    mru: int = MRU
    name: str = "p2slab"


@dataclass(frozen=True)
class ClientConfig:
    """The peer's end. `methods`: the methods that it accepts, preferred first.

    Within EAP it uses EAP-TLS if it has a context with a certificate, otherwise EAP-MSCHAPv2.
    """

    user: str
    password: str = field(default="", repr=False)
    eap_tls: SSL.Context | None = field(default=None, repr=False)
    methods: tuple[Method, ...] = ("EAP", "MS-CHAPv2")
    mru: int = MRU
    ask_dns: bool = True
    ask_wins: bool = False
