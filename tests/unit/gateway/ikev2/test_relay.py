"""The relay that charon asks about every client, before RADIUS servers: whom it lets in."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address

import pytest
from pyrad.packet import AccessAccept, AccessChallenge, AccessReject

from gateway.eap_tls.worker.messages import Failed, Request
from radius.client import EapSession
from radius.verdict import Accept, Challenge, EapVerdict, NoAnswer, Reject
from tests.unit.gateway.context import FAILURE
from tests.unit.gateway.ikev2.relays import (
    ANSWER,
    IDENTITY,
    KEYS,
    QUESTION,
    START,
    SUCCESS,
    Bench,
    certificates,
    on_a_relay,
    request,
)


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
        async with asyncio.timeout(5):
            await bench.answers.get()
        assert len(bench.client.heard) == 1

    on_a_relay(Bench(), test)


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
