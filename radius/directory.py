"""The configuration of an Active Directory domain with Samba 4.17: controller and members. Pure
text.

The settings were found by measurement (docs/facts.md §16): few services in one process, no
TLS keys, winbind reconnects within a second of the controller's return, the idmap range exists in a
user namespace, and no helper outlives its daemon.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

RECIPE = "1"
"""Increase this when the same values give a different domain."""
CONTROLLER = "DC1"
SHORTEST_PASSWORD = 7
_KINDS_OF_CHARACTERS = 3
_PUNCTUATION = frozenset("~!@#$%^&*_-+=`|\\(){}[]:;\"'<>,.?/")
_BUILT_IN = frozenset(
    ("administrator", "administrators", "dnsadmins", "dnsupdateproxy", "guest", "guests",
     "iis_iusrs", "krbtgt", "replicator", "users", "dc1", f"dns-{CONTROLLER.lower()}")
)  # fmt: skip
"""Accounts that every domain has, as far as a name without spaces can be one; lower case."""
PROVISION = Path(__file__).parent / "provision.py"
"""Run in the controller's node by the distribution's Python, which has Samba's modules."""
PORTS = (445, 389, 88)
"""Open ports of a controller that members can join: SMB, LDAP, Kerberos."""
LEFT_OUT = (
    "lib/winbindd_privileged",
    "lib/winbindd_cache.tdb",
    *(f"lib/private/{name}" for name in ("ldapi", "ldap_priv", "msg.sock", "tls", "smbd.tmp")),
)
"""The parts of a machine's state that daemons recreate."""


@dataclass(frozen=True)
class User:
    """A user of the domain."""

    name: str
    password: str = field(repr=False)
    groups: tuple[str, ...] = ()
    disabled: bool = False
    must_change: bool = False
    """Whether the password must be changed at the next login."""
    expired: bool = False
    """Whether the account expired yesterday."""


def built_in(name: str) -> bool:
    """Whether a new domain has an account of this name already: a user, a group or a computer."""
    return name.lower() in _BUILT_IN


def member_name(number: int) -> str:
    """The NetBIOS name of a member server, by its number from 1."""
    return f"NPS{number}"


def password_flaw(password: str) -> str:
    """Why a domain refuses the password; empty if it accepts it.

    Source: learn.microsoft.com, "Passwords must meet complexity requirements": characters of three
    of five kinds. Samba decides so, too, except that it does not compare it with the user's name.
    """
    if len(password.encode("utf-16-le")) // 2 < SHORTEST_PASSWORD:
        return f"it is shorter than {SHORTEST_PASSWORD} characters"
    kinds = {_kind_of_character(character) for character in password} - {""}
    if len(kinds) < _KINDS_OF_CHARACTERS:
        return f"its characters are of fewer than {_KINDS_OF_CHARACTERS} kinds"
    return ""


def _kind_of_character(character: str) -> str:
    if character.isascii() and not character.isalnum():
        return "punctuation" if character in _PUNCTUATION else ""
    if character.isascii() and character.isdigit():
        return "digit"
    if character.lower() != character:
        return "capital"
    return "small" if len(character.upper()) == 1 and character.upper() != character else "other"


@dataclass(frozen=True)
class Domain:
    """A domain, with one controller."""

    realm: str
    """The domain's DNS name, lower case."""
    users: tuple[User, ...] = ()
    members: tuple[str, ...] = ()
    """NetBIOS names of the member servers, such as NPS1."""
    lockout_threshold: int = 0

    @property
    def name(self) -> str:
        """The NetBIOS name: `NAME\\user`."""
        return self.realm.partition(".")[0].upper()

    def host(self, computer: str) -> str:
        """The DNS name of a computer of the domain."""
        return f"{computer.lower()}.{self.realm}"

    def key(self, samba: str) -> str:
        """A cache key of 16 hexadecimal digits for everything that a provisioned domain depends on.

        Addresses are not part of it: `password server` and /etc/hosts locate the controller.
        """
        inputs = json.dumps([RECIPE, samba, asdict(self)], sort_keys=True)
        return hashlib.sha256(inputs.encode()).hexdigest()[:16]


def provisioning(domain: Domain, address: str, administrator: str) -> str:
    """The JSON input of radius/provision.py. `administrator`: the password."""
    return json.dumps(
        {
            "realm": domain.realm,
            "domain": domain.name,
            "host": CONTROLLER.lower(),
            "address": address,
            "administrator": administrator,
            "lockoutThreshold": domain.lockout_threshold,
            "users": [asdict(user) for user in domain.users],
        }
    )


def controller_conf(domain: Domain) -> str:
    """smb.conf of the controller."""
    return (
        _conf(
            {
                "netbios name": CONTROLLER,
                "realm": domain.realm.upper(),
                "workgroup": domain.name,
                "server role": "active directory domain controller",
                "server services": "s3fs, rpc, ldap, cldap, kdc, winbindd",
                "dcerpc endpoint servers": "epmapper, samr, lsarpc, netlogon, drsuapi, dnsserver",
                # Required for MS-CHAPv2, which is NTLMv1 between member and controller.
                "ntlm auth": "mschapv2-and-ntlmv2-only",
                "old password allowed period": "0",
                "tls enabled": "no",
                "prefork children": "1",
                **_QUIET,
            }
        )
        + _conf(
            {"path": "/var/lib/samba/sysvol", "read only": "no"},
            "sysvol",
        )
        + _conf(
            {"path": f"/var/lib/samba/sysvol/{domain.realm}/scripts", "read only": "no"},
            "netlogon",
        )
    )


def member_conf(domain: Domain, computer: str) -> str:
    """smb.conf of a member."""
    return _conf(
        {
            "netbios name": computer,
            "realm": domain.realm.upper(),
            "workgroup": domain.name,
            "server role": "member server",
            "security": "ads",
            "password server": domain.host(CONTROLLER),
            "winbind reconnect delay": "1",
            "kerberos method": "secrets only",
            "machine password timeout": "0",
            "idmap config * : backend": "tdb",
            "idmap config * : range": "10000-60000",
            "winbind max domain connections": "1",
            # Otherwise winbindd starts a helper that outlives it.
            "rpc start on demand helpers": "no",
            **_QUIET,
        }
    )


_QUIET = {
    "disable netbios": "yes",
    "load printers": "no",
    "printcap name": "/dev/null",
}


def _conf(values: Mapping[str, str], section: str = "global") -> str:
    return f"[{section}]\n" + "".join(f" {name} = {value}\n" for name, value in values.items())


def kerberos_conf(domain: Domain) -> str:
    """krb5.conf of every computer of the domain."""
    return (
        f"[libdefaults]\n default_realm = {domain.realm.upper()}\n dns_lookup_realm = false\n"
        " dns_lookup_kdc = false\n rdns = false\n"
        f"[realms]\n {domain.realm.upper()} = {{\n  kdc = {domain.host(CONTROLLER)}\n }}\n"
    )


def hosts(domain: Domain, addresses: Mapping[str, str]) -> str:
    """Lines of /etc/hosts; `addresses` by NetBIOS name."""
    return "".join(
        f"{address} {domain.host(computer)} {computer.lower()}\n"
        for computer, address in addresses.items()
    )
