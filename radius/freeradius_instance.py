"""The description of a FreeRADIUS server in the lab: its clients, users and methods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from radius.methods import Method

PORT = 1812


@dataclass(frozen=True)
class Client:
    """A RADIUS client: a gateway, identified by the prefix of its GatewaySubnet."""

    prefix: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Tls:
    """The server's certificate with its chain, and its key; PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Authority:
    """The issuer of the users' certificates, and its revocation list; PEM."""

    certificate: bytes
    revocation_list: bytes


@dataclass(frozen=True)
class Domain:
    """The Active Directory domain that the server is a member of."""

    name: str
    """The domain's NetBIOS name."""
    group: str | None = None
    """The SID of the required group; None: no group is required."""


@dataclass(frozen=True)
class Instance:
    """A RADIUS server."""

    address: str
    clients: tuple[Client, ...]
    users: dict[str, str] = field(default_factory=dict, repr=False)
    """The server's own users: names to passwords."""
    methods: tuple[Method, ...] = get_args(Method)
    tls: Tls | None = None
    """Needed for PEAP and EAP-TLS."""
    authority: Authority | None = None
    """Needed for EAP-TLS."""
    domain: Domain | None = None
    port: int = PORT
    signs_all: bool = True
    """Whether every answer has a Message-Authenticator; by default, Debian 12's FreeRADIUS omits it
    for PAP and raw MS-CHAPv2."""
