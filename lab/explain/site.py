"""A site's tunnel: what both ends say of it, and who dropped its packets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lab.explain import engines
from lab.explain.absent import absent
from lab.explain.blame import ended, walk
from lab.explain.engines import EngineSeen
from lab.explain.follow import Followed, follow
from lab.explain.model import SITE, Explanation, Finding, Layer, chain_of, failure, told
from lab.explain.selectors import Ends, ends_of, selectors, wrong_peer

if TYPE_CHECKING:
    from lab.explain.scene import Scene
    from lab.world import Deed

IKE_PORT = 500
_TOLD = re.compile(r"tried \d+ shared key|MAC mismatched|AUTHENTICATION_FAILED|AUTH_FAILED|"
                   r"NO_PROP|proposals|TS_UNACCEPT|traffic selectors")  # fmt: skip
_NOBODY = re.compile(r"does not answer|cannot be reached|not responding")

_NO_SELECTORS = "the two sides share no traffic selectors"
_CAUSES: tuple[tuple[re.Pattern[str], Layer, str, str], ...] = (
    (
        re.compile(r"pre-shared keys differ|AUTHENTICATION_FAILED|AUTH_FAILED|MAC mismatched"),
        "s2s",
        "the pre-shared keys of the gateway's connection and of the site's device differ",
        "enter the same sharedKey at both ends",
    ),
    (
        re.compile(r"proposal|NO_PROP"),
        "ike-proposal",
        "the two sides have no IKE or ESP proposal in common",
        "make the device's proposals and the connection's ipsecPolicies fit",
    ),
    (
        re.compile(r"TS_UNACCEPT|traffic selectors"),
        "s2s",
        _NO_SELECTORS,
        "make the prefixes of both ends fit",
    ),
)
"""In the words of either end: the layer, the cause, the remedy."""


@dataclass(frozen=True)
class SiteSeen:
    """A connection."""

    name: str
    gateway: str
    status: str
    why: str
    """The gateway's last record about it."""
    when: str
    """When it went down, by the gateway's records; or the last of them."""
    device: dict[str, Any]
    told: tuple[str, ...] = ()
    """Lines of the device's log."""
    followed: tuple[Followed, ...] = ()
    deeds: tuple[Deed, ...] = field(default=())
    ends: Ends | None = None
    """What both are told of each other."""
    gone: Finding | None = None
    """Why the gateway is not there."""
    engine: EngineSeen | None = None
    """The gateway's charon, if it does not run."""

    @property
    def up(self) -> bool:
        """Whether both ends call it up."""
        return self.status == "Connected" and self.device.get("state") == "Connected"


async def look(name: str, scene: Scene) -> SiteSeen:
    """What both ends say now; where nobody answers, probes between them."""
    world = scene.world
    gateway = world.gateways[world.plan.connected_sites[name].name]
    if gone := await absent(gateway.name, world):
        return SiteSeen(name, gateway.name, "unknown", "", "", {}, gone=gone)
    document = await gateway.connection(name)
    properties = document["properties"]
    rows = [row for row in await gateway.tunnel_log() if row["connection"] == name]
    last = rows[-1] if rows else {}
    stands = [number for number, row in enumerate(rows) if row["status"] == "Connected"]
    since_then = rows[stands[-1] + 1 :] if stands else rows
    device = world.devices[name]
    state = await device.state()
    up = properties["connectionStatus"] == "Connected" == state["state"]
    told: tuple[str, ...] = ()
    followed: tuple[Followed, ...] = ()
    if not up:
        stood = rows[stands[-1]]["time"] if stands else ""
        since = datetime.fromisoformat(stood).timestamp() if stood else 0.0
        lines = [line for line in scene.said(name, "charon", since) if _TOLD.search(line)]
        told = tuple(lines[-3:])
        path = [gateway.name, "internet", name]
        ways = ((path, world.addresses[name]), (path[::-1], world.addresses[gateway.name]))
        if not told or _NOBODY.search(str(last.get("message", ""))) or not last:
            followed = tuple([await follow(world, p, "udp", to, IKE_PORT) for p, to in ways])
    return SiteSeen(
        name,
        gateway.name,
        properties["connectionStatus"],
        str(last.get("message", "")),
        str((since_then or [last])[0].get("time", "")),
        state,
        told,
        followed,
        tuple(world.past),
        await ends_of(name, document, world),
        engine=await engines.look(gateway, "IkeV2"),
    )


def failed(seen: SiteSeen) -> Finding:
    """The broken layer of a tunnel that is down."""
    if gone := seen.gone:
        return replace(gone, cause=f"the tunnel of {seen.name} is down: {gone.cause}")
    since = f" since {seen.when}" if seen.when else ""
    down = f"the tunnel of {seen.name} is down{since}"
    deeds = [d for d in seen.deeds if d.subject.startswith("s2s-") or d.subject == seen.name]
    proof = (
        f"the gateway's log: {seen.status}: {seen.why or 'no reason'}",
        *(f"the device's log: {line}" for line in seen.told),
        *(map(told, deeds[-1:])),
    )
    if seen.engine:
        cause = f"{down}: {seen.engine.cause}"
        lines = (*seen.engine.proof, *proof)
        return failure("gateway-down", cause, *lines, remedy=seen.engine.remedy, at=seen.when)
    if seen.ends and (wrong := wrong_peer(seen.ends)):
        lines = (*wrong.proof, *proof)
        cause = f"{down}: {wrong.cause}"
        return failure(wrong.layer, cause, *lines, remedy=wrong.remedy, at=seen.when)
    for followed in seen.followed:
        if found := ended(followed):
            cause = f"{down}: {found.cause}"
            lines = (*found.proof, *proof)
            return failure(found.layer, cause, *lines, remedy=found.remedy, at=found.at)
    words = f"{seen.why} {' '.join(seen.told)}"
    if found_words := by_words(words):
        layer, cause, remedy = found_words
        if seen.ends and cause == _NO_SELECTORS:
            proof = (*selectors(seen.ends), *proof)
        return failure(layer, f"{down}: {cause}", *proof, remedy=remedy, at=seen.when)
    both = f"the gateway says {seen.status}, the device {seen.device.get('state')}"
    cause = f"{down}: {seen.why or both}"
    remedy = "see the logs of gateway and device"
    return failure("s2s", cause, both, *proof, remedy=remedy, at=seen.when)


def by_words(words: str) -> tuple[Layer, str, str] | None:
    """Layer, cause and remedy in what the two ends wrote down; None: nothing is known of it."""
    found = (row for row in _CAUSES if row[0].search(words))
    return next(((layer, cause, remedy) for _, layer, cause, remedy in found), None)


def judge(seen: SiteSeen) -> Explanation:
    """The tunnel's chain."""
    both = f"the gateway: {seen.status}; the device: {seen.device.get('state')}"
    broken = None if seen.up else failed(seen)
    return of_tunnel(seen.name, f"tunnel of {seen.name}", both, seen.followed, broken)


def of_tunnel(
    name: str, tunnel: str, both: str, ways: Sequence[Followed], broken: Finding | None
) -> Explanation:
    """The chain of a tunnel between networks. `both`: what its two ends say; `ways`: of the probes
    between them."""
    passed: dict[Layer, str] = {}
    if ways and all(followed.arrived for followed in ways):
        passed["underlay"] = passed["firewall"] = "; ".join(map(walk, ways))
    if broken is None:
        passed["s2s"] = both
    words = broken.cause if broken else f"the {tunnel} stands: {both}"
    return Explanation(name, words, (chain_of(tunnel, SITE, passed, broken),))
