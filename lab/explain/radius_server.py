"""A RADIUS server that gave a gateway no answer: what is wrong with it or the way to it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.explain.blame import blocked, walk
from lab.explain.follow import Followed
from lab.explain.model import Finding, failure


@dataclass(frozen=True)
class ServerSeen:
    """A RADIUS server that the gateway asks, when nobody got an answer."""

    address: str
    node: str
    listens: bool
    """Whether a program has its UDP port."""
    followed: Followed | None
    """A datagram from the gateway to its port."""
    dropped: tuple[str, ...] = ()
    """Lines of its log about requests of this dial that it dropped."""
    unknown: tuple[str, ...] = ()
    """Lines of its log about requests from a client that it does not know."""
    clients: tuple[str, ...] = ()
    """The prefixes of the clients that it knows, if it does not know the gateway."""
    source: str = ""
    """The address with which the gateway asks it."""
    astray: Finding | None = None
    """Why requests do not come to it through a tunnel that stands, or its answers not back."""
    path: str = ""
    """The connection that leads to it, with its status; empty: it is in the VNet."""
    tunnel: Finding | None = None
    """What is wrong with that tunnel."""
    asks: tuple[str, ...] = ()
    """Users whose answer to the second factor is waited for."""

    @property
    def well(self) -> bool:
        """Whether a request of the gateway's would get there, and be answered for all that is
        seen."""
        arrived = self.followed is None or self.followed.arrived
        wrong = self.dropped or self.unknown or self.tunnel or self.astray or self.asks
        return self.listens and arrived and not wrong


def of_server(server: ServerSeen) -> Iterator[Finding]:
    """What is wrong with a RADIUS server or the way to it."""
    at = f"RADIUS server {server.address} ({server.node})"
    if alone := _ignored(server, at):
        yield alone
        return
    if server.tunnel:
        cause = f"the {at} is behind a site-to-site tunnel that is down: {server.tunnel.cause}"
        proof = (server.path, *server.tunnel.proof)
        yield failure(server.tunnel.layer, cause, *proof, remedy=server.tunnel.remedy)
    if silent := _unreached(server, at):
        yield silent


def _ignored(server: ServerSeen, at: str) -> Finding | None:
    """The server has got requests and told nobody what it thinks of them."""
    if server.dropped:
        return failure(
            "radius-secret",
            f"the {at} drops the gateway's requests: the shared secret that it has for the "
            "gateway differs from radiusServerSecret in the gateway's document",
            f"the server's log: {server.dropped[-1]}",
            remedy="enter the same secret at both",
        )
    if server.unknown:
        known = ", ".join(server.clients) or "none"
        return failure(
            "radius-path",
            f"the {at} does not know the gateway's address {server.source} as a client and "
            f"ignores it: its clients are {known}",
            f"the server's log: {server.unknown[-1]}",
            f"the clients in the server's configuration: {known}; the gateway asks from "
            f"{server.source}",
            remedy=f"add {server.source}, or the GatewaySubnet, to the server's clients",
        )
    if server.asks:
        return failure(
            "factor",
            f"the second factor was not answered: {server.node} asked the user's telephone, and "
            "the gateway gave up after 30 s",
            f"{server.node} is still waiting for the approval of {', '.join(server.asks)}",
            remedy="approve within 30 s, as long as gateways wait",
        )
    return None


def _unreached(server: ServerSeen, at: str) -> Finding | None:
    """Requests do not come to the server, or it does not answer."""
    followed = server.followed
    trail = (walk(followed),) if followed else ()
    if one := server.astray:
        cause = f"the gateway gets no answer of the {at}: {one.cause}"
        return failure("radius-path", cause, *one.proof, remedy=one.remedy)
    if not server.listens:
        table = f"/proc/net/udp of {server.node}: no {server.address}:1812"
        cause = f"the {at} does not answer: no program there has UDP 1812 (not running)"
        return failure("radius-path", cause, table, *trail, remedy="start the RADIUS server")
    if followed and not followed.arrived:
        drop = blocked(followed) if followed.dropped else None
        cause = f"UDP 1812 does not arrive at the {at}" + (f": {drop.cause}" if drop else "")
        remedy = drop.remedy if drop else "see firewalls and routes to it"
        return failure("radius-path", cause, *trail, remedy=remedy)
    if not server.tunnel:
        cause = f"the {at} has its port open and did not answer within 30 s (silent or too slow)"
        remedy = "see the server's load, and how long it waits for others"
        return failure("radius-path", cause, *trail, remedy=remedy)
    return None
