"""SSTP's attempts as RADIUS requests, and the resulting verdicts; RADIUS is a fake."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Any, cast

import pytest

from gateway.policy.admission import Admission, Policy
from gateway.policy.diagnostics import DiagnosticLog
from gateway.policy.sessions import Peer, Sessions
from gateway.sstp.gate import Gate, Vouched
from gateway.sstp.radius import RadiusAuthenticator
from gateway.sstp.worker.messages import (
    Admitted,
    Asked,
    Continue,
    Denied,
    EapGiven,
    End,
    MsChapV2Given,
    Opened,
    PapGiven,
)
from radius.client import EapSession
from radius.packet import Keys
from radius.verdict import Accept, Challenge, EapVerdict, NoAnswer, Reject
from tests.rigs.fences import RecordingFence
from tests.unit.gateway.context import engine_context

SERVER = "10.1.1.10"
RECV, SEND = bytes(range(16)), bytes(range(16, 32))
LONG = bytes(range(32)), bytes(range(32, 64))
PROOF = "S=" + 40 * "A"
IDENTITY, ANSWER = b"\x02\x07\x00\x0a\x01alice", b"\x02\x08\x00\x06\x1ax"
QUESTION, SUCCESS, FAILURE = b"\x01\x08\x00\x05\x1a", b"\x03\x08\x00\x04", b"\x04\x08\x00\x04"
GIVEN = MsChapV2Given(
    user="CORP\\alice",
    authenticator_challenge=bytes(16),
    peer_challenge=bytes(16),
    nt_response=bytes(24),
    identifier=5,
)


@dataclass
class FakeClient:
    verdicts: list[EapVerdict]
    heard: list[Any] = field(default_factory=list)

    async def mschapv2(self, call: Any, attempt: Any) -> EapVerdict:
        self.heard.append((call.calling, call.port, call.tunnel, attempt))
        return self.verdicts.pop(0)

    async def eap(self, session: EapSession, packet: bytes) -> EapVerdict:
        session.user = session.user or packet[5:]
        self.heard.append((session, packet))
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
    def __init__(self, *verdicts: EapVerdict) -> None:
        self.client = FakeClient(list(verdicts))
        self.path = FakePath(self.client)
        self.authenticator = RadiusAuthenticator(cast("Any", self.path))

    async def asks(self, attempt: Any, call: int = 7) -> Vouched | Denied | Continue:
        return await self.authenticator.authenticate(
            Asked(call=call, address="192.0.2.2", attempt=attempt)
        )


def eap(packet: bytes = IDENTITY, speaks: str = "") -> EapGiven:
    return EapGiven(packet=packet, identity="alice", speaks=speaks)


async def test_mschapv2_is_relayed_unchanged_and_its_proof_and_keys_go_to_the_client() -> None:
    bench = Bench(Accept(SERVER, Keys(RECV, SEND), PROOF))
    vouched = await bench.asks(GIVEN)
    assert isinstance(vouched, Vouched)
    assert bench.client.heard == [("192.0.2.2", 7, "SSTP", GIVEN)]
    peer = vouched.peer
    assert (peer.user, peer.address, peer.authentication) == ("CORP\\alice", "192.0.2.2", "Radius")
    assert (peer.thumbprint, peer.root) == ("", "")
    assert vouched.text == PROOF
    assert [(key.form, key.key) for key in vouched.keys] == [("specification", RECV + SEND)]
    assert (peer.method, peer.radius_server) == ("MS-CHAPv2", SERVER)
    assert peer.accepted_by == f"MS-CHAPv2, RADIUS server {SERVER}"


@pytest.mark.parametrize(
    ("method", "given", "forms"),
    [
        ("EAP-MSCHAPv2", (RECV, SEND), {"specification": RECV + SEND}),
        ("EAP-TLS", LONG, {"specification": LONG[0], "pppd": LONG[0][:16] + LONG[1][:16]}),
        ("PEAP", LONG, {"specification": LONG[0]}),
    ],
)
async def test_eap_goes_back_and_forth_and_the_method_decides_on_the_keys(
    method: str, given: tuple[bytes, bytes], forms: dict[str, bytes]
) -> None:
    bench = Bench(Challenge(SERVER, QUESTION), Accept(SERVER, Keys(*given), eap=SUCCESS))
    assert await bench.asks(eap()) == Continue(call=7, eap=QUESTION)
    vouched = await bench.asks(eap(ANSWER, method))
    assert isinstance(vouched, Vouched)
    (first, identity), (second, answer) = bench.client.heard
    assert first is second
    assert (first.call.calling, first.call.port) == ("192.0.2.2", 7)
    assert (identity, answer) == (IDENTITY, ANSWER)
    assert (vouched.peer.user, vouched.eap) == ("alice", SUCCESS)
    assert {key.form: key.key for key in vouched.keys} == forms


async def test_the_session_has_the_servers_user_name_or_else_the_identity() -> None:
    """With PEAP the outer EAP identity may be anonymous, such as anonymous@corp.test."""
    named = Accept(SERVER, Keys(*LONG), eap=SUCCESS, user="CORP\\alice")
    for outcome, user in ((named, "CORP\\alice"), (replace(named, user=""), "anonymous")):
        bench = Bench(Challenge(SERVER, QUESTION), outcome)
        await bench.asks(eap(b"\x02\x07\x00\x0e\x01anonymous"))
        vouched = await bench.asks(eap(ANSWER, "PEAP"))
        assert isinstance(vouched, Vouched)
        assert vouched.peer.user == user


async def test_each_call_has_a_conversation_of_its_own_and_a_new_one_after_its_end() -> None:
    challenge = Challenge(SERVER, QUESTION)
    bench = Bench(challenge, challenge, Reject(SERVER, "password", "no"), challenge, challenge)
    await bench.asks(eap(), call=1)
    await bench.asks(eap(), call=2)
    await bench.asks(eap(ANSWER), call=1)  # refused: over
    await bench.asks(eap(), call=1)
    bench.authenticator.forget(2)
    await bench.asks(eap(), call=2)
    sessions = [id(session) for session, _ in bench.client.heard]
    assert sessions[2] == sessions[0]
    assert len({*sessions}) == 4


async def test_a_refusal_names_the_server_in_the_log_and_its_text_to_the_client() -> None:
    said = f"E=647 R=0 C={32 * '0'} V=3 M=Account locked out"
    bench = Bench(Reject(SERVER, "locked-out", said, FAILURE, 647))
    denied = await bench.asks(GIVEN)
    assert denied == Denied(
        call=7,
        reason="locked-out",
        message="E=647 Account locked out",
        text="Account locked out",
        error=647,
        eap=FAILURE,
        radius_server=SERVER,
    )


async def test_silence_is_logged_with_its_possible_cause_and_not_sent_to_the_client() -> None:
    bench = Bench(NoAnswer("no answer from 10.1.1.10 within 30 s"))
    bench.path.down = "the tunnel of head-office is NotConnected"
    denied = await bench.asks(GIVEN)
    assert isinstance(denied, Denied)
    assert denied.reason == "radius-no-answer"
    assert denied.message == (
        "no answer from 10.1.1.10 within 30 s; the tunnel of head-office is NotConnected"
    )
    assert denied.text == ""


async def test_keys_that_are_useless_for_the_binding_are_a_refusal() -> None:
    bench = Bench(Accept(SERVER, Keys(RECV, SEND), eap=SUCCESS))
    denied = await bench.asks(eap(speaks="EAP-TLS"))
    assert isinstance(denied, Denied)
    assert denied.reason == "no-keys"
    assert denied.eap == b""  # not the server's EAP-Success


async def test_no_server_is_asked_if_radius_is_off_or_unreachable_or_the_method_unknown() -> None:
    bench = Bench()
    bench.path.enabled = False
    off = await bench.asks(GIVEN)
    bench.path = FakePath(bench.client, unreachable="192.168.50.10 is nowhere")
    bench.authenticator = RadiusAuthenticator(cast("Any", bench.path))
    nowhere = await bench.asks(GIVEN)
    bench.path.unreachable = ""
    strange = await bench.asks(PapGiven(user="alice", password="p"))
    assert isinstance(off, Denied)
    assert isinstance(nowhere, Denied)
    assert isinstance(strange, Denied)
    assert (off.reason, off.message) == ("refused", "Radius authentication is not enabled")
    reason, message, text = nowhere.reason, nowhere.message, nowhere.text
    assert (reason, message, text) == ("radius-no-answer", "192.168.50.10 is nowhere", "")
    assert strange.message == "a method that was not offered"
    assert bench.client.heard == []


async def test_sessions_of_radius_users_end_with_radius_and_count_like_others() -> None:
    sessions, log = Sessions(RecordingFence()), DiagnosticLog()
    admission = Admission(sessions)
    parts = {"SSTP": (IPv4Network("172.16.9.0/29"),)}
    radius = Policy(
        authentication=frozenset(("Radius",)),
        limits={"SSTP": 1},
        parts=parts,  # type: ignore[arg-type]
    )
    admission.policy = radius
    bench = Bench(*(Accept(SERVER, Keys(RECV, SEND), PROOF) for _ in range(3)))
    around = engine_context(sessions, admission=admission, log=log)
    told: list[Any] = []
    gate = Gate(around, lambda: bench.authenticator, told.append)

    async def asks(call: int, attempt: Any = GIVEN) -> Any:
        await gate.asked(Asked(call=call, address="192.0.2.2", attempt=attempt))
        return told.pop()

    admitted = await asks(1)
    assert isinstance(admitted, Admitted)
    assert admitted.text == PROOF
    gate.opened(Opened(call=1, binding="SHA256, specification"))
    (session,) = sessions
    (record,) = log.documents()
    assert record["message"] == (
        f"assigned 172.16.9.2 (SHA256, specification); MS-CHAPv2, RADIUS server {SERVER}"
    )
    assert (await asks(2)).reason == "limit"
    admission.policy = replace(radius, authentication=frozenset(("Certificate",)))
    objection = admission.objection_to_session(session)
    assert objection
    assert objection.message == "Radius authentication is not enabled"
    gate.closed(1, "ended")
    assert (await asks(3)).message == "Radius authentication is not enabled"
    admission.policy = radius
    peer = Peer("SSTP", "eve", ("E",), "R")
    refused = admission.objection(peer)
    assert refused
    assert refused.message == "Certificate authentication is not enabled"


async def test_a_user_accepted_while_radius_was_disabled_is_ended_when_it_opens() -> None:
    sessions = Sessions(RecordingFence())
    admission = Admission(sessions)
    policy = Policy(
        authentication=frozenset(("Radius",)),
        limits={"SSTP": 1},
        parts={"SSTP": (IPv4Network("172.16.9.0/29"),)},
    )
    admission.policy = policy
    bench = Bench(Accept(SERVER, Keys(RECV, SEND), PROOF))
    around = engine_context(sessions, admission=admission)
    told: list[Any] = []
    gate = Gate(around, lambda: bench.authenticator, told.append)
    await gate.asked(Asked(call=1, address="192.0.2.2", attempt=GIVEN))
    admission.policy = replace(policy, authentication=frozenset(("Certificate",)))
    gate.opened(Opened(call=1, binding=""))
    assert told[-1] == End(call=1, why="Radius authentication is not enabled")
