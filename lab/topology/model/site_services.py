"""Models of the servers that check passwords in a topology file: RADIUS and Active Directory.

A site's `radius:` and `directory:` are separate computers in its LAN. A host in a VNet may have
`radius:` too; the host itself is the server then. lab.roles.radius_server and lab.roles.directory
start them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema

from lab.topology.model.values import Address, Name, Prefixes, SignIn
from radius.methods import Method
from radius.printable import is_printable

_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,19}")
_ACCOUNT = re.compile(r"[\w!$%&'^`{}~-](?:[\w .!#$%&'^`{}~-]{0,18}[\w!#$%&'^`{}~-])?")
"""sAMAccountName: at most 20 characters, none of "/\\[]:;|=,+*?<>@ and no dot at the end."""
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")
_MAXIMUM_SECRET_LENGTH = 128
_MAXIMUM_PASSWORD_LENGTH = 256
"""UTF-16 code units (RFC 2759, section 8.1)."""
_NOT_TYPED = frozenset(("Cc", "Cs", "Zl", "Zp"))
"""Unicode's categories of control characters, unpaired surrogates and line separators."""


def _group_name(value: Any) -> str:
    if not isinstance(value, str) or not _GROUP.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be a group's name: letters, digits, dots, hyphens and underscores, "
            "at most 20, such as vpn"
        )
    return value


def _account_name(value: Any) -> str:
    if not isinstance(value, str) or not _ACCOUNT.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be the name of an account: at most 20 letters, digits and "
            "!#$%&'^`{}~-_, and spaces and dots inside, such as alice"
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
        raise ValueError("a secret must be text: put it in quotes")  # noqa: TRY004 (pydantic)
    if not 1 <= len(value) <= _MAXIMUM_SECRET_LENGTH or not is_printable(value):
        raise ValueError(f"a secret is 1 to {_MAXIMUM_SECRET_LENGTH} printable characters")
    return SecretStr(value)


def _password(value: Any) -> SecretStr:
    """As `_secret`."""
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise ValueError("a password must be text: put it in quotes")  # noqa: TRY004 (pydantic)
    if any(unicodedata.category(c) in _NOT_TYPED for c in value):
        raise ValueError("a password has no control characters and no line ends")
    if not 1 <= len(value.encode("utf-16-le")) // 2 <= _MAXIMUM_PASSWORD_LENGTH:
        raise ValueError(f"a password has 1 to {_MAXIMUM_PASSWORD_LENGTH} characters (UTF-16)")
    return SecretStr(value)


GroupName = Annotated[
    str,
    BeforeValidator(_group_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_GROUP.pattern}$"}),
]
AccountName = Annotated[
    str,
    BeforeValidator(_account_name),
    WithJsonSchema({"type": "string", "pattern": r'^[^"/\\\[\]:;|=,+*?<>@()]{1,20}$'}),
]
Realm = Annotated[
    str,
    BeforeValidator(_realm),
    WithJsonSchema({"type": "string", "pattern": f"^{_DOMAIN.pattern}$"}),
]
Secret = Annotated[
    SecretStr,
    BeforeValidator(_secret),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _MAXIMUM_SECRET_LENGTH}),
]
Password = Annotated[
    SecretStr,
    BeforeValidator(_password),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _MAXIMUM_PASSWORD_LENGTH}),
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
    denied: tuple[SignIn, ...] = ()
    """Users who deny instead, where `approved` is a time, and after that time."""


class RadiusService(_Model):
    """A RADIUS server: FreeRADIUS."""

    secret: Secret | None = None
    """The shared secret; left out, the one in the gateway's document."""
    clients: Prefixes | None = None
    """The prefixes of its clients, the gateways: it answers nobody else. Left out, every
    GatewaySubnet."""
    methods: tuple[Method, ...] = get_args(Method)
    """What it accepts: PAP, MS-CHAPv2, EAP-MSCHAPv2, EAP-TLS, PEAP."""
    signs: Literal["all", "eap"] = "all"
    """Which responses carry a Message-Authenticator: all, or only EAP, as Debian 12's FreeRADIUS
    does."""
    exception: bool = True
    """With `signs: eap`: whether the gateway makes an exception for this server; without one it
    takes no answer that is not signed (CVE-2024-3596)."""
    users: dict[SignIn, RadiusUser] = {}
    """Its own users, such as {alice: {password: "..."}}, by the names that they sign in with."""
    certificates: RadiusCertificates | None = None
    """User certificates that it accepts, such as {authority: radius-root, revoked: [bob]}."""
    group: GroupName | None = None
    """A group of the site's Active Directory: only its members are let in."""
    secondFactor: SecondFactor | None = None
    """A second factor: the user must approve after the password."""


class SiteRadius(RadiusService):
    """The RADIUS server of a site; joined to the site's `directory` where there is one."""

    address: Address
    """Its address in the site's LAN."""
    second: Address | None = None
    """The address of a second server with the same users."""
    defaultGateway: Address | None = None
    """Where it sends what is not for the LAN; left out, to the site's device."""


class DirectoryUser(_Model):
    """A user of the domain."""

    password: Password
    """The password, in quotes: Active Directory requires 7 characters of three kinds."""
    groups: tuple[GroupName, ...] = ()
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
    users: dict[AccountName, DirectoryUser] = {}
    """Its users, such as {alice: {password: "...", groups: [vpn]}}."""
    lockoutThreshold: Annotated[int, Field(strict=True, ge=0, le=50)] = 0
    """How many wrong passwords lock an account; 0: never."""

    @property
    def domain(self) -> str:
        """The NetBIOS name."""
        return self.realm.partition(".")[0].upper()
