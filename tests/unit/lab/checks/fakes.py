"""A world in memory: the interfaces of computers and gateways that checks use."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lab.nodes.base import Completed
from lab.vpn_client import Connection, RefusedError
from lab.world import Attempted, End

ALICE = "A" * 40
NAT = "192.0.2.2"
"""The public address of alice and bob."""
PORTS = {"alice": 40001, "bob": 40002}
LATER = "2999-01-01T00:00:00.000+00:00"
"""The time of an attempt that the next dial makes."""


class FakeNode:
    """Runs programs from a table of what they print."""

    def __init__(self, name: str, directory: Path = Path()) -> None:
        self.name = name
        self.run_directory = directory
        self.prints: dict[str, Completed] = {}
        self.ran: list[list[str]] = []
        self.files = {"/etc/resolv.conf": b"nameserver 10.1.1.53\n"}

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: str = "",
        limit: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        self.ran.append(list(argv))
        if argv[:2] == ["test", "-e"]:
            return Completed(int(argv[2] not in self.files), "", "")
        return self.prints.get(argv[0], Completed(0, "", ""))

    async def read(self, path: str) -> bytes:
        return self.files[path]

    async def write(self, path: str, content: str) -> None:
        self.files[path] = content.encode()

    async def call(self, function: Callable[[], Any]) -> Any:
        return function()

    async def wait_for(self, function: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(function)


class FakeGateway:
    """A document, a log and sessions."""

    name = "gw"

    def __init__(self) -> None:
        self.resource: dict[str, Any] = {
            "name": "gw",
            "properties": {"vpnClientConfiguration": {"vpnClientRevokedCertificates": []}},
        }
        self.records: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        self.disconnected: list[str] = []
        self.tunnels: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []

    async def connections(self) -> dict[str, dict[str, Any]]:
        return self.tunnels

    async def delete(self, kind: str, name: str) -> None:
        self.deleted.append(f"{kind} {name}")

    async def delete_gateway(self) -> None:
        self.deleted.append("gateway")

    async def exists(self) -> bool:
        return "gateway" not in self.deleted

    async def get(self) -> dict[str, Any]:
        return self.resource

    async def put(self, resource: dict[str, Any]) -> dict[str, Any]:
        self.resource = resource
        return resource

    async def sessions(self) -> list[dict[str, Any]]:
        return self.rows

    async def log(self) -> list[dict[str, Any]]:
        return self.records

    async def disconnect(self, connection_ids: list[str]) -> None:
        self.disconnected += connection_ids

    def row(self, client: FakeClient, identifier: str) -> None:
        """A session of the client's, which has just begun."""
        self.rows.append(
            {
                "vpnConnectionId": identifier,
                "protocol": "IkeV2",
                "publicIpAddress": NAT,
                "publicPort": str(PORTS[client.name]),
                "privateIpAddress": "172.16.0.1",
                "vpnUserName": client.user,
                "thumbprint": client.thumbprint,
            }
        )

    def wrote(self, event: str, reason: str, message: str = "", **about: str) -> None:
        """By default about alice's next dial."""
        self.records.append(
            {
                "time": datetime.now(UTC).isoformat(),
                "protocol": "IkeV2",
                "event": event,
                "user": "alice",
                "publicIpAddress": NAT,
                "publicPort": str(PORTS["alice"]),
                "attemptTime": LATER,
                "vpnConnectionId": "",
                "thumbprint": ALICE,
                "serialNumber": "",
                "radiusServer": "",
                "reason": reason,
                "message": message,
            }
            | about
        )


class FakeClient:
    """Dials with a given result. All have the same user and certificate."""

    user = "alice"
    thumbprint = ALICE

    def __init__(self, name: str, gateway: FakeGateway) -> None:
        self.name = name
        self.gateway = self.own_gateway = gateway
        self.node = FakeNode(name)
        self.access = FakeNode("home")
        self.up: Connection | None = None
        self.dialled_until = -math.inf
        self.session = ""
        self.attempts: frozenset[Attempted] = frozenset()
        self.at_gateway = True
        """Whether the gateway has a session after a dial."""
        self.answers: Connection | RefusedError | None = None
        self.failures: list[Exception] = []
        self.dialled: list[str | None] = []
        self.on_dial: Callable[[], None] = lambda: None
        self.says_goodbye = True
        """Whether the gateway learns of a tunnel's end."""
        self.restarted = False
        self.left: list[str] = []
        """A tunnel's addresses that no driver knows of."""
        self.over = asyncio.Event()

    async def dial(
        self, over: str | None = None, *, to: FakeGateway | None = None
    ) -> tuple[Connection, list[Exception]]:
        self.dialled.append(over)
        if self.up and self.says_goodbye:
            self.gateway.rows = [
                r for r in self.gateway.rows if r["vpnConnectionId"] != self.session
            ]
        self.gateway = to or self.own_gateway
        self.on_dial()
        self.session = ""
        if isinstance(self.answers, RefusedError):
            raise self.answers
        assert self.answers
        self.up = self.answers
        if self.at_gateway:
            self.session = f"{self.name}-{len(self.dialled)}"
            self.gateway.row(self, self.session)
        return self.answers, self.failures

    async def made(self, _: str, ends: Collection[End]) -> set[End]:
        return {end for end in ends if end == (NAT, PORTS[self.name])}

    async def connection(self) -> Connection | None:
        return self.up

    async def hang_up(self) -> None:
        self.up = None

    async def restart(self) -> None:
        self.up, self.restarted = None, True
        self.node.files.clear()

    async def leased(self) -> list[str]:
        return self.left

    async def ended(self, limit: float) -> str:
        async with asyncio.timeout(limit):
            await self.over.wait()
        return "received DELETE"


class FakeWorld:
    """lab.world.World."""

    def __init__(self) -> None:
        self.gateway = FakeGateway()
        self.alice = FakeClient("alice", self.gateway)
        self.bob = FakeClient("bob", self.gateway)
        self.clients = {"alice": self.alice, "bob": self.bob}
        self.gateways = {"gw": self.gateway}
        self.nodes = {"alice": self.alice.node, "bob": self.bob.node, "app1": FakeNode("app1")}
        self.addresses = {"app1": "127.0.0.1"}
        self.radius: dict[str, Any] = {}
        self.past: list[Any] = []
        self.plan = SimpleNamespace(nodes=[SimpleNamespace(name="app1", kind="host")])
        self.created: list[tuple[str, dict[str, Any]]] = []

    async def create_gateway(self, name: str, properties: dict[str, Any]) -> None:
        self.created.append((name, properties))


def connection(protocol: Any = "IkeV2", seconds: float = 0.1) -> Connection:
    return Connection(protocol, "172.16.0.1", "ipsec0", seconds, "kernel ESP")


def refusal(reason: Any = "refused", message: str = "AUTH_FAILED") -> RefusedError:
    return RefusedError("IkeV2", reason, message, 0.1)
