"""The relay with certificates: whom it admits."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address

from pyrad.packet import AccessAccept, AccessChallenge, AccessReject

from gateway.eap_tls.worker.messages import Failed, Request
from tests.unit.gateway.context import FAILURE, certified, shown
from tests.unit.gateway.ikev2.relays import (
    ANSWER,
    IDENTITY,
    QUESTION,
    START,
    Bench,
    certificates,
    on_a_relay,
)


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
