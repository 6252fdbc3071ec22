"""RADIUS servers on loopback that answer with what a test says, and the client that asks them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from radius.attributes import Call, Nas
from radius.client import RadiusClient
from radius.packet import Server
from tests.unit.radius import servers
from tests.unit.radius.servers import ACCEPT, SECRET, vendor

Answers = Callable[[bytes], list[bytes]]
CALL = Call("192.0.2.9", 7)
NAS = Nas("RD0123456789AB", "127.0.0.1", "203.0.113.2")
IDENTITY = b"\x02\x01\x00\x0a\x01alice"
NAK = b"\x02\x02\x00\x06\x03\x0d"
EAP_REQUEST, SUCCESS, FAILURE = b"\x01\x02\x00\x05\x0d", b"\x03\x02\x00\x04", b"\x04\x02\x00\x04"
RECV, SEND = bytes(range(16)), bytes(range(16, 32))
S = b"S=" + b"0123456789ABCDEF" * 2 + b"01234567"


@dataclass
class Attempt:
    user: str = "CORP\\alice"
    authenticator_challenge: bytes = bytes(range(16))
    peer_challenge: bytes = bytes(range(16, 32))
    nt_response: bytes = bytes(range(24))
    identifier: int = 5


@dataclass
class Bench:
    """Servers with predefined answers."""

    log: list[str] = field(default_factory=list)
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    open: list[Any] = field(default_factory=list)

    async def server(self, answers: Answers, address: str = "127.0.0.2", **more: Any) -> Server:
        bench = self

        class Protocol(asyncio.DatagramProtocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, addr: Any) -> None:
                bench.seen.append((address, data))
                for answer in answers(data):
                    self.transport.sendto(answer, addr)

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Protocol, local_addr=(address, 0))
        self.open.append(transport)
        return Server(address, SECRET, port=transport.get_extra_info("sockname")[1], **more)

    def client(self, *asked: Server, limit: float = 10.0, nas: Nas = NAS) -> RadiusClient:
        client = RadiusClient(asked, nas, log=self.log.append, limit=limit)
        self.open.append(client)
        return client

    async def asks(self, answers: Answers, limit: float = 10.0, **more: Any) -> RadiusClient:
        return self.client(await self.server(answers, **more), limit=limit)


def accepts(request: bytes) -> list[bytes]:
    success = vendor(26, b"\x05" + S)
    return [servers.reply(request, ACCEPT, success + servers.keys(request, RECV, SEND))]
