"""Access networks: what their routers do to packets and names contradicts itself nowhere, and has
an effect."""

from __future__ import annotations

from collections.abc import Iterator

from lab.choices import listing
from lab.topology.model import steps
from lab.topology.model.topology import Access, Topology
from lab.topology.model.values import traffic_of
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared


def dns_servers_say_one_thing(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A name has an address or does not exist."""
    for name, access in topology.access.items():
        answers = {one.casefold() for one in access.dns.answers} if access.dns else set()
        for index, one in enumerate(access.dns.refuses if access.dns else ()):
            if one.casefold() in answers:
                yield Problem(
                    ("access", name, "dns", "refuses", index),
                    f"{one!r} is in answers, too",
                    "leave it out of answers or of refuses",
                )


def what_is_blocked_is_let_out_otherwise(
    topology: Topology, _declared: Declared
) -> Iterator[Problem]:
    """`reject` comes before `deny`, and both before `allow`: an entry that another one has in it
    already changes nothing, nor does a drop of what `allow` does not let out."""
    for name, access in topology.access.items():
        for key, entries in (("reject", access.reject), ("deny", access.deny)):
            earlier = () if key == "reject" else access.reject
            for index, entry in enumerate(entries):
                path: Path = ("access", name, key, index)
                others = [one for one in entries if one != entry]
                wider = next((one for one in (*earlier, *others) if _has(one, entry)), None)
                if wider:
                    yield Problem(path, f"{wider} has {entry} in it already", "leave one out")
                elif key == "deny" and not _lets_out(access, entry):
                    yield Problem(
                        path,
                        f"`allow` does not let out {entry} anyway",
                        "leave it out, or add it to `reject`",
                    )


def _has(wider: str, entry: str) -> bool:
    """Whether one entry is about all that the other is about."""
    (first, there), (second, here) = traffic_of(wider), traffic_of(entry)
    service = first in ("", second, second.partition("/")[0])
    if there is None or here is None:
        return service and there is None
    return service and there.version == here.version and here.subnet_of(there)  # type: ignore[arg-type]


def _lets_out(access: Access, entry: str) -> bool:
    """Whether `allow` lets out some of it. A proxy is let out where it wants."""
    if access.proxy or access.allow is None:
        return True
    service = traffic_of(entry)[0]
    transports = {one.partition("/")[0] for one in access.allow}
    if not service:
        return bool(access.allow)
    return service in access.allow or (
        service.partition("/")[0] in (access.allow if "/" in service else transports)
    )


def connections_are_tracked(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Only a router that translates addresses or filters remembers connections."""
    for name, access in topology.access.items():
        filters = access.nat or access.allow is not None or access.proxy or access.portal
        if access.udpTimeout is not None and not filters:
            yield Problem(
                ("access", name, "udpTimeout"),
                f"{name!r} has neither NAT nor `allow`, so its router remembers no connections",
                "leave udpTimeout out, or let the network have NAT",
            )


def who_answers_for_others_has_ipv4(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The router answers for others from an IPv4 address in the LAN."""
    for name, access in topology.access.items():
        if not declared.whole("access", name):
            continue
        for key, what in (("portal", "portal"), ("inspects", "firewall")):
            if getattr(access, key) and access.lan and access.lan.version != 4:
                yield Problem(
                    ("access", name, key),
                    f"the {what} of {name!r} would have an IPv6 address alone",
                    f"give the access network an IPv4 `lan`, or leave {key} out",
                )


def signing_in_needs_a_portal(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A user signs in where a portal is."""
    for index, step in enumerate(topology.expect):
        if not isinstance(step, steps.SignIn):
            continue
        client = topology.clients.get(step.signIn)
        access = topology.access.get(client.behind) if client else None
        if client and access and not access.portal:
            yield Problem(
                ("expect", index, "signIn"),
                f"{client.behind!r}, the network of {step.signIn!r}, has no captive portal",
                f"add `portal: true` to {client.behind!r}",
            )


def proxies_are_told_something(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """A client's user at a proxy matters to a proxy with users, over OpenVPN."""
    if not declared.whole("access"):
        return
    for name, client in topology.clients.items():
        access = topology.access.get(client.behind)
        path: Path = ("clients", name, "proxy")
        if client.proxy is None or access is None:
            continue
        if access.proxy is None or not access.proxy.users:
            yield Problem(
                path,
                f"no proxy of {client.behind!r} asks {name!r} who it is",
                "add `users` to the access network's `proxy`, or leave proxy out",
            )
        elif "OpenVPN" not in client.dials:
            yield Problem(
                path,
                f"{name!r} does not dial OpenVPN, and nothing else tells a proxy its user",
                f"it dials {listing(client.dials)}; leave proxy out",
            )


RULES = (
    dns_servers_say_one_thing,
    what_is_blocked_is_let_out_otherwise,
    connections_are_tracked,
    who_answers_for_others_has_ipv4,
    signing_in_needs_a_portal,
    proxies_are_told_something,
)
RUNNING = (signing_in_needs_a_portal,)
"""Rules for steps on a running lab."""
