"""Whether somebody between a client and its gateway shows a certificate in the gateway's place."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.explain.model import Finding, failure, stamp
from lab.topology.planning.wiring import INTERNET

if TYPE_CHECKING:
    from lab.nodes.base import Node
    from lab.topology.model.vocabulary import Reason
    from lab.world import ClientComputer, World

REASONS: tuple[Reason, ...] = ("server-untrusted", "refused", "tls")
"""What clients say who are shown another certificate, or TLS where none is."""
SECONDS = "3"
NONE = "no certificate"


@dataclass(frozen=True)
class Shown:
    """What is shown on a gateway's port 443."""

    client: str
    access: str
    address: str
    there: str
    """To the client: subject and issuer."""
    outside: str
    """To the Internet."""


async def look_at_certificates(
    client: ClientComputer, world: World, name: str, address: str
) -> Shown | None:
    """None: both see the same, or the client sees none."""
    nodes = (client.node, world.nodes[INTERNET])
    there, outside = await asyncio.gather(*(certificate_on(one, name, address) for one in nodes))
    if there in (outside, NONE):
        return None
    return Shown(client.name, client.access.name, address, there, outside)


async def certificate_on(node: Node, name: str, address: str) -> str:
    """Subject and issuer of the certificate that a node is shown for a name at an address."""
    name = name or address
    argv = ["curl", "-kvsS", "-m", SECONDS, "-o", "/dev/null", "--resolve", f"{name}:443:{address}",
            f"https://{name}/"]  # fmt: skip
    done = await node.run(argv)
    parts = re.findall(r"^\*  (subject|issuer): (.*)$", done.stderr, re.MULTILINE)
    return ", ".join(f"{word} {text}" for word, text in parts) or NONE


def judge(shown: Shown, said: str, at: float) -> Finding:
    """Both certificates."""
    right = f"the gateway shows {shown.outside} there"
    return failure(
        "tls",
        f"somebody between {shown.client} and the gateway breaks TLS open, in {shown.access} or "
        f"behind it: {shown.client} sees on {shown.address}:443 a certificate with {shown.there}; "
        f"{right}",
        f"curl on {shown.client}, {shown.address}:443: {shown.there}",
        f"curl on the Internet, {shown.address}:443: {shown.outside}",
        f"the client: {said}",
        remedy=f"let the firewall of {shown.access} leave the gateway's name uninspected",
        at=stamp(at),
    )
