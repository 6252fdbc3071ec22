"""The relay between charon and the RADIUS servers: what charon asks, and what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrad.packet import AccessAccept, AccessChallenge, AccessReject, AccessRequest, AuthPacket

from gateway.admission import Admission, Policy
from gateway.diagnostics import DiagnosticLog
from gateway.engines import ikev2_radius_wire as wire
from gateway.engines.base import Surroundings
from gateway.engines.ikev2_radius import RadiusRelay
from gateway.sessions import Sessions
from radius.attributes import Call, Nas, dictionary, of_call
from radius.client import EapSession
from radius.packet import Keys, Request, Sent, Server, walk
from radius.verdict import Accept, Challenge, EapVerdict, NoAnswer, Reject
from tests.labs.fences import RecordingFence

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
    packet.AddAttribute("Calling-Station-Id", "192.0.2.2")
    for name, value in more.items():
        packet.AddAttribute(name, value)
    packet[79] = [eap[at : at + 253] for at in range(0, len(eap), 253)]
    packet.add_message_authenticator()
    return packet


def asked(eap: bytes = IDENTITY) -> wire.Asked:
    found = wire.read(request(eap).RequestPacket(), SECRET)
    assert found
    return found


def test_a_request_of_charons_is_read() -> None:
    found = asked(ANSWER + bytes(600))
    assert found.eap == ANSWER + bytes(600)
    assert (found.uniqueid, found.address, found.state) == ("12", "192.0.2.2", None)
    assert (found.identifier, found.authenticator) == (7, bytes(16))


@pytest.mark.parametrize(
    "data",
    [
        request(IDENTITY, b"another secret").RequestPacket(),
        request(IDENTITY).RequestPacket()[:-1],
        b"",
        bytes(20),
    ],
)
def test_what_is_not_charons_is_nothing(data: bytes) -> None:
    assert wire.read(data, SECRET) is None


@given(st.binary(max_size=300))
def test_no_bytes_do_any_harm(data: bytes) -> None:
    assert wire.read(data, SECRET) is None
    assert wire.read(b"\x01" + data, SECRET) is None


def reply(data: bytes) -> AuthPacket:
    """As charon reads it: authentic, or the test fails."""
    packet = request(IDENTITY)
    packet.RequestPacket()
    answer = packet.CreateReply(packet=data)
    answer.request_authenticator = packet.authenticator
    assert packet.VerifyReply(answer, data)
    assert answer.verify_message_authenticator(original_authenticator=packet.authenticator)
    return answer


def test_an_accept_hides_the_keys_for_charon() -> None:
    data = wire.accept(asked(), SECRET, SUCCESS, KEYS)
    assert KEYS.recv not in data
    answer = reply(data)
    assert answer.code == AccessAccept
    assert answer[79] == [SUCCESS]
    assert answer.SaltDecrypt(answer[(311, 17)][0]) == KEYS.recv
    assert answer.SaltDecrypt(answer[(311, 16)][0]) == KEYS.send


def test_a_challenge_carries_the_question_and_a_state() -> None:
    answer = reply(wire.challenge(asked(), SECRET, QUESTION + bytes(600), b"token"))
    assert answer.code == AccessChallenge
    assert b"".join(answer[79]) == QUESTION + bytes(600)
    assert answer[24] == [b"token"]


def test_a_reject_without_an_eap_packet_is_an_eap_failure() -> None:
    answer = reply(wire.reject(asked(ANSWER), SECRET))
    assert answer.code == AccessReject
    assert answer[79] == [b"\x04\x02\x00\x04"]


def test_a_servers_request_has_the_attributes_of_azures_and_no_others() -> None:
    """The captured request of Azure's gateway, second round of EAP (facts: azure-p2s, 4.1)."""
    call = Call("192.0.2.2", 12, "IkeV2")
    pairs = [("User-Name", b"alice"), *of_call(Nas("RD0123456789AB", "10.1.255.4"), call)]
    written = Request([*pairs, ("State", bytes(16))], eap=ANSWER)
    sent = Sent(written, Server("192.168.50.10", b"secret"), 1, bytes)
    attributes = walk(sent.data)
    assert not isinstance(attributes, str)
    azures = {
        1: "User-Name", 12: "Framed-MTU", 24: "State", 26: "MS-RAS-Vendor and server type",
        32: "NAS-Identifier", 33: "Proxy-State", 61: "NAS-Port-Type", 64: "Tunnel-Type",
        65: "Tunnel-Medium-Type", 79: "EAP-Message", 80: "Message-Authenticator",
    }  # fmt: skip
    assert {kind for kind, _ in attributes} == azures.keys()
    values = dict(attributes)
    assert attributes[0][0] == 80, "Message-Authenticator goes first (CVE-2024-3596)"
    assert values[64] == b"\0\0\0\x09", "ESP"
    assert values[65] == b"\0\0\0\x01", "IPv4"
    assert values[12] == (1300).to_bytes(4)
    assert len(values[33]) == 20


# ---------------------------------------------------------------------------------- the relay


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
    """A relay with everything around it, and a socket where charon's would be."""

    def __init__(self, *verdicts: EapVerdict) -> None:
        self.client = FakeClient(list(verdicts))
        self.path = FakePath(self.client)
        self.sessions = Sessions(RecordingFence())
        self.admission = Admission(self.sessions)
        self.admission.policy = Policy(
            authentication=frozenset(("Radius",)),
            ikev2_openvpn_limit=1,
            parts={"IkeV2": (IPv4Network("172.16.0.0/24"),)},
        )
        self.log = DiagnosticLog()
        self.relay = RadiusRelay(
            Surroundings(
                cast("Any", None), Path(), self.admission, self.sessions, self.log,
                cast("Any", self.path),
            )
        )  # fmt: skip
        self.secret = b""
        self.line: asyncio.DatagramTransport | None = None
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    async def ask(self, eap: bytes, **more: Any) -> AuthPacket:
        packet = request(eap, self.secret, **more)
        assert self.line
        self.line.sendto(packet.RequestPacket())
        data = await asyncio.wait_for(self.answers.get(), 5)
        return packet.CreateReply(packet=data)

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
        port, secret = await bench.relay.start()
        bench.secret = secret.encode()
        loop = asyncio.get_running_loop()
        bench.line, _ = await loop.create_datagram_endpoint(Line, remote_addr=("127.0.0.1", port))
        await test(bench)
        bench.line.close()
        bench.relay.stop()
        await asyncio.sleep(0)

    asyncio.run(there())


def test_a_conversation_ends_with_a_place_kept_for_the_ike_sa() -> None:
    async def test(bench: Bench) -> None:
        first = await bench.ask(IDENTITY)
        assert (first.code, first[79]) == (AccessChallenge, [QUESTION])
        second = await bench.ask(ANSWER, number=8, State=first[24][0])
        assert second.code == AccessAccept
        assert bench.client.heard == [("alice", IDENTITY, "IkeV2"), ("alice", ANSWER, "IkeV2")]
        admitted = bench.relay.take("12")
        assert admitted
        assert admitted.server == "192.168.50.10"
        peer = admitted.reservation.peer
        assert (peer.user, peer.address, peer.authentication) == ("alice", "192.0.2.2", "Radius")
        assert bench.relay.take("12") is None, "once"

    server = "192.168.50.10"
    on_a_relay(Bench(Challenge(server, QUESTION), Accept(server, KEYS, eap=SUCCESS)), test)


def test_a_refusal_of_the_server_is_logged_with_its_reason() -> None:
    async def test(bench: Bench) -> None:
        assert (await bench.ask(IDENTITY)).code == AccessReject
        (row,) = bench.refusals()
        assert row == (
            "alice", "password", "192.0.2.2", "RADIUS server 10.1.1.9: Logon failure",
        )  # fmt: skip
        assert bench.relay.has_refused("12")
        assert bench.relay.take("12") is None

    on_a_relay(Bench(Reject("10.1.1.9", "password", "Logon failure")), test)


def test_silence_is_told_with_the_tunnels_that_are_down() -> None:
    async def test(bench: Bench) -> None:
        bench.path.down = "the tunnel of head-office is NotConnected"
        assert (await bench.ask(IDENTITY)).code == AccessReject
        ((_, reason, _, message),) = bench.refusals()
        assert reason == "radius-no-answer"
        assert message == "no answer; the tunnel of head-office is NotConnected"

    on_a_relay(Bench(NoAnswer("no answer")), test)


def test_a_server_that_cannot_be_reached_is_not_asked() -> None:
    async def test(bench: Bench) -> None:
        bench.path.unreachable = "10.9.9.9 is nowhere"
        assert (await bench.ask(IDENTITY)).code == AccessReject
        assert bench.refusals() == [
            ("alice", "radius-no-answer", "192.0.2.2", "10.9.9.9 is nowhere")
        ]
        assert bench.client.heard == []

    on_a_relay(Bench(), test)


def test_whoever_radius_lets_in_is_refused_when_the_gateway_is_full() -> None:
    async def test(bench: Bench) -> None:
        assert (await bench.ask(IDENTITY)).code == AccessAccept
        assert (await bench.ask(IDENTITY, number=8)).code == AccessReject
        ((_, reason, _, _),) = bench.refusals()
        assert reason == "limit"
        assert len(bench.client.heard) == 1, "RADIUS is not asked at all"

    on_a_relay(Bench(Accept("10.1.1.9", KEYS, eap=SUCCESS)), test)


def test_a_state_that_nobody_gave_out_is_refused() -> None:
    async def test(bench: Bench) -> None:
        assert (await bench.ask(ANSWER, State=b"made up")).code == AccessReject
        assert bench.client.heard == []

    on_a_relay(Bench(), test)


def test_without_radius_in_the_document_nobody_comes_in() -> None:
    async def test(bench: Bench) -> None:
        bench.path.enabled = False
        assert (await bench.ask(IDENTITY)).code == AccessReject

    on_a_relay(Bench(), test)


def test_a_question_that_is_open_is_not_asked_twice() -> None:
    async def test(bench: Bench) -> None:
        held = asyncio.Event()

        async def slow(session: EapSession, packet: bytes) -> EapVerdict:
            bench.client.heard.append(("", packet, ""))
            await held.wait()
            return Reject("", "refused", "")

        bench.client.eap = slow  # type: ignore[method-assign]
        data = request(IDENTITY, bench.secret).RequestPacket()
        assert bench.line
        bench.line.sendto(data)
        bench.line.sendto(data)
        for _ in range(50):
            await asyncio.sleep(0.001)
        held.set()
        await asyncio.wait_for(bench.answers.get(), 5)
        assert len(bench.client.heard) == 1

    on_a_relay(Bench(), test)
