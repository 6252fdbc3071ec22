"""The RADIUS relay: charon's requests and the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrad.packet import (
    AccessAccept,
    AccessChallenge,
    AccessReject,
    AccessRequest,
    AccountingResponse,
    AcctPacket,
    AuthPacket,
)

from gateway.eap_tls.worker.messages import Failed, Request
from gateway.ikev2 import radius_wire as wire
from gateway.ikev2.relay import RadiusRelay
from gateway.policy.admission import Admission, Policy
from gateway.policy.diagnostics import DiagnosticLog
from gateway.policy.sessions import Reservation, Sessions
from radius.attributes import Call, Nas, dictionary, of_call
from radius.client import EapSession
from radius.packet import Keys, Sent, Server, walk
from radius.packet import Request as Question
from radius.verdict import Accept, Challenge, EapVerdict, NoAnswer, Reject
from tests.rigs.fences import RecordingFence
from tests.unit.gateway.context import FAILURE, FakeEapTls, certified, engine_context, shown

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


START, STOP, INTERIM = 1, 2, 3


def accounting(status: int, token: bytes, secret: bytes = SECRET, number: int = 3) -> AcctPacket:
    """As charon writes it (measured, strongSwan 5.9.8)."""
    packet = AcctPacket(id=number, secret=secret, dict=dictionary())
    packet[40] = [status.to_bytes(4)]
    packet[44] = [b"1-12"]
    packet[25] = [token]
    packet.AddAttribute("NAS-Port", 12)
    packet[8] = [IPv4Address("172.16.0.1").packed]
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
def test_requests_that_are_not_charons_are_ignored(data: bytes) -> None:
    assert wire.read(data, SECRET) is None


@pytest.mark.parametrize(
    ("packet", "secret"),
    [
        (accounting(START, b"t"), b"another secret"),
        (accounting(INTERIM, b"t"), SECRET),
        (accounting(0x100, b"t"), SECRET),
    ],
)
def test_accounting_that_is_not_charons_or_has_no_status_is_ignored(
    packet: AcctPacket, secret: bytes
) -> None:
    assert wire.read_accounting(packet.RequestPacket(), secret) is None


def test_a_start_and_a_stop_are_read() -> None:
    for status in (START, STOP):
        found = wire.read_accounting(accounting(status, b"token").RequestPacket(), SECRET)
        assert found
        assert (found.begins, found.token) == (status == START, b"token")
        assert found.address == IPv4Address("172.16.0.1")


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    assert wire.read_accounting(b"\x04" + data, SECRET) is None
    assert wire.read(data, SECRET) is None
    assert wire.read(b"\x01" + data, SECRET) is None


def reply(data: bytes) -> AuthPacket:
    """The reply as charon reads it; it must be authentic."""
    packet = request(IDENTITY)
    packet.RequestPacket()
    answer = packet.CreateReply(packet=data)
    answer.request_authenticator = packet.authenticator
    assert packet.VerifyReply(answer, data)
    assert answer.verify_message_authenticator(original_authenticator=packet.authenticator)
    return answer


def test_an_accept_has_address_servers_and_token_and_hides_the_keys() -> None:
    dns = (IPv4Address("10.1.0.4"), IPv4Address("10.1.0.5"), IPv4Address("10.1.0.6"))
    grant = wire.Grant(SUCCESS, KEYS, IPv4Address("172.16.0.9"), dns, b"token")
    data = wire.accept(asked(), SECRET, grant)
    assert KEYS.recv not in data
    assert reply(data)[8] == [IPv4Address("172.16.0.9").packed]
    assert reply(data)[25] == [b"token"]
    assert reply(data)[(311, 28)] == [server.packed for server in dns]
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
    written = Question([*pairs, ("State", bytes(16))], eap=ANSWER)
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
        data = await asyncio.wait_for(self.answers.get(), 5)
        return packet.CreateReply(packet=data)

    async def account(self, status: int, token: bytes, number: int = 3) -> None:
        packet = accounting(status, token, self.secret, number)
        assert self.accounting
        self.accounting.sendto(packet.RequestPacket())
        data = await asyncio.wait_for(self.answers.get(), 5)
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


def test_a_conversation_ends_with_a_place_kept_for_the_ike_sa() -> None:
    async def test(bench: Bench) -> None:
        first = await bench.ask(IDENTITY)
        assert (first.code, first[79]) == (AccessChallenge, [QUESTION])
        second = await bench.ask(ANSWER, number=8, State=first[24][0])
        assert second.code == AccessAccept
        assert bench.client.heard == [("alice", IDENTITY, "IkeV2"), ("alice", ANSWER, "IkeV2")]
        assert second[8] == [IPv4Address("172.16.0.1").packed]
        await bench.account(START, second[25][0])
        await bench.account(START, second[25][0], number=4)
        (told, reservation), (_, again) = bench.accounts
        assert reservation
        assert (told.session, told.uniqueid) == ("1-12", "12")
        assert told.address == reservation.address
        peer = reservation.peer
        assert peer.accepted_by == "RADIUS server 192.168.50.10"
        assert (peer.user, peer.address, peer.authentication) == ("alice", "192.0.2.2", "Radius")
        assert again is None, "once"

    server = "192.168.50.10"
    on_a_relay(Bench(Challenge(server, QUESTION), Accept(server, KEYS, eap=SUCCESS)), test)


def test_a_refusal_of_the_server_is_logged_with_its_reason() -> None:
    async def test(bench: Bench) -> None:
        assert (await bench.ask(IDENTITY)).code == AccessReject
        (row,) = bench.refusals()
        assert row == (
            "alice", "password", "192.0.2.2", "RADIUS server 10.1.1.9: Logon failure",
        )  # fmt: skip
        assert bench.log.documents()[0]["radiusServer"] == "10.1.1.9"
        assert bench.relay.has_refused("12")
        assert bench.sessions.count(("IkeV2",)) == 0

    on_a_relay(Bench(Reject("10.1.1.9", "password", "Logon failure")), test)


def test_silence_is_logged_with_the_tunnels_that_are_down() -> None:
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


def test_a_user_accepted_by_radius_is_refused_when_the_gateway_is_full() -> None:
    async def test(bench: Bench) -> None:
        assert (await bench.ask(IDENTITY)).code == AccessAccept
        assert (await bench.ask(IDENTITY, number=8)).code == AccessReject
        ((_, reason, _, _),) = bench.refusals()
        assert reason == "limit"
        assert len(bench.client.heard) == 1, "RADIUS is not asked at all"

    on_a_relay(Bench(Accept("10.1.1.9", KEYS, eap=SUCCESS)), test)


def test_an_unknown_state_is_refused() -> None:
    async def test(bench: Bench) -> None:
        assert (await bench.ask(ANSWER, State=b"made up")).code == AccessReject
        assert bench.client.heard == []

    on_a_relay(Bench(), test)


def test_without_radius_in_the_document_nobody_is_admitted() -> None:
    async def test(bench: Bench) -> None:
        bench.path.enabled = False
        assert (await bench.ask(IDENTITY)).code == AccessReject

    on_a_relay(Bench(), test)


def test_a_retransmission_of_an_open_request_is_ignored() -> None:
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


# ------------------------------------------------------------------------- by certificate


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


def test_a_certificate_is_admitted_with_an_address_and_the_handshakes_keys() -> None:
    async def test(bench: Bench) -> None:
        first = await bench.ask(IDENTITY)
        second = await bench.ask(ANSWER, number=8, State=first[24][0])
        assert (first.code, second.code) == (AccessChallenge, AccessAccept)
        assert second[79] == [shown().success]
        assert second[8] == [IPv4Address("172.16.0.1").packed]
        assert bench.eap_tls.heard == [IDENTITY, ANSWER]
        assert bench.eap_tls.begun == ["192.0.2.2"]
        await bench.account(START, second[25][0])
        ((_, reservation),) = bench.accounts
        assert reservation
        assert reservation.peer.thumbprints == ("ALICE", "ALICE-TWIN")

    on_a_relay(certificates(Request(conversation=1, packet=QUESTION), shown()), test)


def test_a_revoked_client_is_refused_before_anything_is_established() -> None:
    async def test(bench: Bench) -> None:
        answer = await bench.ask(IDENTITY)
        assert (answer.code, answer[79]) == (AccessReject, [FAILURE])
        (row,) = bench.refusals()
        assert row[:2] == ("bob", "revoked")
        assert bench.sessions.count(("IkeV2",)) == 0

    on_a_relay(certificates(shown("bob")), test)


def test_a_bad_certificate_is_named_in_the_log() -> None:
    async def test(bench: Bench) -> None:
        assert (await bench.ask(IDENTITY)).code == AccessReject
        (record,) = bench.log.documents()
        assert (record["reason"], record["user"]) == ("expired", "carol")
        assert record["thumbprint"] == "CAROL"

    failed = Failed(
        conversation=1,
        reason="expired",
        message="it was",
        packet=FAILURE,
        certificate=certified("carol"),
    )
    on_a_relay(certificates(failed), test)


def test_an_alert_is_logged_at_once_and_its_refusal_only_once() -> None:
    async def test(bench: Bench) -> None:
        first = await bench.ask(IDENTITY)
        assert [row[1] for row in bench.refusals()] == ["tls"]
        assert (await bench.ask(ANSWER, number=8, State=first[24][0])).code == AccessReject
        assert len(bench.refusals()) == 1

    alert = Request(conversation=1, packet=QUESTION, reason="tls", message="too old")
    failed = Failed(conversation=1, reason="tls", message="too old", packet=FAILURE)
    on_a_relay(certificates(alert, failed), test)


def test_a_full_gateway_begins_no_conversation() -> None:
    async def test(bench: Bench) -> None:
        assert (await bench.ask(IDENTITY)).code == AccessAccept
        assert (await bench.ask(IDENTITY, number=9)).code == AccessReject
        assert [row[1] for row in bench.refusals()] == ["limit"]
        assert len(bench.eap_tls.begun) == 1

    on_a_relay(certificates(shown()), test)


def test_a_fault_of_our_own_refuses_and_is_logged() -> None:
    async def test(bench: Bench) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        assert (await bench.ask(IDENTITY)).code == AccessReject
        assert [row[1] for row in bench.refusals()] == ["fault"]

    on_a_relay(certificates(), test)


def test_conversations_beyond_the_bound_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(bench: Bench) -> None:
        states = [(await bench.ask(IDENTITY, number=n))[24][0] for n in range(3)]
        assert bench.relay.counts() == {
            "EAP conversations": 2,
            "EAP conversations evicted": 1,
        }
        assert (await bench.ask(ANSWER, number=9, State=states[0])).code == AccessReject

    monkeypatch.setattr("gateway.ikev2.relay.MOST_CONVERSATIONS", 2)
    steps = (Request(conversation=1, packet=QUESTION) for _ in range(3))
    on_a_relay(certificates(*steps), test)


def test_a_client_that_continues_from_another_address_leaves_no_half_open_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(bench: Bench) -> None:
        elsewhere = {"Calling-Station-Id": "192.0.2.3"}
        for n in range(3):
            state = (await bench.ask(IDENTITY, number=n))[24][0]
            done = await bench.ask(ANSWER, number=n + 10, State=state, **elsewhere)
            assert done.code == AccessReject
        assert (await bench.ask(IDENTITY, number=20)).code == AccessChallenge

    monkeypatch.setattr("gateway.ikev2.relay.MOST_CONVERSATIONS", 2)
    question = Request(conversation=1, packet=QUESTION)
    over = Failed(conversation=1, reason="untrusted", message="no", packet=FAILURE)
    on_a_relay(certificates(question, over, question, over, question, over, question), test)
