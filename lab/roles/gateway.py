"""The gateway's node: `python -m gateway`, and the operator's hold on it, its HTTP API."""

from __future__ import annotations

import asyncio
import compileall
import http.client
import json
import socket
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.arm.connections import Connection, LocalNetworkGateway
from gateway.arm.documents import parse
from gateway.arm.resource import VirtualNetworkGateway
from gateway.arm.secrets import secrets_in, with_secrets
from gateway.common import turns
from gateway.common.errors import NotFoundError
from gateway.dataplane import native
from gateway.openvpn.issuers import issuers
from gateway.policy.diagnostics import KEPT
from lab.errors import LabError, MachineError, UsageError
from lab.nodes.base import Node
from lab.nodes.files import SOURCE
from lab.roles.daemon import last_words
from lab.waiting import wait_until
from lab.world import OFF

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gateway.arm.placement import Placement
    from lab.pki.authority import Credential
    from lab.topology.model.vocabulary import VpnProtocol
    from lab.topology.planning.plan import GatewayPlan

PACKAGES = ("gateway", "radius", "lab/clients", "lab/guest", "lab/observe", "lab/roles")
"""Of which the programs are that nodes run."""
DIRECTORY = "/run/gateway"
START_LIMIT = 15.0
REFUSALS = (400, 404)
"""HTTP: the document is at fault, not the gateway."""
THE_MACHINES = ("StorageFailed", "FenceFailed")
"""Codes of errors that are the machine's."""
LOGS = LOG, TUNNEL_LOG = ("/log", "/tunnelLog")
KINDS = ("gateway", "localNetworkGateways", "connections", "runtime")
"""What the API keeps: a gateway comes before its connections, and the other side of a connection,
too."""
ANSWER_LIMIT = 60.0
"""A PUT answers when every engine is reconciled."""


class GatewayRefusedError(UsageError):
    """The gateway refused a document; the message is Azure's error, with all its details."""

    def __init__(self, gateway: str, error: dict[str, Any]) -> None:
        details = [
            f"{row.get('target') or ''}: {row['message']}" for row in error.get("details", [])
        ]
        super().__init__("\n  ".join([f"{gateway}: {error['message']}", *details]))
        self.azure: str = error["code"]


async def start_gateway(
    node: Node, placement: Placement, server: Credential, root: bytes = b""
) -> UnixGateway:
    """Start the program; returns when its API answers. `server`: its certificate and key. `root`:
    what its profiles tell clients to trust (PEM), if not the root of that certificate."""
    await asyncio.to_thread(make_ready)

    async def start(handle: UnixGateway) -> None:
        await _place(node, placement, server, root or server.root_pem)
        await _start(node, handle)

    handle = UnixGateway(node, start)
    await start(handle)
    return handle


async def _start(node: Node, handle: UnixGateway) -> None:
    argv = [sys.executable, "-m", "gateway", "--placement", f"{DIRECTORY}/placement.json",
            "--socket", f"{DIRECTORY}/api.sock", "--state", DIRECTORY]  # fmt: skip
    process = await node.spawn(argv, log="gateway")

    async def answers() -> bool:
        if process.code is not None:
            said = last_words(process)
            raise LabError(f"{node.name}: the gateway ended with {process.code}: {said}")
        return await handle.answers()

    await wait_until(f"{node.name}: the gateway's API answers", START_LIMIT, answers)


def make_ready() -> None:
    """What programs in nodes would make for themselves and may not, for what they could change
    there would run outside: the compiled parts, and bytecode."""
    native.load()
    issuers()
    for package in PACKAGES:
        compileall.compile_dir(SOURCE / package, quiet=2)


async def put_connections(gateway: UnixGateway, plan: GatewayPlan) -> None:
    """The site-to-site part of the plan."""
    for local in plan.local_network_gateways:
        await gateway.put_local_network_gateway(local.document())
    for connection in plan.connections:
        document = with_secrets(connection.document(), secrets_in(connection))
        await gateway.put_connection(document)


async def _place(node: Node, placement: Placement, server: Credential, root: bytes) -> None:
    files = placement.serverCertificate
    await node.write(f"{DIRECTORY}/placement.json", placement.model_dump_json())
    await node.write(str(files.certificate), server.chain_pem)
    await node.write(str(files.privateKey), server.key_pem, 0o600)
    await node.write(str(files.root), root)


def newest(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each kind of event as many as a gateway keeps, oldest first."""
    counted: Counter[str] = Counter()
    kept = []
    for record in reversed(records):
        kind = record.get("event", "")
        counted[kind] += 1
        if counted[kind] <= KEPT:
            kept.append(record)
    return kept[::-1]


def _kind(path: str) -> str:
    return path.split("/")[1]


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_LIMIT * turns.slowness())
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class UnixGateway:
    """lab.world.GatewayHandle over the gateway's socket.

    The standard library's client in a thread: aiohttp would cost the supervisor 0.2 s and 25 MB.
    """

    def __init__(self, node: Node, start: Callable[[UnixGateway], Awaitable[None]]) -> None:
        self.name = node.name
        self._node = node
        self._path = node.run_directory / "gateway/api.sock"
        self._start = start
        self._kept: dict[str, Any] = {}
        """What was PUT at each path and not deleted since: all that a restart needs."""
        self._on = True
        self._logged: dict[str, list[dict[str, Any]]] = {path: [] for path in LOGS}
        """The records of the times before it was switched off: in Azure, logs are kept elsewhere
        (a Log Analytics workspace), and their reader has them whatever becomes of the gateway."""

    async def stop(self) -> None:
        """Switch the computer off: every program ends, and its files are gone."""
        with suppress(*OFF, LabError):  # it has died, and nobody can ask it any more
            self._logged = {path: newest(await self._records(path)) for path in LOGS}
        self._on = False
        await self._node.reboot()

    async def begin(self) -> None:
        """Switch it on: it gets every document anew, those first that others need."""
        await self._start(self)
        self._on = True
        for path in sorted(self._kept, key=lambda path: KINDS.index(_kind(path))):
            kept = self._kept[path]
            body = with_secrets(kept.document(), secrets_in(kept)) if kept else None
            try:
                await self._json("PUT", path, body)
            except GatewayRefusedError:
                if _kind(path) != "runtime":
                    raise  # a daemon that is held down may be one that is not wanted any more

    async def answers(self) -> bool:
        """Whether the API is up."""
        try:
            await self._json("GET", "/runtime")
        except OSError:
            return False
        return True

    async def get(self) -> dict[str, Any]:
        """The desired state, without secrets."""
        return await self._json("GET", "/gateway")

    async def put(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Replace the desired state; GatewayRefusedError with Azure's error document."""
        return await self._json("PUT", "/gateway", resource)

    async def put_local_network_gateway(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Another side of connections."""
        return await self._json("PUT", f"/localNetworkGateways/{resource['name']}", resource)

    async def local_network_gateway(self, name: str) -> dict[str, Any]:
        """ARM's document of the other side of a site's connection."""
        return await self._json("GET", f"/localNetworkGateways/{name}")

    async def put_connection(self, resource: dict[str, Any]) -> dict[str, Any]:
        """A site-to-site tunnel; answers without waiting for it to be up."""
        return await self._json("PUT", f"/connections/{resource['name']}", resource)

    async def connection(self, name: str) -> dict[str, Any]:
        """A connection with its status and counters, without its key."""
        return await self._json("GET", f"/connections/{name}")

    async def connections(self) -> dict[str, dict[str, Any]]:
        """All connections, by name."""
        answer = await self._json("GET", "/connections")
        return {row["name"]: row for row in answer["value"]}

    async def exists(self) -> bool:
        """Whether there is a gateway: a document was PUT, and not deleted since."""
        try:
            await self.get()
        except GatewayRefusedError as error:
            if error.azure != NotFoundError.code:
                raise
            return False
        return True

    async def reset(self) -> None:
        """ARM's reset; answers when the other instance has taken over."""
        await self._json("POST", "/gateway/reset")

    async def delete_gateway(self) -> None:
        """DELETE the gateway; its connections must be gone."""
        await self._json("DELETE", "/gateway")

    async def delete(self, kind: str, name: str) -> None:
        """Of `connections` or `localNetworkGateways`."""
        await self._json("DELETE", f"/{kind}/{name}")

    async def tunnel_log(self) -> list[dict[str, Any]]:
        """TunnelDiagnosticLog records, oldest first."""
        return await self._records(TUNNEL_LOG)

    async def sessions(self) -> list[dict[str, Any]]:
        """Rows of getVpnClientConnectionHealth."""
        answer = await self._json("POST", "/gateway/getVpnClientConnectionHealth")
        rows: list[dict[str, Any]] = answer["vpnClientConnectionHealths"]
        return rows

    async def bgp_peers(self) -> list[dict[str, Any]]:
        """Rows of getBgpPeerStatus."""
        rows: list[dict[str, Any]] = (await self._json("POST", "/gateway/getBgpPeerStatus"))[
            "value"
        ]
        return rows

    async def learned_routes(self) -> list[dict[str, Any]]:
        """Rows of getLearnedRoutes."""
        rows: list[dict[str, Any]] = (await self._json("POST", "/gateway/getLearnedRoutes"))[
            "value"
        ]
        return rows

    async def log(self) -> list[dict[str, Any]]:
        """P2SDiagnosticLog records, oldest first."""
        return await self._records(LOG)

    async def _records(self, path: str) -> list[dict[str, Any]]:
        rows = (await self._json("GET", path))["value"] if self._on else []
        return [*self._logged[path], *rows]

    async def runtime(self) -> dict[str, Any]:
        """Engines, their daemons and datapaths; the memory of the gateway."""
        return await self._json("GET", "/runtime")

    async def hold(self, protocol: VpnProtocol) -> None:
        """Stop the daemon of a protocol, which stays down until `release`."""
        await self._json("PUT", f"/runtime/held/{protocol}")

    async def release(self, protocol: VpnProtocol) -> None:
        """Start it again; it is ready when this returns."""
        await self._json("DELETE", f"/runtime/held/{protocol}")

    async def disconnect(self, connection_ids: list[str]) -> None:
        """The action disconnectVirtualNetworkGatewayVpnConnections."""
        action = "disconnectVirtualNetworkGatewayVpnConnections"
        await self._json("POST", f"/gateway/{action}", {"vpnConnectionIds": connection_ids})

    async def profile(self, wanted: dict[str, str] | None = None) -> bytes:
        """The VPN client configuration zip; `wanted` is the body of generatevpnprofile."""
        return await self._call("POST", "/gateway/generatevpnprofile", wanted)

    async def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(await self._call(method, path, body) or b"{}")
        return answer

    def _remember(self, method: str, path: str, body: Any) -> None:
        """Keep a document as the gateway has it now, with the secrets of the one before; one that
        is PUT again keeps its place among the others, as it does there."""
        if method == "DELETE":
            self._kept.pop(path, None)
        elif method == "PUT":
            self._kept[path] = self._taken(path, body)

    def _taken(self, path: str, body: Any) -> Any:
        """The document of a PUT as the gateway takes it: a secret that it lacks stays as it was."""
        kind, former = _kind(path), self._kept.get(path)
        if kind == "gateway":
            document = parse(VirtualNetworkGateway, body, name=self.name)
            return document.with_secrets_of(former)
        if kind == "connections":
            return parse(Connection, body).with_key_of(former)
        return parse(LocalNetworkGateway, body) if kind == "localNetworkGateways" else None

    async def _call(self, method: str, path: str, body: Any = None) -> bytes:
        status, content = await asyncio.to_thread(self._exchange, method, path, body)
        if status < 300 or status >= 500:  # what fails is in force, and the gateway keeps trying
            self._remember(method, path, body)
        if status < 300:
            return content
        try:
            error = json.loads(content)["error"]
        except (ValueError, KeyError) as unexpected:
            said = content.decode(errors="replace")
            raise LabError(f"{self.name}: {method} {path}: {status}: {said}") from unexpected
        if status in REFUSALS:
            raise GatewayRefusedError(self.name, error)
        kind = MachineError if error["code"] in THE_MACHINES else LabError
        raise kind(f"{self.name}: {error['message']}")

    def _exchange(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        connection = _UnixConnection(self._path)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
