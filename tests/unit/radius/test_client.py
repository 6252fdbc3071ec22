"""The client against servers on loopback, whose answers the test defines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from radius.client import EapSession
from radius.verdict import Accept, Challenge, Reject
from tests.unit.radius import servers
from tests.unit.radius.clients import (
    CALL,
    EAP_REQUEST,
    FAILURE,
    IDENTITY,
    NAK,
    RECV,
    SEND,
    SUCCESS,
    Attempt,
    Bench,
    S,
    accepts,
)
from tests.unit.radius.servers import ACCEPT, CHALLENGE, REJECT, attribute, parse, vendor


async def test_ms_chapv2_is_sent_as_in_rfc_2548_and_yields_keys(bench: Bench) -> None:
    client = await bench.asks(accepts)
    verdict = await client.mschapv2(CALL, Attempt())
    assert isinstance(verdict, Accept)
    assert verdict.keys is not None
    assert (verdict.keys.recv, verdict.keys.send) == (RECV, SEND)
    assert (verdict.success, verdict.server) == (S.decode(), "127.0.0.2")
    said = dict(parse(bench.seen[0][1]))
    assert said[1] == b"CORP\\alice"
    assert said[311011] == bytes(range(16))
    assert said[311025] == b"\x05\x00" + bytes(range(16, 32)) + bytes(8) + bytes(range(24))
    assert said[4] == bytes((127, 0, 0, 1))


@pytest.mark.parametrize(
    ("names", "user"),
    [
        ([b"CORP\\alice"], "CORP\\alice"),
        ([], ""),
        ([b"alice", b"bob"], ""),
        ([b"al\xe2\x80\xaeice\n\xff"], "al?ice?\ufffd"),
    ],
)
async def test_the_verdict_contains_the_servers_user_name(
    bench: Bench, names: list[bytes], user: str
) -> None:
    name = b"".join(attribute(1, each) for each in names)

    def answers(request: bytes) -> list[bytes]:
        success = attribute(79, SUCCESS) if b"anon" in request else vendor(26, b"\x05" + S)
        return [servers.reply(request, ACCEPT, name + success + servers.keys(request, RECV, SEND))]

    client = await bench.asks(answers)
    session = EapSession(CALL)
    for verdict in (
        await client.mschapv2(CALL, Attempt()),
        await client.eap(session, b"\x02\x07\x00\x09\x01anon"),
        await client.pap(CALL, "alice", "x"),
    ):
        assert isinstance(verdict, Accept)
        assert verdict.user == user


async def test_a_refusal_says_why(bench: Bench) -> None:
    error = vendor(2, b"\x05E=691 R=0 C=00 V=3 M=Account disabled")
    client = await bench.asks(lambda request: [servers.reply(request, REJECT, error)])
    verdict = await client.mschapv2(CALL, Attempt())
    assert isinstance(verdict, Reject)
    assert (verdict.reason, verdict.error) == ("disabled", 691)
    assert "Account disabled" in verdict.message


@pytest.mark.parametrize(
    "attributes",
    [
        lambda _: vendor(26, b"\x05" + S),  # no keys
        lambda request: servers.keys(request, RECV, SEND),  # no proof
        lambda request: vendor(26, b"\x06" + S) + servers.keys(request, RECV, SEND),
        lambda request: vendor(26, b"\x05S=0") + servers.keys(request, RECV, SEND),
    ],
)
async def test_an_accept_without_keys_or_proof_is_a_refusal(
    bench: Bench, attributes: Callable[[bytes], bytes]
) -> None:
    client = await bench.asks(lambda request: [servers.reply(request, ACCEPT, attributes(request))])
    verdict = await client.mschapv2(CALL, Attempt())
    assert isinstance(verdict, Reject)
    assert verdict.reason == "no-keys"


async def test_pap_hides_the_password_and_needs_no_keys(bench: Bench) -> None:
    client = await bench.asks(lambda request: [servers.reply(request, ACCEPT)])
    assert isinstance(await client.pap(CALL, "alice", "hunter2"), Accept)
    assert b"hunter2" not in bench.seen[0][1]
    assert len(dict(parse(bench.seen[0][1]))[2]) == 16
    too_long = await client.pap(CALL, "alice", "x" * 129)
    assert isinstance(too_long, Reject)
    assert len(bench.seen) == 1


async def test_a_typed_code_is_refused_and_reported(bench: Bench) -> None:
    challenge = attribute(24, b"s") + attribute(18, b"Enter your code")
    client = await bench.asks(lambda request: [servers.reply(request, CHALLENGE, challenge)])
    verdict = await client.mschapv2(CALL, Attempt())
    assert isinstance(verdict, Reject)
    assert verdict.reason == "typed-code"
    assert "Enter your code" in verdict.message


async def test_eap_is_relayed_with_the_state_echoed_to_the_same_server(bench: Bench) -> None:
    def answers(request: bytes) -> list[bytes]:
        if 24 not in dict(parse(request)):
            eap = attribute(79, EAP_REQUEST) + attribute(24, b"state")
            return [servers.reply(request, CHALLENGE, eap)]
        keys = servers.keys(request, RECV * 2, SEND * 2)
        return [servers.reply(request, ACCEPT, attribute(79, SUCCESS) + keys)]

    client = await bench.asks(answers)
    session = EapSession(CALL)
    assert await client.eap(session, IDENTITY) == Challenge("127.0.0.2", EAP_REQUEST)
    verdict = await client.eap(session, NAK)
    assert isinstance(verdict, Accept)
    assert verdict.eap == SUCCESS
    assert verdict.keys is not None
    assert verdict.keys.recv == RECV * 2
    first, second = (dict(parse(data)) for _, data in bench.seen)
    assert (first[1], second[1]) == (b"alice", b"alice")
    assert (second[24], second[79]) == (b"state", NAK)


@pytest.mark.parametrize(
    ("code", "attributes"),
    [
        (CHALLENGE, attribute(24, b"s")),
        (CHALLENGE, attribute(79, EAP_REQUEST)),
        (ACCEPT, b""),
        (ACCEPT, attribute(79, SUCCESS)),
    ],
)
async def test_an_eap_answer_that_lacks_something_is_a_refusal(
    bench: Bench, code: int, attributes: bytes
) -> None:
    client = await bench.asks(lambda request: [servers.reply(request, code, attributes)])
    assert isinstance(await client.eap(EapSession(CALL), IDENTITY), Reject)


async def test_a_rejected_eap_conversation_hands_the_failure_on(bench: Bench) -> None:
    client = await bench.asks(lambda r: [servers.reply(r, REJECT, attribute(79, FAILURE))])
    verdict = await client.eap(EapSession(CALL), IDENTITY)
    assert isinstance(verdict, Reject)
    assert (verdict.eap, verdict.reason) == (FAILURE, "refused")


@pytest.mark.parametrize(
    "packet",
    [b"", b"\x01\x01\x00\x05\x01", b"\x02\x01\x00\x09\x01a", NAK, b"\x02\x01\x00\x05\x01",
     b"\x02\x01\x10\x00\x01" + bytes(4091), b"\x02\x01\x01\xff\x01" + b"x" * 506],
)  # fmt: skip
async def test_a_client_that_does_not_begin_with_its_identity_is_refused_unasked(
    bench: Bench, packet: bytes
) -> None:
    client = await bench.asks(accepts)
    assert isinstance(await client.eap(EapSession(CALL), packet), Reject)
    assert not bench.seen


async def test_a_storm_of_challenges_ends(bench: Bench) -> None:
    eap = attribute(79, EAP_REQUEST) + attribute(24, b"state")
    client = await bench.asks(lambda request: [servers.reply(request, CHALLENGE, eap)])
    session = EapSession(CALL)
    verdict: Any = await client.eap(session, IDENTITY)
    for _ in range(60):
        if not isinstance(verdict, Challenge):
            break
        verdict = await client.eap(session, NAK)
    assert isinstance(verdict, Reject)
    assert "50 challenges" in verdict.message
    assert len(bench.seen) == 50
