"""A site whose prefixes a gateway learns by BGP: how each end is set up, whether the session is
established, what the gateway has learnt, and why no more."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.arm.rules.bgp import DEFAULT_ASN
from gateway.s2s.bgp import MOST_PREFIXES
from lab.explain.model import Finding, failure, told
from lab.explain.ports import listening, takes
from lab.roles.bgp import CLIENT, PROTOCOL, SOCKET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.nodes.base import Node
    from lab.world import Deed, GatewayHandle, World

_ROW = re.compile(r"^\s+(Neighbor address|Neighbor AS|Local AS|BGP state|Last error):\s+(.+?)\s*$",
                  re.MULTILINE)  # fmt: skip
_ROUTE = re.compile(r"^(\d+\.\d+\.\d+\.\d+/\d+)\s", re.MULTILINE)
CONNECTED = "Connected"
PORT = 179
_FAULT = "bgp-down"


@dataclass(frozen=True)
class DeviceSeen:
    """BGP on a site's device, as its BIRD says."""

    site: str
    addresses: tuple[str, ...]
    """Of the device, as its kernel has them."""
    answer: str = ""
    """What birdc said in place of an answer."""
    rows: dict[str, str] = field(default_factory=dict)
    """Of the session, by birdc's words."""
    announced: tuple[str, ...] = ()

    def __getitem__(self, row: str) -> str:
        return self.rows.get(row, "")


@dataclass(frozen=True)
class BgpSeen:
    """The gateway's session with the site's device."""

    site: str
    peer: str
    state: str
    """ARM's: Connected, Connecting, Idle, Stopped, Unknown."""
    learnt: tuple[str, ...]
    peer_asn: str = ""
    """As the local network gateway has it."""
    gateway: str = ""
    own: str = ""
    """The gateway's address for BGP; empty: it speaks none yet."""
    own_asn: str = ""
    device: DeviceSeen | None = None
    """None: it was not asked."""

    speaks: bool = True
    """Whether a program of the device has the port."""
    fault: Deed | None = None
    """The fault that has ended BGP there."""

    @property
    def up(self) -> bool:
        """Whether it is established."""
        return self.state == CONNECTED


async def look(
    site: str,
    gateway: GatewayHandle,
    connection: dict[str, Any],
    local: dict[str, Any],
    world: World,
) -> BgpSeen | None:
    """By the documents of a connection and its local network gateway; None: they have no BGP."""
    settings = local["properties"].get("bgpSettings")
    if not connection["properties"].get("enableBgp") or not settings:
        return None
    peer = settings["bgpPeeringAddress"]
    rows = [row for row in await gateway.bgp_peers() if row["neighbor"] == peer]
    routes = await gateway.learned_routes()
    learnt = tuple(row["network"] for row in routes if row["sourcePeer"] == peer)
    own = (await gateway.get())["properties"].get("bgpSettings") or {}
    sockets = await world.nodes[site].wait_for(partial(listening, "tcp"))
    return BgpSeen(
        site,
        peer,
        rows[0]["state"] if rows else "Unknown",
        learnt,
        str(settings["asn"]),
        gateway.name,
        rows[0]["localAddress"] if rows else "",
        str(own.get("asn") or DEFAULT_ASN),
        speaks=takes(sockets, peer, PORT),
        fault=_fault(site, world.past),
    )


def _fault(site: str, past: Sequence[Deed]) -> Deed | None:
    """The fault that has ended BGP at a site, and lasts."""
    faults = [deed for deed in past if deed.subject == _FAULT and deed.place in ("", site)]
    return next((deed for deed in faults[-1:] if deed.verb == "fault"), None)


async def with_device(seen: BgpSeen, site: str, node: Node) -> BgpSeen:
    """And what the site's device says."""
    done = await node.run(["ip", "-json", "-4", "address"])
    addresses = tuple(
        one["local"]
        for row in json.loads(done.stdout or "[]")
        if row["ifname"] != "lo"  # where libipsec has one in each selector, for its routes
        for one in row.get("addr_info", ())
    )
    session = await node.run([CLIENT, "-s", SOCKET, "show", "protocols", "all", PROTOCOL])
    device = DeviceSeen(site, addresses)
    if session.code or not (rows := dict(_ROW.findall(session.stdout))):
        words = " ".join(session.output.split())
        return replace(seen, device=replace(device, answer=words or "no answer"))
    exported = await node.run([CLIENT, "-s", SOCKET, "show", "route", "export", PROTOCOL])
    announced = tuple(_ROUTE.findall(exported.stdout))
    return replace(seen, device=replace(device, rows=rows, announced=announced))


def passed(seen: BgpSeen) -> str:
    """A session that is as it should be, in a line."""
    refused = [one for one in (seen.device.announced if seen.device else ())
               if one not in seen.learnt]  # fmt: skip
    but = f"; it takes no {', '.join(refused)}" if refused else ""
    learnt = ", ".join(seen.learnt) or "nothing"
    return f"the session of {seen.gateway} with {seen.peer} is established; learnt: {learnt}{but}"


def broken(seen: BgpSeen) -> Finding | None:
    """Why there is no session, or nothing is learnt; None: there is one."""
    device = seen.device
    if seen.up and (seen.learnt or not (device and device.announced)):
        return None
    proof = (
        f"getBgpPeerStatus of {seen.gateway}: {seen.peer} (AS {seen.peer_asn}) is {seen.state}",
        *(_said(device) if device else ()),
    )
    cause, remedy = _why(seen, device) if device else ("", "")
    down = f"BGP between {seen.gateway} and {device.site if device else seen.peer}"
    if not cause:
        cause = f"the gateway calls {seen.peer} {seen.state}"
        remedy = "see the logs of BIRD at both ends (p2slab logs)"
    if seen.up:
        return failure("bgp", f"{down} is established, and nothing is learnt: {cause}", *proof,
                       remedy=remedy)  # fmt: skip
    return failure("bgp", f"{down} is not established: {cause}", *proof, remedy=remedy)


def _why(seen: BgpSeen, device: DeviceSeen) -> tuple[str, str]:
    """The first difference between the ends, and what makes them fit; empty: there is none."""
    local = f"the local network gateway {device.site}"
    own = ", ".join(device.addresses)
    if device.addresses and seen.peer not in device.addresses:
        return (
            f"bgpPeeringAddress of {local} is {seen.peer}, and the device has {own}",
            "set bgpPeeringAddress to the address at which the device speaks BGP",
        )
    if device.answer:
        words, fault = f"no BIRD runs on the device of {device.site}", seen.fault
        return f"{words}: {told(fault)}" if fault else words, _start(seen)
    differences = (
        (f"{local} says that the site's ASN is", seen.peer_asn, "own is", "Local AS"),
        (f"the ASN of {seen.gateway} is", seen.own_asn, "peer is set to", "Neighbor AS"),
        (f"{seen.gateway} speaks BGP at", seen.own, "peer is set to", "Neighbor address"),
    )
    for ours, wanted, words, row in differences:
        theirs = device[row]
        if wanted and theirs and theirs != wanted:
            both = f"{ours} {wanted}, and the device's {words} {theirs}"
            return both, "enter the same at both ends"
    if seen.up:
        listed = ", ".join(device.announced)
        return f"the gateway takes none of {listed}", "announce the site's own private prefixes"
    if len(device.announced) > MOST_PREFIXES:
        ends = f"the gateway ends the session beyond {MOST_PREFIXES}"
        count = len(device.announced)
        return f"the device announces {count} prefixes, and {ends}", "announce fewer prefixes"
    return "", ""


def _start(seen: BgpSeen) -> str:
    """The remedy where BGP does not run."""
    return f"end the fault: p2slab fault {_FAULT} --end" if seen.fault else "start BGP there"


def _said(device: DeviceSeen) -> tuple[str, ...]:
    rows = ", ".join(f"{name} {value}" for name, value in device.rows.items())
    return (
        f"birdc on {device.site}: {rows or device.answer}",
        f"ip address on {device.site}: {', '.join(device.addresses)}",
    )


def learnt(seen: BgpSeen, wanted: Sequence[str]) -> Finding:
    """How what the gateway has learnt by an established session differs from what was expected."""
    has = ", ".join(seen.learnt) or "nothing"
    missing = [one for one in wanted if one not in seen.learnt]
    parts = f"{', '.join(missing)} missing" if missing else "more than was expected"
    cause = f"BGP: the gateway has learnt {has} from {seen.peer} of {seen.site}: {parts}"
    return failure("route", cause, *_proof(seen), remedy="see what the site's device announces")


def not_learnt(seen: BgpSeen, address: str) -> Finding:
    """Why the gateway has no route to an address behind the site."""
    proof, no_route = _proof(seen), f"the gateway has no route to {address}"
    if not seen.speaks:
        cause = f"{no_route}: BGP does not run on {seen.peer}, the VPN device of {seen.site}"
        table = f"/proc/net/tcp of {seen.site}: nothing on {PORT}"
        begun = (told(seen.fault),) if seen.fault else ()
        return failure("route", cause, table, *proof, *begun, remedy=_start(seen))
    if not seen.up:
        cause = (
            f"{no_route}: its BGP session with {seen.peer}, the VPN device of {seen.site}, is not "
            f"established ({seen.state})"
        )
        remedy = "compare the autonomous system numbers and peer addresses of both ends"
        return failure("route", cause, *proof, remedy=remedy)
    cause = f"{no_route}: it has accepted no prefix with that from {seen.peer} by BGP"
    remedy = f"announce its prefix from the VPN device of {seen.site}"
    return failure("route", cause, *proof, remedy=remedy)


def _proof(seen: BgpSeen) -> tuple[str, str]:
    return (
        f"getBgpPeerStatus: {seen.peer} is {seen.state}",
        f"getLearnedRoutes: {', '.join(seen.learnt) or 'nothing'} from {seen.peer}",
    )
