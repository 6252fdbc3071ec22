"""What a topology file may say of the servers that check passwords: RADIUS, Active Directory.

A site's `radius:` and `directory:` are computers of their own in its LAN; a host in a VNet may
have `radius:` too, and then is that server itself. lab.roles.radius_server and lab.roles.directory
start them.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema

from lab.topology.model.values import Address, Name
from radius.methods import Method
from radius.printable import is_printable

_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,19}")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")
_MOST_OF_A_SECRET = 128


def _user_name(value: Any) -> str:
    """sAMAccountName has at most 20 characters; a dot or hyphen in it needs no quoting anywhere."""
    if not isinstance(value, str) or not _USER.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be a user name: letters, digits, dots, hyphens and underscores, "
            "at most 20, such as alice"
        )
    return value


def _realm(value: Any) -> str:
    if not isinstance(value, str) or not _DOMAIN.fullmatch(value):
        raise ValueError(f"{value!r} cannot be a domain; write it like corp.test")
    return value


def _secret(value: Any) -> SecretStr:
    """Never quoted in the message."""
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise ValueError("a password must be text: put it in quotes")  # noqa: TRY004 (pydantic)
    if not 1 <= len(value) <= _MOST_OF_A_SECRET or not is_printable(value):
        raise ValueError(f"a password is 1 to {_MOST_OF_A_SECRET} printable characters")
    return SecretStr(value)


UserName = Annotated[
    str,
    BeforeValidator(_user_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_USER.pattern}$"}),
]
Realm = Annotated[
    str,
    BeforeValidator(_realm),
    WithJsonSchema({"type": "string", "pattern": f"^{_DOMAIN.pattern}$"}),
]
Password = Annotated[
    SecretStr,
    BeforeValidator(_secret),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _MOST_OF_A_SECRET}),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class RadiusUser(_Model):
    """A user whom the RADIUS server itself knows."""

    password: Password
    """The password, in quotes."""


class RadiusCertificates(_Model):
    """EAP-TLS: the authority of whose certificates the RADIUS server accepts."""

    authority: Name
    """Of `pki`: it issues the users' certificates and the revocation list."""
    revoked: tuple[Name, ...] = ()
    """Clients whose certificates are on the revocation list."""


class SecondFactor(_Model):
    """After the password the user is asked on a telephone (push), by radius.push_proxy."""

    approved: Literal["asked", "never", "typed"] | Annotated[float, Field(ge=0, le=120)] = "asked"
    """After how many seconds the user approves; never; asked: by `p2slab approve USER`; or typed:
    the server wants a code, for which VPN clients have no place."""
    denied: tuple[UserName, ...] = ()
    """Users who deny instead, after the same time."""


class RadiusService(_Model):
    """A RADIUS server: FreeRADIUS."""

    secret: Password | None = None
    """The shared secret; left out, the one in the gateway's document."""
    methods: tuple[Method, ...] = get_args(Method)
    """What it accepts: PAP, MS-CHAPv2, EAP-MSCHAPv2, EAP-TLS, PEAP."""
    signs: Literal["all", "eap"] = "all"
    """Which answers have a Message-Authenticator: all; or those to EAP alone, as Debian 12's
    FreeRADIUS has it. The gateway then makes an exception for this server (CVE-2024-3596)."""
    users: dict[UserName, RadiusUser] = {}
    """The users whom it knows itself, such as {alice: {password: "..."}}."""
    certificates: RadiusCertificates | None = None
    """Users' certificates that it accepts, such as {authority: radius-root, revoked: [bob]}."""
    group: UserName | None = None
    """The group of the site's Active Directory whose members alone are let in."""
    secondFactor: SecondFactor | None = None
    """Asks the user for approval after the password."""


class SiteRadius(RadiusService):
    """The RADIUS server of a site; joined to the site's `directory` where there is one."""

    address: Address
    """Its address in the site's LAN."""
    second: Address | None = None
    """The address of a second server with the same users."""


class DirectoryUser(_Model):
    """A user of the domain."""

    password: Password
    """The password, in quotes: Active Directory wants 7 characters of three kinds."""
    groups: tuple[UserName, ...] = ()
    """Groups to which the user belongs; they are made as they are named."""
    disabled: bool = False
    """The account is disabled."""
    mustChangePassword: bool = False
    """The password must be changed at the next login, which no VPN client can do."""
    expired: bool = False
    """The account expired yesterday."""


class Directory(_Model):
    """An Active Directory domain: a Samba domain controller in the site's LAN."""

    address: Address
    """The domain controller's address in the site's LAN."""
    realm: Realm = "corp.test"
    """The domain's DNS name; its first label, in capitals, is the DOMAIN of `DOMAIN\\user`."""
    users: dict[UserName, DirectoryUser] = {}
    """Its users, such as {alice: {password: "...", groups: [vpn]}}."""
    lockoutThreshold: Annotated[int, Field(ge=0, le=50)] = 0
    """After how many wrong passwords an account is locked; 0: never."""

    @property
    def domain(self) -> str:
        """The NetBIOS name."""
        return self.realm.partition(".")[0].upper()
