"""What a FreeRADIUS server of the lab is: whom it answers, whom it knows, by which methods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from radius.methods import Method

PORT = 1812


@dataclass(frozen=True)
class Client:
    """Who may ask: a gateway, by the prefix of its GatewaySubnet."""

    prefix: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Tls:
    """The server's certificate, with its chain, and key; PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Authority:
    """Who issues the users' certificates, and what of them is revoked; PEM."""

    certificate: bytes
    revocation_list: bytes


@dataclass(frozen=True)
class Domain:
    """The Active Directory of which the server is a member."""

    name: str
    """Its NetBIOS name."""
    group: str | None = None
    """The SID of the group whose members alone are let in."""


@dataclass(frozen=True)
class Instance:
    """A RADIUS server."""

    address: str
    clients: tuple[Client, ...]
    users: dict[str, str] = field(default_factory=dict, repr=False)
    """Names to passwords."""
    methods: tuple[Method, ...] = get_args(Method)
    tls: Tls | None = None
    """Needed for PEAP and EAP-TLS."""
    authority: Authority | None = None
    """Needed for EAP-TLS."""
    domain: Domain | None = None
    port: int = PORT
    signs_all: bool = True
    """Whether every answer has a Message-Authenticator; Debian 12's FreeRADIUS by itself leaves
    it out after PAP and raw MS-CHAPv2."""
