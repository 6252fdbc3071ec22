"""A relay for tests, and charon's requests to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from pyrad.packet import AccessRequest, AccountingResponse, AcctPacket, AuthPacket

from gateway.ikev2 import radius_wire as wire
from gateway.ikev2.relay import RadiusRelay
from gateway.policy.admission import Admission, Policy
from gateway.policy.diagnostics import DiagnosticLog
from gateway.policy.sessions import Reservation, Sessions
from radius.attributes import dictionary
from radius.client import EapSession
from radius.packet import Keys
from radius.verdict import EapVerdict
from tests.rigs.fences import RecordingFence
from tests.unit.gateway.context import FakeEapTls, engine_context

SECRET = b"between-charon-and-us"
IDENTITY = b"\x02\x01\x00\x0a\x01alice"
QUESTION = b"\x01\x02\x00\x06\x1a\x01"
ANSWER = b"\x02\x02\x00\x06\x1a\x02"
SUCCESS = b"\x03\x02\x00\x04"
KEYS = Keys(bytes(range(32)), bytes(range(32, 64)))


def request(eap: bytes, secret: bytes = SECRET, number: int = 7, **more: Any) -> AuthPacket:
    """As charon writes it."""
    packet = AuthPacket(
        AccessRequest, id=number, secret=secret, authenticator=bytes(16), dict=dictionary()
    )
    packet.AddAttribute("User-Name", b"alice")
    packet.AddAttribute("NAS-Port", 12)
    packet.AddAttribute("Calling-Station-Id", "192.0.2.2[61234]")
    for name, value in more.items():
        packet.AddAttribute(name, value)
    packet[79] = [eap[at : at + 253] for at in range(0, len(eap), 253)]
    packet.add_message_authenticator()
    return packet


START, STOP, INTERIM = 1, 2, 3


def accounting(status: int, token: bytes, secret: bytes = SECRET, number: int = 3) -> AcctPacket:
    """As charon writes it (measured, strongSwan 5.9.8)."""
    packet = AcctPacket(id=number, secret=secret, dict=dictionary())
    packet[40] = [status.to_bytes(4)]
    packet[44] = [b"1-12"]
    packet[25] = [token]
    packet.AddAttribute("NAS-Port", 12)
    packet.AddAttribute("Calling-Station-Id", "192.0.2.2[61234]")
    packet[8] = [IPv4Address("172.16.0.1").packed]
    return packet


@dataclass
class FakeClient:
    verdicts: list[EapVerdict]
    heard: list[tuple[str, bytes, str]] = field(default_factory=list)

    async def eap(self, session: EapSession, packet: bytes) -> EapVerdict:
        session.user = session.user or packet[5:]
        session.rounds += 1
        self.heard.append((session.user.decode(), packet, session.call.tunnel))
        return self.verdicts.pop(0)


@dataclass
class FakePath:
    client: FakeClient
    enabled: bool = True
    unreachable: str = ""
    down: str = ""

    def objection(self) -> str:
        return self.unreachable

    def silence(self) -> str:
        return self.down


class Bench:
    """A relay with its context, and a socket in place of charon's."""

    def __init__(self, *verdicts: EapVerdict) -> None:
        self.client = FakeClient(list(verdicts))
        self.path = FakePath(self.client)
        self.sessions = Sessions(RecordingFence())
        self.admission = Admission(self.sessions)
        self.admission.policy = Policy(
            authentication=frozenset(("Radius",)),
            limits={"IKEv2/OpenVPN": 1},
            parts={"IkeV2": (IPv4Network("172.16.0.0/24"),)},
        )
        self.log = DiagnosticLog()
        self.eap_tls = FakeEapTls()
        self.accounts: list[tuple[wire.Accounting, Reservation | None]] = []
        around = engine_context(
            self.sessions,
            admission=self.admission,
            log=self.log,
            eap_tls=self.eap_tls,
            radius=self.path,
        )
        self.relay = RadiusRelay(around, lambda *told: self.accounts.append(told))
        self.relay.radius = True
        self.secret = b""
        self.accounting: asyncio.DatagramTransport | None = None
        self.line: asyncio.DatagramTransport | None = None
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    async def ask(self, eap: bytes, **more: Any) -> AuthPacket:
        packet = request(eap, self.secret, **more)
        assert self.line
        self.line.sendto(packet.RequestPacket())
        async with asyncio.timeout(5):
            data = await self.answers.get()
        return packet.CreateReply(packet=data)

    async def account(self, status: int, token: bytes, number: int = 3) -> None:
        packet = accounting(status, token, self.secret, number)
        assert self.accounting
        self.accounting.sendto(packet.RequestPacket())
        async with asyncio.timeout(5):
            data = await self.answers.get()
        answer = packet.CreateReply(packet=data)
        assert answer.code == AccountingResponse
        assert packet.VerifyReply(answer, data)

    def refusals(self) -> list[tuple[str, str, str, str]]:
        return [
            (row["user"], row["reason"], row["publicIpAddress"], row["message"])
            for row in self.log.documents()
            if row["event"] == "refused"
        ]


def on_a_relay(bench: Bench, test: Callable[[Bench], Awaitable[None]]) -> None:
    class Line(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            bench.answers.put_nowait(data)

    async def there() -> None:
        port, accounting_port, secret = await bench.relay.start()
        bench.secret = secret.encode()
        loop = asyncio.get_running_loop()
        bench.line, _ = await loop.create_datagram_endpoint(Line, remote_addr=("127.0.0.1", port))
        bench.accounting, _ = await loop.create_datagram_endpoint(
            Line, remote_addr=("127.0.0.1", accounting_port)
        )
        await test(bench)
        bench.line.close()
        bench.accounting.close()
        bench.relay.stop()
        await asyncio.sleep(0)

    asyncio.run(there())


def certificates(*steps: Any) -> Bench:
    bench = Bench()
    bench.relay.radius = False
    bench.admission.policy = Policy(
        roots=frozenset(("ROOT",)),
        revoked=frozenset(("BOB-TWIN",)),
        limits={"IKEv2/OpenVPN": 1},
        parts={"IkeV2": (IPv4Network("172.16.0.0/30"),)},
    )
    bench.eap_tls.steps = list(steps)
    return bench
