"""Looks at what a client and the RADIUS servers are set up for: methods of authentication, TLS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.roles.radius_server import CONFIGURATION

if TYPE_CHECKING:
    from lab.explain.scene import Scene
    from lab.world import ClientComputer

_EAP = {"tls": "EAP-TLS", "mschapv2": "EAP-MSCHAPv2", "peap": "PEAP"}
_PLAIN = {"mschap": "MS-CHAPv2", "pap": "PAP"}
_OFFERED = re.compile(r"server requested EAP_(?!IDENTITY).*|requesting EAP_\w+ authentication.*")
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
