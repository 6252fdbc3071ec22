"""What a picture of a lab shows: its computers, what stood between them, and what did not hold.

From the topology and the results of its steps alone: a tunnel that stood once is in it, also if it
has ended since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Literal

from lab.report.systems import WORDS
from lab.topology.model.steps import SECOND_FACTOR, Connects, EndFault, Fault, Refused, Tunnel
from lab.topology.model.topology import GATEWAY_SUBNET
from lab.topology.planning.addressing import PUBLIC_DNS, allocate, directory_name, proxy_name
from lab.topology.planning.radius_servers import radius_nodes
from lab.topology.planning.wiring import INTERNET

if TYPE_CHECKING:
    from lab.topology.model.hosts import Computer
    from lab.topology.model.steps import Step
    from lab.topology.model.topology import Access, Client, Gateway, Topology
    from lab.topology.planning.addressing import Addresses

State = Literal["stood", "refused", "failed"]
"""`refused`: as it was expected."""
RANK: dict[State, int] = {"failed": 0, "stood": 1, "refused": 2}
SIGNS: dict[State, str] = {"stood": "●", "refused": "⊘", "failed": "✗"}
"""Nothing is said by colours alone."""
_NOT_DIALLED = ("system", "no-protocol", "administrator")
"""Reasons for which a client does not even dial."""
SHORT = 36
"""Characters of a step that failed; it is a link to all of it."""
_NO_NODES: tuple[type, ...] = (*SECOND_FACTOR, Fault, EndFault)
"""Steps whose subject is a user or a fault."""


@dataclass(frozen=True)
class Mark:
    """What is said of a computer because of steps."""

    state: State
    words: str
    step: int | None = None
    """The index of the step that failed."""
    tunnel: bool = True
    """Whether it is about a dial or a tunnel; what failed inside of one is not."""
    short: str = ""
    """For small boxes."""

    @property
    def text(self) -> str:
        """With its sign."""
        return f"{SIGNS[self.state]} {self.words}"


@dataclass(frozen=True)
class Box:
    """A computer."""

    name: str
    lines: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def state(self) -> State | None:
        """The one that matters most."""
        return min((mark.state for mark in self.marks), key=RANK.__getitem__, default=None)


@dataclass(frozen=True)
class Segment:
    """Computers of one subnet or LAN."""

    title: str
    prefix: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Group:
    """A VNet, a site or an access network."""

    kind: Literal["VNet", "Site", "Access"]
    name: str
    prefix: str
    inner: tuple[Segment, ...]
    """What is behind its edge."""
    edge: tuple[Box, ...]
    """What it has towards the Internet: gateways, a VPN device, a router."""


@dataclass(frozen=True)
class Strand:
    """Tunnels of one state between a gateway and what is at the other end."""

    gateway: str
    """Of a private link: the VNet."""
    far: str
    """An access network, a site, or another gateway."""
    state: State | None
    """None: nothing was asked of it."""
    clients: tuple[str, ...] = ()
    """Empty: the tunnel of a site or between VNets, or a private link."""
    word: str = ""
    """What it is, if it is not a client's tunnel."""


@dataclass(frozen=True)
class Picture:
    """A lab: VNets and sites at one side of the Internet, access networks at the other."""

    near: tuple[Group, ...]
    internet: Box
    far: tuple[Group, ...]
    strands: tuple[Strand, ...]

    def boxes(self) -> Iterator[Box]:
        """Every computer."""
        yield self.internet
        for group in (*self.near, *self.far):
            yield from group.edge
            for segment in group.inner:
                yield from segment.boxes


def picture(topology: Topology, results: Sequence[Mapping[str, Any]]) -> Picture:
    """The picture of a topology after these results (of Verdict.as_data)."""
    return _Painter(topology, allocate(topology), _marks(topology.expect, results)).picture()


def _marks(steps: Sequence[Step], results: Iterable[Mapping[str, Any]]) -> _Marks:
    marks = _Marks()
    for result in results:
        step = steps[result["index"]]
        subject = getattr(step, result["verb"])
        names = subject if isinstance(subject, tuple) else (subject,)
        names = () if isinstance(step, _NO_NODES) else names
        for name in names:
            marks.add(name, step, result)
    return marks


@dataclass
class _Marks:
    """The marks of each computer, or of a connection by its name."""

    failed: dict[str, list[Mark]] = field(default_factory=dict)
    stood: dict[str, dict[str, Mark]] = field(default_factory=dict)
    """By protocol: the last tunnel of each."""
    refused: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """The protocols by the reason."""

    def add(self, name: str, step: Step, result: Mapping[str, Any]) -> None:
        """Count a result."""
        if not result["held"]:
            text = result["text"].removeprefix(f"{name} ")
            words = f"step {result['index'] + 1}: {shorten(text, SHORT, placeholder='…')}"
            tunnel = isinstance(step, Connects | Refused | Tunnel)
            mark = Mark("failed", words, result["index"], tunnel, f"step {result['index'] + 1}")
            self.failed.setdefault(name, []).append(mark)
        elif isinstance(step, Connects):
            tunnel = result["evidence"].get("tunnel", {})
            protocol = tunnel.get("protocol", step.over or "")
            word = WORDS.get(protocol, protocol)
            words = f"{word} {tunnel.get('address', '')}".strip()
            self.stood.setdefault(name, {})[protocol] = Mark("stood", words, short=word)
        elif isinstance(step, Refused):
            protocols = self.refused.setdefault(name, {}).setdefault(step.because or "", [])
            word = WORDS.get(step.over or "", step.over or "")
            protocols += [word] if word and word not in protocols else []
        elif isinstance(step, Tunnel) and step.is_ == "Connected":
            self.stood.setdefault(name, {})[""] = Mark("stood", "tunnel Connected")

    def of(self, name: str) -> tuple[Mark, ...]:
        """Those of one, the failed ones first."""
        refusals = (
            _refusal(why, ", ".join(protocols))
            for why, protocols in self.refused.get(name, {}).items()
        )
        return (*self.failed.get(name, ()), *self.stood.get(name, {}).values(), *refusals)


def _refusal(why: str, protocols: str) -> Mark:
    words = " ".join(filter(None, [protocols, f"refused: {why}" if why else "refused"]))
    short = ": ".join(filter(None, [protocols, why])) or "refused"
    return Mark("refused", words, tunnel=why not in _NOT_DIALLED, short=short)


@dataclass(frozen=True)
class _Painter:
    topology: Topology
    addresses: Addresses
    marks: _Marks

    def picture(self) -> Picture:
        topology = self.topology
        return Picture(
            near=(*map(self._vnet, topology.vnets), *map(self._site, topology.sites)),
            internet=self._box(INTERNET, "router and DNS", str(PUBLIC_DNS)),
            far=tuple(map(self._access, topology.access)),
            strands=tuple(self._strands()),
        )

    def _box(self, name: str, *lines: str) -> Box:
        return Box(name, tuple(filter(None, lines)), self.marks.of(name))

    def _vnet(self, name: str) -> Group:
        vnet = self.topology.vnets[name]
        gateways = {g: one for g, one in self.topology.gateways.items() if one.vnet == name}
        segments = []
        for subnet, prefix in vnet.subnets.items():
            hosts = {h: host for h, host in vnet.hosts.items() if host.subnet == subnet}
            boxes = tuple(
                self._host(host, spec, "RADIUS" if spec.radius else "")
                for host, spec in hosts.items()
            )
            if boxes or subnet != GATEWAY_SUBNET:
                segments.append(Segment(subnet, str(prefix), boxes))
        prefixes = ", ".join(map(str, vnet.addressSpace))
        edge = tuple(self._gateway(g, one) for g, one in gateways.items())
        return Group("VNet", name, prefixes, tuple(segments), edge)

    def _gateway(self, name: str, gateway: Gateway) -> Box:
        properties = gateway.properties
        client = properties.vpnClientConfiguration
        protocols = client.vpnClientProtocols if client else ()
        offers = ", ".join(WORDS.get(protocol, protocol) for protocol in protocols)
        pool = ", ".join(client.vpnClientAddressPool.addressPrefixes) if client else ""
        ways = " ".join(client.vpnAuthenticationTypes) if client else ""
        size = properties.sku.name if properties.sku else ""
        box = self._box(
            name,
            _joined(str(self.addresses.public[name].device), size),
            _joined(offers, ways),
            f"pool {pool}" if pool else "",
        )
        between = (
            replace(mark, words=f"{connection} {mark.words}")
            for connection, spec in self.topology.connections.items()
            if name in spec.gateways
            for mark in self.marks.of(connection)
        )
        return replace(box, marks=(*box.marks, *between))

    def _host(self, name: str, host: Computer, *more: str) -> Box:
        return self._box(
            name,
            _joined(str(self.addresses.private[name]), ", ".join(host.serves), *more),
            _denies("firewall drops", host.firewall.deny),
        )

    def _site(self, name: str) -> Group:
        site = self.topology.sites[name]
        servers = [one.node for one in radius_nodes(self.topology) if one.site == name]
        boxes = [
            self._box(one, _joined(str(self.addresses.private[one]), "RADIUS")) for one in servers
        ]
        if site.directory:
            controller = directory_name(name)
            at = str(self.addresses.private[controller])
            boxes.append(self._box(controller, _joined(at, "domain controller")))
        boxes += [self._host(host, spec) for host, spec in site.hosts.items()]
        edge = self._box(
            name,
            _joined(str(self.addresses.public[name].device), "VPN device"),
            _denies("drops inwards", site.firewall.denyIn),
            _denies("drops outwards", site.firewall.denyOut),
        )
        segments = (Segment("", "", tuple(boxes)),) if boxes else ()
        return Group("Site", name, str(site.lan), segments, (edge,))

    def _access(self, name: str) -> Group:
        access = self.topology.access[name]
        clients = {c: one for c, one in self.topology.clients.items() if one.behind == name}
        boxes = tuple(self._client(c, one) for c, one in clients.items())
        router = self._box(
            name,
            _joined(str(self.addresses.public[name].device), "NAT" if access.nat else "no NAT"),
            f"firewall lets out {_lets_out(access)}",
            _line(access),
        )
        edge = [router]
        if access.proxy:
            proxy = proxy_name(name)
            at = f"{self.addresses.private[proxy]}:{access.proxy.port}"
            edge.append(self._box(proxy, at, "HTTP proxy"))
        segments = (Segment("", "", boxes),) if boxes else ()
        return Group("Access", name, str(self.addresses.lans[name]), segments, tuple(edge))

    def _client(self, name: str, client: Client) -> Box:
        return self._box(name, client.system.label, str(self.addresses.private[name]))

    def _strands(self) -> Iterator[Strand]:
        topology = self.topology
        for gateway in topology.gateways:
            for access in topology.access:
                yield from self._bundles(gateway, access)
        for name, site in topology.sites.items():
            if site.connection:
                yield Strand(site.connection.to, name, self._state(name), word="site-to-site")
            if site.privateLink:
                yield Strand(next(iter(topology.vnets)), name, None, word="private link")
        for name, connection in topology.connections.items():
            yield Strand(*connection.gateways, self._state(name), word=f"VNet-to-VNet {name}")

    def _bundles(self, gateway: str, access: str) -> Iterator[Strand]:
        """One for each state that the tunnels between them have had."""
        of: dict[State, list[str]] = {}
        for name, client in self.topology.clients.items():
            if client.behind == access and self.topology.gateway_of(client) == gateway:
                tunnels = (mark.state for mark in self.marks.of(name) if mark.tunnel)
                for state in dict.fromkeys(tunnels):
                    of.setdefault(state, []).append(name)
        yield from (
            Strand(gateway, access, s, tuple(of[s])) for s in sorted(of, key=RANK.__getitem__)
        )

    def _state(self, name: str) -> State | None:
        states = (mark.state for mark in self.marks.of(name) if mark.tunnel)
        return min(states, key=RANK.__getitem__, default=None)


def _joined(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _denies(words: str, entries: Sequence[str]) -> str:
    return f"{words} {', '.join(entries)}" if entries else ""


def _lets_out(access: Access) -> str:
    if access.allow is not None:
        return ", ".join(access.allow) or "nothing"
    return "the proxy alone" if access.proxy else "everything"


def _line(access: Access) -> str:
    """What its line to the Internet is like, if it is not the machine's."""
    return _joined(
        f"{access.rate:g} Mbit/s" if access.rate else "",
        f"{access.latency * 1000:g} ms" if access.latency else "",
        f"loses {access.loss:.2%}" if access.loss else "",
        f"MTU {access.mtu}" if access.mtu != 1500 else "",
    )
