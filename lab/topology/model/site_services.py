"""Models of the servers that check passwords in a topology file: RADIUS and Active Directory.

A site's `radius:` and `directory:` are separate computers in its LAN. A host in a VNet may have
`radius:` too; the host itself is the server then. lab.roles.radius_server and lab.roles.directory
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
_MAXIMUM_SECRET_LENGTH = 128


def _user_name(value: Any) -> str:
    """sAMAccountName has at most 20 characters; dots and hyphens need no quoting anywhere."""
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
    """The error messages never quote the value."""
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise ValueError("a password must be text: put it in quotes")  # noqa: TRY004 (pydantic)
    if not 1 <= len(value) <= _MAXIMUM_SECRET_LENGTH or not is_printable(value):
        raise ValueError(f"a password is 1 to {_MAXIMUM_SECRET_LENGTH} printable characters")
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
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _MAXIMUM_SECRET_LENGTH}),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class RadiusUser(_Model):
    """A user in the RADIUS server's own user list."""

    password: Password
    """The password, in quotes."""


class RadiusCertificates(_Model):
    """EAP-TLS: the user certificates that the RADIUS server accepts."""

    authority: Name
    """A key of `pki`: the authority that issues user certificates and the revocation list."""
    revoked: tuple[Name, ...] = ()
    """Clients whose certificates are on the revocation list."""


class SecondFactor(_Model):
    """A push notification to the user's phone after the password, sent by radius.push_proxy."""

    approved: (
        Literal["asked", "never", "typed"] | Annotated[float, Field(strict=True, ge=0, le=120)]
    ) = "asked"
    """When the user approves: after so many seconds, `never`, or `asked` (on `p2slab approve
    USER`). `typed`: the server demands a code, which VPN clients have no prompt for."""
    denied: tuple[UserName, ...] = ()
    """Users who deny instead, where `approved` is a time, and after that time."""


class RadiusService(_Model):
    """A RADIUS server: FreeRADIUS."""

    secret: Password | None = None
    """The shared secret; left out, the one in the gateway's document."""
    methods: tuple[Method, ...] = get_args(Method)
    """What it accepts: PAP, MS-CHAPv2, EAP-MSCHAPv2, EAP-TLS, PEAP."""
    signs: Literal["all", "eap"] = "all"
    """Which responses carry a Message-Authenticator: all, or only EAP, as Debian 12's FreeRADIUS
    does. With `eap` the gateway makes an exception for this server (CVE-2024-3596)."""
    users: dict[UserName, RadiusUser] = {}
    """Its own users, such as {alice: {password: "..."}}."""
    certificates: RadiusCertificates | None = None
    """User certificates that it accepts, such as {authority: radius-root, revoked: [bob]}."""
    group: UserName | None = None
    """A group of the site's Active Directory: only its members are let in."""
    secondFactor: SecondFactor | None = None
    """A second factor: the user must approve after the password."""


class SiteRadius(RadiusService):
    """The RADIUS server of a site; joined to the site's `directory` where there is one."""

    address: Address
    """Its address in the site's LAN."""
    second: Address | None = None
    """The address of a second server with the same users."""


class DirectoryUser(_Model):
    """A user of the domain."""

    password: Password
    """The password, in quotes: Active Directory requires 7 characters of three kinds."""
    groups: tuple[UserName, ...] = ()
    """The user's groups; each group named here is created."""
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
    lockoutThreshold: Annotated[int, Field(strict=True, ge=0, le=50)] = 0
    """How many wrong passwords lock an account; 0: never."""

    @property
    def domain(self) -> str:
        """The NetBIOS name."""
        return self.realm.partition(".")[0].upper()
