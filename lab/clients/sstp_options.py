"""What sstpc and pppd are given: pppd's option file, the command line, OpenSSL's limits. Text.

pppd is the parent and sstpc its pty, so that pppd's exit codes can be used and no request is
echoed before pppd listens (facts/sstp-interop.md).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from lab.clients.user import UserCertificate, UserPassword
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
"""Where sstpc and its plugin in pppd meet; sstpc does not make it."""
CALL = "p2slab"
"""The name of that socket's pair: one call at a time in a node."""
PATIENCE = 60
"""Seconds for EAP or CHAP: a second factor by push takes up to 30, and pppd gives up EAP after 20
by itself."""

DIAL_LIMIT = 20.0
PATIENT_LIMIT = 45.0
"""Where RADIUS is asked, for which a gateway may take 30 s."""

User = UserCertificate | UserPassword


def dial_limit(user: User, radius_root: bytes) -> float:
    """Seconds for a dial; `radius_root` as in the profile."""
    return PATIENT_LIMIT if isinstance(user, UserPassword) or radius_root else DIAL_LIMIT


def pppd_options(user: User, *, radius: bool = False) -> str:
    """pppd's option file. It holds the password: mode 0600. `radius`: a RADIUS server, and not the
    gateway, is whom it shows the user's certificate.

    The routes are the profile's (split tunnel), set by the driver; so is the resolver, in place
    of Debian's scripts, which know nothing of a node.
    """
    return "\n".join((*_COMMON, *_user_options(user, radius=radius), ""))


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
    f"eap-timeout {PATIENCE}",
    f"chap-timeout {PATIENCE}",
)


def _user_options(user: User, *, radius: bool) -> Iterator[str]:
    """A password goes by MS-CHAPv2 itself: there the gateway can say why it refuses."""
    if isinstance(user, UserPassword):
        yield f"name {_quoted(user.name)}"
        yield f"password {_quoted(user.password)}"
        yield "refuse-eap"
    else:
        yield f"name {_quoted(user.common_name)}"
        yield "refuse-mschap-v2"
        yield f"ca {RADIUS_ROOT if radius else ROOT}"
        yield f"cert {CHAIN}"
        yield f"key {KEY}"


def _quoted(text: str) -> str:
    """A word of pppd's option file, pppd(8): in quotes, with backslashes."""
    return '"' + printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def pppd_command(server: str, proxy: tuple[str, int] | None) -> list[str]:
    """pppd, with sstpc as its pty.

    The shell between them is there for pppd's way of ending: it would hand the SIGTERM that it got
    on to its child, and sstpc would be gone before it could carry LCP's Terminate-Request.
    """
    sstpc = ["sstpc", "--nolaunchpppd", "--ipparam", CALL, "--ca-cert", ROOT, "--tls-ext",
             "--log-level", "4", "--log-stderr"]  # fmt: skip
    through = ["--proxy", f"http://{proxy[0]}:{proxy[1]}"] if proxy else []
    pty = f"trap '' TERM; {shlex.join([*sstpc, *through, server])}; exit"
    return ["pppd", "file", OPTIONS, "plugin", "sstp-pppd-plugin.so",
            "sstp-sock", f"{IPC_DIRECTORY}/sstpc-{CALL}", "pty", pty]  # fmt: skip


def openssl_limits(limits: TlsLimits) -> str:
    """A configuration of OpenSSL (config(5)) that makes it as old as it is to be.

    Level 0 allows what TLS 1.1 needs, signatures with SHA-1.
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
