"""A site's VPN device: charon with a pre-shared key, routing between its LAN and the tunnel."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.charon import datapath
from gateway.charon.proposals import Proposals
from gateway.common.rotation import whole
from lab.errors import LabError
from lab.nodes.base import Node, Process
from lab.roles.daemon import last_words
from lab.waiting import wait_until

if TYPE_CHECKING:
    import vici

    from lab.roles import RoleContext
    from lab.topology.planning.specs import VpnDeviceSpec

DIRECTORY = "/run/strongswan"
DAEMON = "/usr/sbin/charon-systemd"
TUNNEL, KEY = "azure", "azure-key"
MAIN_TABLE, BEFORE_CHARONS = 254, 100
"""Where routes to the LAN are, and the priority of a rule that comes before charon's (220)."""
START_LIMIT = 10.0
ANSWER_LIMIT = 10.0
_PLUGINS = (
    "random nonce openssl kdf hmac sha1 sha2 aes gcm socket-default {ipsec} kernel-netlink vici"
)
# What a device is set up with for Azure's defaults (azure-docs vpn-gateway-about-vpn-devices).
DEFAULT = Proposals(
    ike=("aes256-sha1-modp1024", "aes256-sha256-modp1024"),
    esp=("aes256gcm16", "aes256-sha1", "aes256-sha256"),
)

_PROPOSALS = re.compile(
    r"^\S+ \d+\[CFG\] (?:<.*?> )?(received|configured) proposals: (.*)$", re.MULTILINE
)

Message = dict[str, Any]


class Device:
    """The VPN device as its own administrator sees it; also the running program."""

    def __init__(self, node: Node, spec: VpnDeviceSpec, process: Process) -> None:
        self._node = node
        self._spec = spec
        self._process = process
        self.pid = process.pid
        self.log = process.log

    @property
    def code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.code

    async def wait(self) -> int:
        """Until it ends."""
        return await self._process.wait()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.signal(number)

    async def stop(self, limit: float = 5.0) -> int:
        """End it."""
        return await self._process.stop(limit)

    async def state(self) -> dict[str, Any]:
        """Its own view: {state: Connected | NotConnected, ingress, egress, proposals}; ingress is
        from the gateway, bytes. `proposals`: its last lines about proposals that do not match."""
        rows = await asyncio.to_thread(self._ask, "list_sas", {"ike": TUNNEL})
        children = [
            child
            for row in rows
            for sa in row.values()
            if sa["state"] == b"ESTABLISHED"
            for child in sa["child-sas"].values()
            if child["state"] == b"INSTALLED"
        ]
        return {
            "state": "Connected" if children else "NotConnected",
            "ingress": sum(int(child["bytes-in"]) for child in children),
            "egress": sum(int(child["bytes-out"]) for child in children),
            "proposals": "" if children else await asyncio.to_thread(self._unmatched),
        }

    async def configuration(self) -> dict[str, list[str]]:
        """How it is set up: {peers: addresses, local, remote: its selectors; agreed: those of the
        tunnel that stands, such as `192.168.50.0/24 === 10.1.0.0/16`}."""
        found = await asyncio.to_thread(self._ask, "list_conns", {"ike": TUNNEL})
        [own] = (row[TUNNEL] for row in found if TUNNEL in row)
        child = own["children"][TUNNEL]
        rows = await asyncio.to_thread(self._ask, "list_sas", {"ike": TUNNEL})
        agreed = [
            f"{local} === {remote}"
            for row in rows
            for sa in row.values()
            for one in sa["child-sas"].values()
            if one["state"] == b"INSTALLED"
            for local in _texts(one["local-ts"])
            for remote in _texts(one["remote-ts"])
        ]
        return {
            "peers": _texts(own["remote_addrs"]),
            "local": _texts(child["local-ts"]),
            "remote": _texts(child["remote-ts"]),
            "agreed": list(dict.fromkeys(agreed)),
        }

    async def use_key(self, key: str | None = None) -> None:
        """Put in a pre-shared key, and end what stands by the old one; None: the right one."""
        await asyncio.to_thread(self._share, key)
        await asyncio.to_thread(self._end)

    async def take_key(self) -> None:
        """Tell the program its key. OSError: it does not answer yet."""
        await asyncio.to_thread(self._share)

    async def load(self) -> None:
        """Tell the program its connection; it answers, and so has made kernel-libipsec's device."""
        userspace = (await self._node.call(datapath.find)).userspace
        if userspace:
            await self._node.call(partial(_have_sources, self._spec))
        message = connection_message(self._spec, encapsulate=userspace)
        await asyncio.to_thread(self._ask, "load_conn", {TUNNEL: message})

    def _unmatched(self) -> str:
        found = dict(_PROPOSALS.findall(whole(self.log)))  # the last of each
        return "; ".join(f"{kind} proposals: {value}" for kind, value in found.items())

    def _share(self, other: str | None = None) -> None:
        key = self._spec.shared_key.get_secret_value() if other is None else other
        owners = [self._spec.public, self._spec.peer]
        self._ask("load_shared", {"id": KEY, "type": "IKE", "data": key, "owners": owners})

    def _end(self) -> None:
        from vici.exception import CommandException  # noqa: PLC0415 (34 ms, seldom needed)

        try:
            self._ask("terminate", {"ike": TUNNEL, "force": "yes", "timeout": "1000"})
        except CommandException as error:
            if "no matching" not in str(error):
                raise

    def _ask(self, command: str, message: Message | None = None) -> list[Message]:
        with self._session() as session:
            answer = getattr(session, command)(*([message] if message else []))
            return list(answer) if isinstance(answer, Iterator) else [answer]

    @contextmanager
    def _session(self) -> Iterator[vici.Session]:
        import vici  # noqa: PLC0415 (as above)

        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(ANSWER_LIMIT)
            line.connect(str(_socket(self._node)))
            yield vici.Session(line)


def _texts(values: list[bytes]) -> list[str]:
    return [value.decode() for value in values]


async def start(node: Node, spec: VpnDeviceSpec, _context: RoleContext) -> Device:
    """Start it; it answers when this returns. The gateway sets the tunnel up."""
    userspace = (await node.call(datapath.find)).userspace
    await node.write(f"{DIRECTORY}/strongswan.conf", strongswan_conf(userspace=userspace))
    _socket(node).unlink(missing_ok=True)
    env = {"STRONGSWAN_CONF": f"{DIRECTORY}/strongswan.conf"}
    process = await node.spawn([DAEMON], log="charon", env=env)
    device = Device(node, spec, process)

    async def answers() -> bool:
        if process.code is not None:
            said = last_words(process)
            raise LabError(f"{node.name}: charon ended with {process.code}: {said}")
        await device.take_key()
        return True

    await wait_until(f"{node.name}: charon answers", START_LIMIT, answers)
    await device.load()
    return device


def selectors(spec: VpnDeviceSpec) -> tuple[IPv4Network, ...]:
    """What the two sides agree on for the device's side: what both have."""
    ours, theirs = ([IPv4Network(text) for text in texts] for texts in (spec.local, spec.known))
    pairs = ((a, b) for a in ours for b in theirs if a.overlaps(b))
    return tuple(dict.fromkeys(a if a.prefixlen >= b.prefixlen else b for a, b in pairs))


def _have_sources(spec: VpnDeviceSpec) -> None:
    """An address in each selector for kernel-libipsec (gateway.charon.datapath.lay_routes), which
    remains that of a computer in the LAN."""
    lan = IPv4Network(spec.lan)
    lacking = [prefix for prefix in selectors(spec) if lan[1] not in prefix]
    if not lacking:
        return
    from pyroute2 import IPRoute  # noqa: PLC0415 (0.1 s, seldom needed)

    datapath.lay_routes(pool=(), former=(), selectors=lacking, source=lan[1])
    with IPRoute() as kernel:
        kernel.rule("add", dst=spec.lan, table=MAIN_TABLE, priority=BEFORE_CHARONS)


def _socket(node: Node) -> Path:
    return node.run_directory / "strongswan/charon.vici"


def strongswan_conf(*, userspace: bool) -> str:
    """strongswan.conf; routes into the tunnel are charon's own, from the LAN's address. The log:
    see gateway.charon.config."""
    plugins = _PLUGINS.format(ipsec="kernel-libipsec" if userspace else "").replace("  ", " ")
    return f"""charon {{
  load = {plugins}
  load_modular = no
  threads = 16
  retransmit_tries = 3
  retransmit_timeout = 1.0
  retransmit_base = 1.5
  filelog {{
    stderr {{
      time_format = %H:%M:%S
      time_add_ms = yes
      default = 1
    }}
  }}
  plugins {{
    vici {{
      socket = unix://{DIRECTORY}/charon.vici
    }}
  }}
}}
charon-systemd {{
  journal {{
    default = -1
  }}
}}
"""


def connection_message(spec: VpnDeviceSpec, *, encapsulate: bool) -> dict[str, Any]:
    """load-conn: where `remote` is everything, the gateway's selectors narrow it."""
    child = {
        "local_ts": list(spec.local),
        "remote_ts": list(spec.remote),
        "esp_proposals": list(spec.esp or DEFAULT.esp),
        "start_action": "none",
        "close_action": "none",
        "dpd_action": "clear",
    }
    return {
        "version": "2",
        "local_addrs": [spec.public],
        "remote_addrs": [spec.peer],
        "encap": "yes" if encapsulate else "no",
        "proposals": list(spec.ike or DEFAULT.ike),
        "dpd_delay": "10s",
        "unique": "replace",
        "local": {"auth": "psk", "id": spec.public},
        "remote": {"auth": "psk", "id": spec.peer},
        "children": {TUNNEL: child},
    }
