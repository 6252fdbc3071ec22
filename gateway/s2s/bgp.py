"""BGP: one BIRD, which tells sites of the VNet and of clients, and learns what is behind the sites.

BIRD keeps the sessions and nothing else: it lays no routes. What it has learnt is judged here, and
becomes prefixes of a connection like those of its local network gateway.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import TYPE_CHECKING, Any

from gateway.arm.rules.addresses import PRIVATE
from gateway.common.background import Background, end
from gateway.common.errors import EngineError
from gateway.common.files import make_private_directory, write_private
from gateway.common.waiting import wait_until
from gateway.daemons.daemon import Daemon, Program

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from gateway.common.errors import GatewayError

BIRD = "/usr/sbin/bird"
START_LIMIT = 5.0
"""Seconds until BIRD's socket is there."""
ANSWER_LIMIT = 5.0
"""Seconds that BIRD may take for an answer."""
LOOK_INTERVAL = 0.5
"""Seconds between questions: BIRD reports nothing by itself."""
MOST_PREFIXES = 200
"""Of a peer: beyond them the session ends, as in Azure beyond 4,000 (azure-docs
vpn-gateway-faq-bgp-include). Learnt prefixes are selectors here, of which IKEv2 has room for 255 a
tunnel (RFC 7296, 3.13): more would end the tunnel."""
_CODE = re.compile(r"(\d{4})([ -])(.*)")
_FAILURES = ("8", "9")
"""First digits of BIRD's codes for what it refuses."""
_NETWORK = re.compile(r"(\d+\.\d+\.\d+\.\d+/\d+)\s")
_STATES = {
    "Established": "Connected",
    "Idle": "Idle",
    "Active": "Connecting",
    "Connect": "Connecting",
    "OpenSent": "Connecting",
    "OpenConfirm": "Connecting",
    "down": "Stopped",
}
"""BIRD's states of a session, and ARM's of a BGP peer."""


@dataclass(frozen=True)
class Peer:
    """The other end of a connection with BGP."""

    connection: str
    """ARM's name of the connection."""
    address: IPv4Address
    asn: int

    @property
    def protocol(self) -> str:
        """BIRD's name of the session. It has the address, so that no answer about one peer can be
        taken for another's while BIRD is told of new ones."""
        return f"at_{self.address}".replace(".", "_")


@dataclass(frozen=True)
class Settings:
    """What BIRD is told."""

    address: IPv4Address
    """The gateway's own, in its GatewaySubnet."""
    asn: int
    announced: tuple[IPv4Network, ...]
    peers: tuple[Peer, ...]


def configuration(settings: Settings) -> str:
    """BIRD's file."""
    own = "".join(f"  route {prefix} blackhole;\n" for prefix in settings.announced)
    peers = "".join(
        f"protocol bgp {peer.protocol} from site {{ neighbor {peer.address} as {peer.asn}; }}\n"
        for peer in settings.peers
    )
    return f"""log stderr all;
router id {settings.address};
protocol device {{ }}
protocol static own {{
  ipv4;
{own}}}
template bgp site {{
  local {settings.address} as {settings.asn};
  multihop;
  hold time 180;
  keepalive time 60;
  connect retry time 5;
  connect delay time 1;
  error wait time 1, 5;
  ipv4 {{
    import limit {MOST_PREFIXES} action disable;
    import all;
    export where source = RTS_STATIC || source = RTS_BGP;
    next hop self;
  }};
}}
{peers}"""


def acceptable(
    learnt: Iterable[IPv4Network], own: Iterable[IPv4Network]
) -> tuple[IPv4Network, ...]:
    """Those that a site may have: private, and clear of all that is `own` or another site's.

    Azure takes more: prefixes around the VNet's, public ones, a default route. Here these could
    capture the VNet, the pool or the Internet, by which the tunnels themselves go.
    """
    guarded = tuple(collapse_addresses(own))  # in order, and none overlaps another
    starts = [one.network_address for one in guarded]

    def is_clear(prefix: IPv4Network) -> bool:
        before = bisect_right(starts, prefix.broadcast_address)
        return not before or not prefix.overlaps(guarded[before - 1])

    return tuple(
        prefix
        for prefix in sorted(learnt)
        if any(prefix.subnet_of(private) for private in PRIVATE) and is_clear(prefix)
    )


class Speaker:
    """The BIRD of a gateway; it runs while a connection has BGP."""

    def __init__(self, state: Path, changed: Callable[[], Awaitable[None]]) -> None:
        """`changed` is awaited when peers have announced or withdrawn something."""
        self._state = state
        self._changed = changed
        self._settings: Settings | None = None
        self._daemon: Daemon | None = None
        self._background = Background("BGP")
        self._looking: asyncio.Task[None] | None = None
        self._learnt: dict[str, frozenset[IPv4Network]] = {}
        self._in_force: dict[str, frozenset[IPv4Network]] = {}
        """What `changed` was last awaited for, without an error."""
        self._states: dict[str, str] = {}
        """ARM's states of peers, by connection."""

    def learnt(self, connection: str) -> frozenset[IPv4Network]:
        """What the peer of a connection announces, as it comes."""
        return self._learnt.get(connection, frozenset())

    def peers(self) -> list[dict[str, Any]]:
        """ARM's BgpPeerStatus of each peer; without its duration and numbers of messages."""
        settings = self._settings
        if settings is None:
            return []
        return [
            {
                "localAddress": str(settings.address),
                "neighbor": str(peer.address),
                "asn": peer.asn,
                "state": self._states.get(peer.connection, "Unknown"),
                "routesReceived": len(self.learnt(peer.connection)),
            }
            for peer in settings.peers
        ]

    def routes(self, accepted: Mapping[str, Iterable[IPv4Network]]) -> list[dict[str, Any]]:
        """ARM's GatewayRoute of each prefix learnt; without AS path and weight. `accepted`: those
        of each connection."""
        settings = self._settings
        if settings is None:
            return []
        return [
            {
                "localAddress": str(settings.address),
                "network": str(prefix),
                "nextHop": str(peer.address),
                "sourcePeer": str(peer.address),
                "origin": "EBgp",
            }
            for peer in settings.peers
            for prefix in accepted.get(peer.connection, ())
        ]

    async def configure(self, settings: Settings | None) -> None:
        """Speak to exactly these peers; None: to nobody. EngineError: BIRD does not start."""
        if settings == self._settings:
            return
        self._settings = settings
        if settings is None:
            await self.stop()
            return
        names = {peer.connection for peer in settings.peers}
        self._learnt = {name: found for name, found in self._learnt.items() if name in names}
        if self._daemon is None:
            self._daemon = Daemon(self._program())
            # First, because a daemon that does not start is started again in the background.
            self._looking = asyncio.create_task(self._keep_looking())
            await self._daemon.start()
        elif self._daemon.state == "running":
            self._write(settings)
            await self._ask("configure")

    async def stop(self) -> None:
        """End all sessions."""
        self._settings = None
        self._learnt, self._states, self._in_force = {}, {}, {}
        if self._looking:
            await end(self._looking)
            self._looking = None
        if self._daemon:
            daemon, self._daemon = self._daemon, None
            await daemon.stop()

    def _program(self) -> Program:
        return Program(
            name="bird",
            argv=(BIRD, "-f", "-c", str(self._file), "-s", str(self._socket)),
            log=self._state / "bird.log",
            prepare=self._prepare,
            ready=self._ready,
            gone=self._gone,
            env={"TZ": "UTC"},
        )

    @property
    def _file(self) -> Path:
        return self._state / "bird.conf"

    @property
    def _socket(self) -> Path:
        return self._state / "bird.ctl"

    def _write(self, settings: Settings) -> None:
        write_private(self._file, configuration(settings))

    async def _prepare(self) -> None:
        assert self._settings
        make_private_directory(self._state)
        self._socket.unlink(missing_ok=True)
        self._write(self._settings)
        await asyncio.to_thread(_have_address, self._settings.address)

    async def _ready(self) -> None:
        async def answers() -> bool:
            return bool(await self._ask("show status"))

        await wait_until("BIRD's control socket", START_LIMIT, answers)

    async def _gone(self, _error: GatewayError) -> None:
        """BIRD has died, and with it all that it had learnt; the next look tells of it."""

    async def _keep_looking(self) -> None:
        while True:
            await self._background.run(self._put_in_force())
            await asyncio.sleep(LOOK_INTERVAL)

    async def _put_in_force(self) -> None:
        """Look, and tell of a change; what has failed is done again at the next look."""
        self._learnt, self._states = await self._look()
        learnt = self._learnt
        if learnt != self._in_force:
            await self._changed()
            self._in_force = learnt

    async def _look(self) -> tuple[dict[str, frozenset[IPv4Network]], dict[str, str]]:
        """Ask BIRD for states and routes; nothing of either while it does not run."""
        learnt: dict[str, frozenset[IPv4Network]] = {}
        states: dict[str, str] = {}
        peers = self._settings.peers if self._settings else ()
        try:
            for peer in peers:
                with suppress(EngineError, ValueError):  # BIRD is not told of the peer yet
                    states[peer.connection], routes = await self._seen(peer)
                    if routes:
                        learnt[peer.connection] = routes
        except (OSError, TimeoutError):
            return {}, {}
        return learnt, states

    async def _seen(self, peer: Peer) -> tuple[str, frozenset[IPv4Network]]:
        """ARM's state of a peer, and what it announces. EngineError, ValueError: BIRD knows of no
        such peer."""
        [line] = await self._ask(f"show protocols {peer.protocol}", of="1002")
        found = [_STATES[word] for word in line.split() if word in _STATES]
        rows = await self._ask(f"show route protocol {peer.protocol}", of="1007")
        nets = (IPv4Network(m[1]) for row in rows if (m := _NETWORK.match(row)))
        return found[-1] if found else "Unknown", frozenset(nets)

    async def _ask(self, command: str, of: str = "") -> list[str]:
        """The lines of an answer, or those with this code. EngineError: BIRD refuses."""
        async with asyncio.timeout(ANSWER_LIMIT):
            reader, writer = await asyncio.open_unix_connection(str(self._socket))
            try:
                await reader.readline()  # its greeting
                writer.write(f"{command}\n".encode())
                lines: list[str] = []
                code = ""
                while line := (await reader.readline()).decode():
                    if match := _CODE.match(line):
                        code, more, text = match.groups()
                    else:
                        more, text = "-", line[1:]
                    if code[:1] in _FAILURES:
                        raise EngineError(f"BIRD refuses {command!r}", said=text)
                    if of in ("", code):
                        lines.append(text)
                    if more == " ":
                        return lines
                raise EngineError(f"BIRD did not answer {command!r}")
            finally:
                writer.close()


def _have_address(address: IPv4Address) -> None:
    from pyroute2 import IPRoute  # noqa: PLC0415 - 0.1 s, and only with BGP

    with IPRoute() as kernel:
        loopback = kernel.link_lookup(ifname="lo")[0]
        kernel.addr("replace", index=loopback, address=f"{address}/32")
