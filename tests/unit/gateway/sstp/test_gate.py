"""SSTP's admission requests and the answers, with the test as the worker."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv4Network
from typing import Any, cast

import pytest

from gateway.eap_tls.worker.messages import Failed, Request
from gateway.policy.admission import Admission, Policy
from gateway.policy.diagnostics import DiagnosticLog
from gateway.policy.sessions import Peer, Sessions
from gateway.sstp.eap import CertificateAuthenticator
from gateway.sstp.gate import Gate, Vouched
from gateway.sstp.worker.messages import (
    Admitted,
    Asked,
    Continue,
    Denied,
    EapGiven,
    End,
    Key,
    Method,
    Opened,
    PapGiven,
)
from tests.rigs.fences import RecordingFence
from tests.unit.gateway.context import FAILURE, FakeEapTls, certified, engine_context, shown

POOL = IPv4Network("172.16.9.0/29")
POLICY = Policy(roots=frozenset(("ROOT",)), limits={"SSTP": 2}, parts={"SSTP": (POOL,)})


class Bench:
    """A gate, and everything it sent to the worker."""

    def __init__(self, authenticator: Any = None) -> None:
        self.eap_tls = FakeEapTls()
        authenticator = authenticator or CertificateAuthenticator(cast("Any", self.eap_tls))
        self.sessions = Sessions(RecordingFence())
        self.admission = Admission(self.sessions)
        self.admission.policy = POLICY
        self.log = DiagnosticLog()
        around = engine_context(self.sessions, admission=self.admission, log=self.log)
        self.told: list[Any] = []
        self.gate = Gate(around, lambda: authenticator, self.told.append)

    async def asks(self, call: int, name: str = "alice", root: str = "ROOT") -> Any:
        self.eap_tls.steps = [shown(name, root)]
        given = EapGiven(packet=b"", identity=name)
        await self.gate.asked(Asked(call=call, address="192.0.2.2", attempt=given))
        return self.told.pop()

    async def opens(self, call: int, name: str = "alice") -> None:
        assert isinstance(await self.asks(call, name), Admitted)
        self.gate.opened(Opened(call=call, binding="SHA256, pppd"))

    def events(self) -> list[tuple[str, str]]:
        return [(r["event"], r["message"]) for r in self.log.documents()]


async def test_an_admitted_client_gets_the_next_address_and_a_session_when_open() -> None:
    bench = Bench()
    first, second = await bench.asks(1), await bench.asks(2, "bob")
    assert [a.address for a in (first, second)] == [
        IPv4Address("172.16.9.2"),
        IPv4Address("172.16.9.3"),
    ]
    assert list(bench.sessions) == []
    bench.gate.opened(Opened(call=2, binding="SHA1, specification"))
    (session,) = bench.sessions
    assert (session.peer.user, session.handle) == ("bob", "2")
    assert bench.events() == [("connected", "assigned 172.16.9.3 (SHA1, specification)")]


@pytest.mark.parametrize(
    ("root", "revoked", "reason"), [("OTHER", (), "untrusted"), ("ROOT", ("ALICE",), "revoked")]
)
async def test_admissions_refusal_is_the_answer(
    root: str, revoked: tuple[str, ...], reason: str
) -> None:
    bench = Bench()
    bench.admission.policy = Policy(
        roots=POLICY.roots, revoked=frozenset(revoked), limits={"SSTP": 2}, parts=POLICY.parts
    )
    answer = await bench.asks(1, root=root)
    assert isinstance(answer, Denied)
    assert (answer.call, answer.reason) == (1, reason)


async def test_a_call_that_is_gone_before_it_opens_gives_its_place_back() -> None:
    bench = Bench()
    await bench.asks(1)
    await bench.asks(2, "bob")
    assert (await bench.asks(3, "carol")).reason == "limit"
    bench.gate.closed(1, "the connection was closed")
    assert isinstance(await bench.asks(4, "carol"), Admitted)
    assert bench.events() == []


async def test_a_closed_session_is_logged_once_with_the_gateways_own_reason_first() -> None:
    bench = Bench()
    await bench.opens(1)
    (session,) = bench.sessions
    session.ending = "disconnected by the operator"
    bench.gate.closed(1, "the gateway ended it")
    bench.gate.closed(1, "the connection was closed")
    assert bench.events()[1:] == [("disconnected", "disconnected by the operator")]
    assert list(bench.sessions) == []


async def test_a_client_revoked_while_connecting_is_ended() -> None:
    bench = Bench()
    await bench.asks(1)
    bench.admission.policy = Policy(
        roots=POLICY.roots, revoked=frozenset(("ALICE",)), limits={"SSTP": 2}, parts=POLICY.parts
    )
    bench.gate.opened(Opened(call=1, binding=""))
    (end,) = bench.told
    assert end == End(call=1, why="the certificate ALICE is revoked")
    bench.gate.closed(1, end.why)
    assert bench.events()[-1] == ("disconnected", "the certificate ALICE is revoked")


async def test_a_client_whose_reservation_lapsed_gets_no_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.policy.sessions.RESERVATION_LIFE", 0.0)
    bench = Bench()
    await bench.asks(1)
    bench.gate.opened(Opened(call=1, binding=""))
    assert bench.told == [End(call=1, why="its place had lapsed")]
    assert list(bench.sessions) == []


async def test_a_call_that_opens_unasked_is_ended() -> None:
    bench = Bench()
    bench.gate.opened(Opened(call=9, binding=""))
    assert bench.told == [End(call=9, why="its place had lapsed")]


async def test_with_certificates_passwords_are_refused() -> None:
    bench = Bench()
    password = PapGiven(user="alice", password="p")
    await bench.gate.asked(Asked(call=1, address="192.0.2.2", attempt=password))
    (denied,) = bench.told
    assert (denied.reason, denied.message) == ("refused", "certificates only")
    assert bench.eap_tls.begun == []


async def test_a_conversation_goes_on_by_its_call_and_ends_with_it() -> None:
    bench = Bench()
    alert = Request(conversation=1, packet=b"alert", reason="tls", message="too old")
    bench.eap_tls.steps = [Request(conversation=1, packet=b"next"), alert]
    await bench.gate.asked(given(7))
    await bench.gate.asked(given(7))
    assert bench.told == [
        Continue(call=7, eap=b"next"),
        Continue(call=7, eap=b"alert", reason="tls", message="too old"),
    ]
    assert bench.eap_tls.begun == ["192.0.2.2"]
    bench.gate.closed(7, "the client went away")
    assert bench.eap_tls.forgotten == [1]


async def test_a_refusal_names_the_certificate_for_the_log() -> None:
    bench = Bench()
    failed = Failed(
        conversation=1,
        reason="expired",
        message="it was",
        packet=FAILURE,
        certificate=certified("bob"),
    )
    bench.eap_tls.steps = [failed]
    await bench.gate.asked(given(7))
    (denied,) = bench.told
    assert (denied.reason, denied.user, denied.thumbprint) == ("expired", "bob", "BOB")
    assert denied.eap == FAILURE
    refused = await bench.asks(8, "carol", root="OTHER")
    assert (refused.user, refused.thumbprint, refused.eap) == ("carol", "CAROL", FAILURE)


async def test_a_fault_of_our_own_refuses() -> None:
    class Broken(Slow):
        async def authenticate(self, _: Asked) -> Vouched | Denied | Continue:
            raise RuntimeError("a mistake of ours")

    bench = Bench(Broken())
    with pytest.raises(RuntimeError):
        await bench.gate.asked(given(1))
    (denied,) = bench.told
    assert (denied.call, denied.reason) == (1, "fault")
    assert bench.sessions.count(("SSTP",)) == 0


async def test_when_the_worker_is_gone_everything_is_given_back() -> None:
    bench = Bench()
    await bench.opens(1)
    await bench.asks(2, "bob")
    bench.gate.end_all("the SSTP worker died")
    assert list(bench.sessions) == []
    assert bench.sessions.count(("SSTP",)) == 0
    assert bench.events()[-1] == ("disconnected", "the SSTP worker died")


class Slow:
    """An authenticator that answers when the test allows it."""

    methods: tuple[Method, ...] = ("EAP",)

    def __init__(self) -> None:
        self.verdict: asyncio.Future[Vouched | Denied | Continue] = asyncio.Future()
        self.forgotten: list[int] = []

    async def authenticate(self, _: Asked) -> Vouched | Denied | Continue:
        return await self.verdict

    def forget(self, call: int) -> None:
        self.forgotten.append(call)


def given(call: int) -> Asked:
    return Asked(call=call, address="192.0.2.2", attempt=EapGiven(packet=b"r", identity="alice"))


async def test_the_authenticators_verdict_goes_to_the_worker_with_its_keys() -> None:
    slow = Slow()
    bench = Bench(slow)
    key = Key(form="specification", key=bytes(32))
    slow.verdict.set_result(
        Vouched(Peer("SSTP", "alice", ("AA",), "ROOT", "192.0.2.2"), (key,), "welcome", b"success")
    )
    await bench.gate.asked(given(1))
    (admitted,) = bench.told
    assert admitted == Admitted(
        call=1, address=IPv4Address("172.16.9.2"), keys=(key,), text="welcome", eap=b"success"
    )


async def test_a_challenge_keeps_no_place() -> None:
    slow = Slow()
    bench = Bench(slow)
    slow.verdict.set_result(Continue(call=1, eap=b"question"))
    await bench.gate.asked(given(1))
    assert bench.told == [Continue(call=1, eap=b"question")]
    assert bench.sessions.count(("SSTP",)) == 0


async def test_a_verdict_for_an_ended_call_is_ignored() -> None:
    slow = Slow()
    bench = Bench(slow)
    asking = asyncio.create_task(bench.gate.asked(given(1)))
    await asyncio.sleep(0)
    bench.gate.closed(1, "the client went away")
    slow.verdict.set_result(Vouched(Peer("SSTP", "alice", ("AA",), "ROOT"), ()))
    await asking
    assert bench.told == []
    assert bench.sessions.count(("SSTP",)) == 0
    assert slow.forgotten == [1]
