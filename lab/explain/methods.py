"""How a client proves its user's identity by RADIUS, and what the server takes: methods, TLS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.explain.document import authenticated_by
from lab.explain.model import Finding, failure, stamp
from lab.roles.radius_server import CONFIGURATION

if TYPE_CHECKING:
    from lab.explain.attempt import Attempt
    from lab.explain.scene import Scene
    from lab.world import ClientComputer

_EAP = {"tls": "EAP-TLS", "mschapv2": "EAP-MSCHAPv2", "peap": "PEAP"}
_PLAIN = {"mschap": "MS-CHAPv2", "pap": "PAP"}
_OFFERED = re.compile(r"server requested EAP_(?!IDENTITY).*|requesting EAP_\w+ authentication.*")
_NO_TLS = re.compile(r"protocol version|unsupported protocol|no shared cipher|handshake failure")
_VERSION = re.compile(r'^ *(\w*version_?\w* = "?(1\.\d)"?)$', re.MULTILINE)
"""Of strongswan.conf, or of FreeRADIUS."""
_ENDS = ("min", "max")
CHARONS = "/run/strongswan/strongswan.conf"


@dataclass(frozen=True)
class MethodsSeen:
    """What both ends are set up for."""

    servers: tuple[str, ...] = ()
    """Each RADIUS server's methods, by its configuration."""
    tls: tuple[str, ...] = ()
    """The TLS versions of both ends, by their configurations."""
    told: tuple[str, ...] = ()
    """Lines of the client's charon about EAP."""


async def look_at_methods(client: ClientComputer, since: float, scene: Scene) -> MethodsSeen:
    """At all RADIUS servers of the lab, and at the client."""
    servers, tls = [], []
    for name in scene.world.radius:
        text = (await scene.world.nodes[name].read(CONFIGURATION)).decode(errors="replace")
        servers.append(f"{name}'s configuration has {', '.join(methods_in(text)) or 'none'}")
        tls += [f"the RADIUS server {name} takes {row}" for row in versions_in(text)]
    try:
        text = (await client.node.read(CHARONS)).decode(errors="replace")
    except OSError:
        text = ""  # it dials without charon
    tls = [*(f"{client.name}'s charon speaks {row}" for row in versions_in(text)), *tls]
    lines = (_OFFERED.search(line) for line in scene.said(client.name, "charon", since))
    told = dict.fromkeys(found[0] for found in lines if found)
    return MethodsSeen(tuple(servers), tuple(tls), tuple(told))


def methods_in(configuration: str) -> list[str]:
    """The methods that FreeRADIUS takes, outside of another one, in the words of the language."""
    eap = re.findall(r"^  (tls|mschapv2|peap) \{$", configuration, re.MULTILINE)
    default = configuration.partition("\nserver default {")[2].partition("\nserver ")[0]
    authorize = default.partition(" authorize {")[2].partition("\n }")[0]
    plain = re.findall(r"^  (mschap|pap)$", authorize, re.MULTILINE)
    return [*(_EAP[one] for one in eap), *(_PLAIN[one] for one in plain)]


def versions_in(configuration: str) -> list[str]:
    """`TLS 1.0 to TLS 1.1`, with the lines that say so; empty: none does."""
    found = _VERSION.findall(configuration)
    ends = [next((version for line, version in found if word in line), "") for word in _ENDS]
    if not all(ends):
        return []
    rows = ", ".join(dict.fromkeys(line.replace('"', "") for line, _ in found))
    span = f"TLS {ends[0]} alone" if ends[0] == ends[1] else f"TLS {ends[0]} to TLS {ends[1]}"
    return [f"{span} (its configuration: {rows})"]


def no_method(attempt: Attempt) -> Finding:
    """The server does not take the way in which the client proves who its user is."""
    layer, cause, remedy = attempt.meaning
    seen = attempt.methods or MethodsSeen()
    own = "a certificate (EAP-TLS)" if attempt.thumbprint else "a password"
    parts = [
        cause,
        *([f"the client has {own}, and {'; '.join(seen.servers)}"] if seen.servers else []),
    ]
    words = f"{': '.join(parts)}{since_changed(attempt)}"
    proof = (*seen.servers, *(f"the client's charon: {line}" for line in seen.told))
    lines = (*attempt.said, *proof, *attempt.recent)
    return failure(layer, words, *lines, remedy=remedy, at=attempt.moment)


def not_accepted(attempt: Attempt) -> Finding:
    """The server does not accept the certificate, or speaks no TLS with the client."""
    layer, cause, remedy = attempt.meaning
    seen = attempt.methods or MethodsSeen()
    why = attempt.told.message if attempt.told else attempt.why
    if attempt.told and _NO_TLS.search(why):
        layer, remedy = "tls", "let the client speak TLS 1.2"
        versions = f": {'; '.join(seen.tls)}" if seen.tls else ""
        cause = f"the client and the RADIUS server agree on no TLS for EAP-TLS{versions}"
        lines = (*attempt.said, *seen.tls, *attempt.recent)
        return failure(layer, cause, *lines, remedy=remedy, at=attempt.moment)
    words = f"{cause}: {why}{since_changed(attempt)}"
    lines = (*attempt.said, *attempt.recent)
    return failure(layer, words, *lines, remedy=remedy, at=attempt.moment)


def since_changed(attempt: Attempt) -> str:
    """That the operator has changed how clients are authenticated, and since when."""
    key = "vpnAuthenticationTypes"
    changes = [deed for deed in attempt.deeds if deed.verb == "update" and key in deed.text]
    if not changes:
        return ""
    types = ", ".join(authenticated_by(attempt.document)) or "nothing"
    return f"; the gateway's {key} is {types} since an update at {stamp(changes[-1].at)}"
