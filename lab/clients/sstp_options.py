"""Configuration of sstpc and pppd as text: pppd's option file, command lines, OpenSSL's limits.

pppd is the parent and sstpc its pty program. So pppd's exit code is available, and no request is
echoed before pppd listens (docs/facts.md §6).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from lab.clients.user import NoCredentials, User, UserPassword
from lab.topology.model.tls import TlsVersion
from lab.topology.planning.plan import TlsLimits
from radius.printable import printable

DIRECTORY = "/run/sstp"
OPTIONS, ROOT, RADIUS_ROOT, CHAIN, KEY, OPENSSL = (
    f"{DIRECTORY}/{name}"
    for name in (
        "options",
        "VpnServerRoot.pem",
        "RadiusServerRoot.pem",
        "user.pem",
        "user.key",
        "openssl.cnf",
    )
)
IPC_DIRECTORY = "/run/sstpc"
"""The directory of the socket between sstpc and its plugin in pppd; sstpc does not create it."""
CALL = "p2slab"
"""The name of that socket: a node has one call at a time."""
AUTHENTICATION_LIMIT = 60
"""Seconds for EAP or CHAP: a push approval takes up to 30, and pppd's default for EAP is 20."""

DIAL_LIMIT = 20.0
RADIUS_DIAL_LIMIT = 45.0
"""With RADIUS: a gateway may wait 30 s for the server."""


def dial_limit(user: User, radius_root: bytes) -> float:
    """The time limit of a dial in seconds; `radius_root` as in the profile."""
    return RADIUS_DIAL_LIMIT if isinstance(user, UserPassword) or radius_root else DIAL_LIMIT


def pppd_options(
    user: User, *, radius: bool = False, eap_maximum: TlsVersion | None = None
) -> bytes:
    """pppd's option file. It contains the password: mode 0600.

    `radius`: a RADIUS server, not the gateway, authenticates the user's certificate. `eap_maximum`:
    the newest TLS version of EAP-TLS. The driver sets routes (split tunnel) and resolver, in place
    of Debian's scripts, which do not know nodes.
    """
    limits = [f"max-tls-version {eap_maximum}"] if eap_maximum else []
    options = (*_COMMON, *_user_options(user, radius=radius), *limits)
    return b"\n".join((*map(str.encode, options), *_password(user), b""))


_COMMON = (
    "nodetach",
    "debug",
    "noauth",
    "noipdefault",
    "nodefaultroute",
    "usepeerdns",
    "noipv6",
    "refuse-pap",
    "refuse-chap",
    "refuse-mschap",
    "ip-up-script /bin/true",
    "ip-down-script /bin/true",
    f"eap-timeout {AUTHENTICATION_LIMIT}",
    f"chap-timeout {AUTHENTICATION_LIMIT}",
)


def _user_options(user: User, *, radius: bool) -> Iterator[str]:
    """A password is sent by MS-CHAPv2 without EAP, where the gateway can give its reason."""
    if isinstance(user, UserPassword):
        yield f"name {_quoted(user.name)}"
        yield "refuse-eap"
    elif isinstance(user, NoCredentials):
        yield f"name {_quoted(user.name)}"
        yield "refuse-mschap-v2"
        yield "password none"  # without one, pppd would not begin EAP
    else:
        yield f"name {_quoted(user.common_name)}"
        yield "refuse-mschap-v2"
        yield f"ca {RADIUS_ROOT if radius else ROOT}"
        yield f"cert {CHAIN}"
        yield f"key {KEY}"


def _password(user: User) -> Iterator[bytes]:
    """In Latin-1, because pppd makes UTF-16 of a password by widening each byte. Topologies have no
    other passwords for sstpc (lab.topology.rules.clients)."""
    if isinstance(user, UserPassword):
        yield f"password {_escaped(user.password)}".encode("latin-1")


def _quoted(text: str) -> str:
    """A certificate's name may have control characters in it."""
    return _escaped(printable(text))


def _escaped(text: str) -> str:
    """A quoted word of pppd's option file, pppd(8)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def pppd_command(server: str, proxy: tuple[str, int] | None) -> list[str]:
    """pppd's command line, with sstpc as its pty program.

    The shell between them ignores SIGTERM: pppd passes the signal on to its child, and sstpc would
    end before it could send LCP's Terminate-Request.
    """
    sstpc = ["sstpc", "--nolaunchpppd", "--ipparam", CALL, "--ca-cert", ROOT, "--tls-ext",
             "--log-level", "4", "--log-stderr"]  # fmt: skip
    through = ["--proxy", f"http://{proxy[0]}:{proxy[1]}"] if proxy else []
    pty = f"trap '' TERM; {shlex.join([*sstpc, *through, server])}; exit"
    return ["pppd", "file", OPTIONS, "plugin", "sstp-pppd-plugin.so",
            "sstp-sock", f"{IPC_DIRECTORY}/sstpc-{CALL}", "pty", pty]  # fmt: skip


def openssl_limits(limits: TlsLimits) -> str:
    """An OpenSSL configuration (config(5)) that limits the TLS version.

    Security level 0 allows SHA-1 signatures, which TLS 1.1 and outdated certificates need.
    """
    newest = {"1.0": "TLSv1", "1.1": "TLSv1.1"}.get(limits.maximum or "", "TLSv1.2")
    return f"""openssl_conf = openssl_init
[openssl_init]
ssl_conf = ssl_sect
[ssl_sect]
system_default = limits
[limits]
MinProtocol = TLSv1
MaxProtocol = {newest}
CipherString = DEFAULT:@SECLEVEL=0
"""
