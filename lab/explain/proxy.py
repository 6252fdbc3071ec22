"""Why an HTTP proxy did not connect a client to its gateway: its own log, and its rules."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.explain.model import Finding, failure, stamp
from lab.roles.proxy import CONFIGURATION, REQUESTS_LOG, logged
from lab.topology.planning.addressing import proxy_name
from lab.topology.planning.specs import ProxySpec

if TYPE_CHECKING:
    from lab.world import ClientComputer, World

UNAUTHENTICATED, FORBIDDEN = 407, 403
_RULES = ("acl tunnels", "acl denied", "acl users", "http_access")
_FIELDS = 6


@dataclass(frozen=True)
class Request:
    """A line of the proxy's log (lab/roles/proxy.py)."""

    at: float
    client: str
    status: int
    target: str
    """HOST:PORT."""
    text: str


@dataclass(frozen=True)
class ProxySeen:
    """A proxy that did not connect a client."""

    name: str
    request: Request | None
    """The client's last one since it dialled; None: the proxy has no line of it."""
    rules: str
    """Of its configuration."""
    denied: tuple[str, ...]
    """Names to which it connects nobody."""
    allowed: tuple[int, ...]
    """Ports to which it connects."""
    user: str
    """As whom the client uses it; empty: it says nothing."""


async def look_at_proxy(client: ClientComputer, world: World, since: float) -> ProxySeen | None:
    """The client's proxy, with what it wrote down since the dial began; None: it has none."""
    if not client.proxy:
        return None
    name, own = proxy_name(client.access.name), world.addresses[client.name]
    services = next(node.services for node in world.plan.nodes if node.name == name)
    spec = next(service for service in services if isinstance(service, ProxySpec))
    node = world.nodes[name]
    lines = (await node.read(CONFIGURATION)).decode().splitlines()
    rules = " | ".join(line for line in lines if line.startswith(_RULES))
    log = await asyncio.to_thread(logged, node, REQUESTS_LOG)
    rows = [row for row in map(read_line, log) if row and row.client == own]
    user = next(plan.proxy_user for plan in world.plan.clients if plan.name == client.name)
    last = next((row for row in reversed(rows) if row.at >= since), None)
    return ProxySeen(name, last, rules, spec.denied, spec.allow, user or "")


def read_line(line: str) -> Request | None:
    """A line of the log; None: it is none."""
    fields = line.split()
    if len(fields) != _FIELDS:
        return None
    at, client, result, _, target, _ = fields
    status = result.rpartition("/")[2]
    return Request(float(at), client, int(status), target, line) if status.isdecimal() else None


def judge(seen: ProxySeen, protocol: str, message: str, at: float) -> Finding:
    """The proxy's reason."""
    cause, remedy = _why(seen, protocol)
    log = f"{seen.name}: {REQUESTS_LOG}: {seen.request.text}" if seen.request else (
        f"{seen.name}: {REQUESTS_LOG} has no request of this dial")  # fmt: skip
    rules = f"{seen.name}: {CONFIGURATION}: {seen.rules}"
    said = f"the client: {message}"
    return failure("proxy", cause, said, log, rules, remedy=remedy, at=stamp(at))


def _why(seen: ProxySeen, protocol: str) -> tuple[str, str]:
    """Cause and remedy."""
    status = seen.request.status if seen.request else 0
    host, _, port = seen.request.target.rpartition(":") if seen.request else ("", "", "443")
    if status == UNAUTHENTICATED:
        wants = f"the proxy wants a user name and a password ({status})"
        if protocol == "SSTP":
            return f"{wants}, which SSTP cannot give", "let the proxy ask nobody, or dial OpenVPN"
        if not seen.user:
            return f"{wants}, and the client gives none", "give the client a user of the proxy"
        given = f"those that the client gives, of user {seen.user}, are wrong"
        return f"{wants}, and {given}", "give the client the right password"
    if host.casefold() in {name.casefold() for name in seen.denied}:
        return f"the proxy refuses to connect to the host {host}", "take it out of denyHosts"
    if status in (0, FORBIDDEN):
        return (
            f"the proxy refuses to connect to the gateway's port {port}",
            f"let the proxy CONNECT to port {port}",
        )
    return (
        f"the proxy could not connect to {host}:{port} ({status})",
        "see how the proxy reaches the gateway",
    )
