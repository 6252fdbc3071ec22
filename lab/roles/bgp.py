"""A site's BIRD: it announces the site's prefixes to the gateway, through the tunnel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.nodes.base import Node, Process
from lab.roles.daemon import last_words
from lab.waiting import wait_until

if TYPE_CHECKING:
    from lab.roles import RoleContext
    from lab.topology.planning.specs import BgpSpec

DIRECTORY = "/run/bird"
CONFIGURATION = f"{DIRECTORY}/bird.conf"
SOCKET = f"{DIRECTORY}/bird.ctl"
PROGRAM, CLIENT = "/usr/sbin/bird", "/usr/sbin/birdc"
PROTOCOL = "azure"
"""BIRD's name of the session with the gateway."""
START_LIMIT = 10.0


class Speaker:
    """The program, which an administrator may stop and start again."""

    def __init__(self, node: Node, spec: BgpSpec) -> None:
        self._node = node
        self._spec = spec
        self._process: Process | None = None

    async def begin(self) -> None:
        """Start it; it answers when this returns."""
        await self._node.write(CONFIGURATION, configuration(self._spec))
        socket = self._node.run_directory / "bird/bird.ctl"
        socket.unlink(missing_ok=True)
        process = await self._node.spawn(
            [PROGRAM, "-f", "-c", CONFIGURATION, "-s", SOCKET], log="bird"
        )
        self._process = process

        def answers() -> bool:
            if process.code is not None:
                said = last_words(process)
                raise LabError(f"{self._node.name}: bird ended with {process.code}: {said}")
            return socket.exists()

        await wait_until(f"{self._node.name}: bird opens its socket", START_LIMIT, answers)

    async def stop(self) -> None:
        """End it: it says goodbye to its peer."""
        if self._process:
            await self._process.stop()
            self._process = None


async def start(node: Node, spec: BgpSpec, _context: RoleContext) -> Speaker:
    """Start it; the gateway calls."""
    speaker = Speaker(node, spec)
    await speaker.begin()
    return speaker


def configuration(spec: BgpSpec) -> str:
    """BIRD's file: what it learns changes no route of the site, whose charon has them."""
    own = "".join(f"  route {prefix} blackhole;\n" for prefix in spec.announced)
    return f"""log stderr all;
router id {spec.address};
protocol device {{ }}
protocol static own {{
  ipv4;
{own}}}
protocol bgp {PROTOCOL} {{
  local {spec.address} as {spec.asn};
  neighbor {spec.peer} as {spec.peer_asn};
  multihop;
  passive;
  ipv4 {{
    import all;
    export where source = RTS_STATIC;
    next hop self;
  }};
}}
"""
