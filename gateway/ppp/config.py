"""How the two ends of a link are set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Literal

from OpenSSL import SSL

Method = Literal["EAP", "MS-CHAPv2", "PAP"]

MRU = 1400
"""What we ask for: an Ethernet packet less IP, TCP, TLS and SSTP."""


@dataclass(frozen=True)
class ServerConfig:
    """The authenticator's end; shared by all links of a gateway.

    `methods` in order of preference, and none besides; EAP goes through to whoever answers
    EapAttempts.
    """

    local_address: IPv4Address
    methods: tuple[Method, ...] = ("EAP",)
    dns: tuple[IPv4Address, ...] = ()
    wins: tuple[IPv4Address, ...] = ()
    mru: int = MRU
    name: str = "p2slab"


@dataclass(frozen=True)
class ClientConfig:
    """The peer's end. `methods`: what it lets itself be asked for, dearest first.

    Inside EAP it takes EAP-TLS where it has a context with a certificate, else EAP-MSCHAPv2.
    """

    user: str
    password: str = field(default="", repr=False)
    eap_tls: SSL.Context | None = field(default=None, repr=False)
    methods: tuple[Method, ...] = ("EAP", "MS-CHAPv2")
    mru: int = MRU
    ask_dns: bool = True
    ask_wins: bool = False
