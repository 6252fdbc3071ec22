"""What leads a client's dial elsewhere: a name server that says something else than the Internet's,
an old record in the Internet's, a captive portal."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.explain.model import Finding, failure, stamp, told
from lab.topology.planning.firewall import SIGNED_IN
from lab.topology.planning.specs import PortalSpec

if TYPE_CHECKING:
    from lab.world import ClientComputer, World

SECONDS = "3"
LINK = "wan"
"""A router's link to the Internet."""


@dataclass(frozen=True)
class Portal:
    """A captive portal in the client's way."""

    access: str
    client: str
    seen: tuple[str, ...]


def other_address(
    name: str, resolved: Sequence[str], public: Sequence[str], servers: Sequence[str], said: str
) -> Finding | None:
    """The client's name server has another address of the gateway's name than the Internet's."""
    if not resolved or not public or set(resolved) & set(public):
        return None
    asked, has, right = ", ".join(servers), ", ".join(resolved), ", ".join(public)
    return failure(
        "name",
        f"nameserver {asked} says that the gateway's name {name} is {has}, and it is {right}",
        f"/etc/resolv.conf: nameserver {asked}; getent ahosts {name}: {has}",
        f"the Internet's DNS: {name} is {right}",
        f"the client: {said}",
        remedy="correct the record of the name server, or ask another one",
    )


def old_record(
    name: str, resolved: Sequence[str], public: Sequence[str], gateway: str, said: str
) -> Finding | None:
    """The Internet's own DNS has another address of the gateway's name than the gateway has.
    `gateway`: its public address; empty: the name is not the gateway's."""
    if not gateway or not resolved or gateway in resolved or set(resolved) != set(public):
        return None
    has = ", ".join(public)
    return failure(
        "name",
        f"the Internet's DNS says that the gateway's name {name} is {has}, and the gateway's "
        f"public address is {gateway}: nobody who asks for the name finds it",
        f"getent ahosts {name}, on the Internet as at the client: {has}",
        f"the gateway's public address: {gateway}",
        f"the client: {said}",
        remedy=f"let the record of {name} have {gateway}",
    )


def not_signed_in(portal: Portal, said: str) -> Finding:
    """The portal answers in place of the gateway."""
    return failure(
        "portal",
        f"the captive portal of {portal.access} answers in place of the gateway, and lets nothing "
        f"else out: nobody has signed in for {portal.client}",
        *portal.seen,
        f"the client: {said}",
        remedy=f"sign in at the portal (signIn: {portal.client}), then dial again",
        at=stamp(),
    )


async def look_for_portal(client: ClientComputer, world: World, gateway: str) -> Portal | None:
    """The portal of the client's access network, where its user has not signed in; `gateway`: the
    address that it dials."""
    access = client.access
    services = next(node.services for node in world.plan.nodes if node.name == access.name)
    if not any(isinstance(service, PortalSpec) for service in services):
        return None
    listed = await access.run(["nft", "list", "set", "inet", "p2slab", SIGNED_IN])
    own = world.addresses[client.name]
    signed_in = re.findall(r"\d+\.\d+\.\d+\.\d+", listed.stdout)
    if own in signed_in:
        return None
    argv = ["curl", "-sS", "-m", SECONDS, "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}"]
    http = await client.node.run([*argv, f"http://{gateway}/"])
    argv = ["curl", "-kvsS", "-m", SECONDS, "-o", "/dev/null", f"https://{gateway}/"]
    https = await client.node.run(argv)
    subject = re.search(r"subject: (.*)", https.stderr)
    shown = subject[1] if subject else f"of nobody: {https.output}"
    return Portal(
        access.name,
        client.name,
        (
            f"{access.name}, set {SIGNED_IN}: {', '.join(signed_in) or 'empty'}, without {own}",
            f"http://{gateway}/ asked by {client.name}: {http.output}",
            f"{client.name} sees on {gateway}:443 the certificate {shown}",
        ),
    )


@dataclass(frozen=True)
class Line:
    """An access network's link to the Internet that carries nothing."""

    access: str
    shown: str
    """As `ip link` shows it."""
    deeds: tuple[str, ...]
    """What was done to it."""


async def look_at_line(client: ClientComputer, world: World) -> Line | None:
    """None: the link has carrier."""
    done = await client.access.run(["ip", "-json", "link", "show", "dev", LINK])
    (link,) = json.loads(done.stdout)
    if "NO-CARRIER" not in link["flags"] and "UP" in link["flags"]:
        return None
    shown = f"{client.access.name}, {LINK}: {', '.join(link['flags'])}, state {link['operstate']}"
    deeds = [deed for deed in world.past if deed.subject == "link-down"]
    return Line(client.access.name, shown, tuple(map(told, deeds[-1:])))


def without_line(line: Line, *said: str) -> Finding:
    """Nothing leaves the access network."""
    return failure(
        "underlay",
        f"the link of {line.access} to the Internet is down: {LINK} of its router has no carrier",
        line.shown,
        *line.deeds,
        *said,
        remedy=f"see the line of {line.access}, or its provider",
    )
