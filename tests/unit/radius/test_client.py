"""The client against servers on loopback, whose answers the test defines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from radius.attributes import Call, Nas
from radius.client import EapSession, RadiusClient
from radius.packet import Server
from radius.verdict import Accept, Challenge, NoAnswer, Reject
from tests.rigs.patience import PATIENCE
from tests.unit.radius import servers
from tests.unit.radius.servers import ACCEPT, CHALLENGE, REJECT, SECRET, attribute, parse, vendor

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


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    for each in bench.open:
        each.close()
    await asyncio.sleep(0)


def accepts(request: bytes) -> list[bytes]:
    success = vendor(26, b"\x05" + S)
    return [servers.reply(request, ACCEPT, success + servers.keys(request, RECV, SEND))]


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


async def test_the_second_server_answers_when_the_first_is_silent_and_the_log_says_so(
    bench: Bench,
) -> None:
    silent = await bench.server(lambda _: [], "127.0.0.3", score=30)
    answering = await bench.server(accepts, "127.0.0.2", score=1)
    client = bench.client(answering, silent, limit=0.4)
    verdict = await client.mschapv2(CALL, Attempt())
    assert isinstance(verdict, Accept)
    assert verdict.server == "127.0.0.2"
    assert [address for address, _ in bench.seen] == ["127.0.0.3", "127.0.0.2"]
    assert bench.log == [
        'RADIUS server 127.0.0.2 answered for "CORP\\\\alice": accept, and 127.0.0.3 did not'
    ]


async def test_a_conversation_stays_with_the_server_that_knows_its_state(bench: Bench) -> None:
    eap = attribute(79, EAP_REQUEST) + attribute(24, b"state")

    def once(request: bytes) -> list[bytes]:
        first = 24 not in dict(parse(request))
        return [servers.reply(request, CHALLENGE, eap)] if first else []

    main = await bench.server(once, "127.0.0.3", score=30)
    other = await bench.server(accepts, "127.0.0.2", score=1)
    client = bench.client(main, other, limit=0.4)
    session = EapSession(CALL)
    assert isinstance(await client.eap(session, IDENTITY), Challenge)
    assert isinstance(await client.eap(session, NAK), NoAnswer)
    assert {address for address, _ in bench.seen} == {"127.0.0.3"}
    assert isinstance(await client.eap(session, NAK), NoAnswer)


async def test_a_conversation_has_thirty_seconds_in_all_and_not_for_each_packet(
    bench: Bench,
) -> None:
    eap = attribute(79, EAP_REQUEST) + attribute(24, b"state")
    client = await bench.asks(lambda r: [servers.reply(r, CHALLENGE, eap)], limit=0.5)
    session = EapSession(CALL)
    loop = asyncio.get_running_loop()
    assert isinstance(await client.eap(session, IDENTITY), Challenge)
    session.ends = loop.time() + 0.1
    bench.open[0].get_protocol().datagram_received = lambda *_: None
    verdict = await client.eap(session, NAK)
    assert isinstance(verdict, NoAnswer)
    assert float(verdict.message.split("within ")[1].split(" s")[0]) <= 0.1
    sent = len(bench.seen)
    verdict = await client.eap(session, NAK)
    assert verdict == NoAnswer("not done within 0.5 s")
    assert len(bench.seen) == sent


async def test_no_answer_names_the_servers_asked_and_ignored_answers(bench: Bench) -> None:
    client = await bench.asks(
        lambda request: [servers.reply(request, ACCEPT, secret=b"wrong")], limit=0.1
    )
    verdict = await client.mschapv2(CALL, Attempt())
    assert verdict == NoAnswer(
        "no answer from 127.0.0.2 within 0.1 s; 1 answers ignored (authenticator)"
    )
    assert client.counters == {"authenticator": 1}
    assert bench.log == [
        "RADIUS: an answer from 127.0.0.2 is ignored: authenticator",
        f"RADIUS: {verdict.message}",
    ]


async def test_pending_requests_fail_at_once_when_the_servers_change(bench: Bench) -> None:
    asked = asyncio.Event()

    def silence(_request: bytes) -> list[bytes]:
        asked.set()
        return []

    client = await bench.asks(silence)
    asking = asyncio.create_task(client.pap(CALL, "alice", "p"))
    await asked.wait()
    client.close()
    verdict = await asyncio.wait_for(asking, 1)
    assert isinstance(verdict, NoAnswer)
    assert verdict.message.endswith("the servers to ask were changed meanwhile")


async def test_hostile_answers_are_counted_and_logged_once_and_the_right_one_counts(
    bench: Bench,
) -> None:
    def answers(request: bytes) -> list[bytes]:
        flood = servers.reply(request, ACCEPT, attribute(18, b"") * 2010)
        cut = servers.reply(request, ACCEPT, b"\x12\x09", proxy_state=False)
        unsigned = servers.reply(request, ACCEPT, signed=False)
        right = accepts(request)
        return [flood, flood, cut, unsigned, *right, *right]

    client = await bench.asks(answers)
    assert isinstance(await client.mschapv2(CALL, Attempt()), Accept)
    assert isinstance(await client.mschapv2(replace(CALL, port=8), Attempt()), Accept)
    assert client.counters["flood"] == 4
    assert (client.counters["attributes"], client.counters["no-message-authenticator"]) == (2, 2)
    assert client.counters["unasked"] >= 1
    assert len([line for line in bench.log if "flood" in line]) == 1


async def test_a_missing_local_address_is_reported(bench: Bench) -> None:
    server = await bench.server(accepts)
    client = bench.client(server, nas=replace(NAS, address="192.0.2.250"))
    verdict = await client.mschapv2(CALL, Attempt())
    assert isinstance(verdict, NoAnswer)
    assert "192.0.2.250" in verdict.message


async def test_a_client_that_is_closed_while_it_opens_a_socket_leaves_none_open(
    bench: Bench,
) -> None:
    client = await bench.asks(accepts)
    asking = asyncio.create_task(client.mschapv2(CALL, Attempt()))
    await asyncio.sleep(0)
    client.close()
    verdict = await asking
    assert isinstance(verdict, NoAnswer)
    assert "changed meanwhile" in verdict.message
    assert not bench.seen


async def test_hundreds_of_questions_at_once_are_all_answered(bench: Bench) -> None:
    held: dict[tuple[Any, bytes], None] = {}  # once, however often it was sent
    enough = asyncio.Event()
    server = await bench.server(lambda _: [], "127.0.0.2")
    receive = bench.open[0].get_protocol()

    def hold(data: bytes, addr: Any) -> None:
        held[addr, data] = None
        if len(held) == 600:
            enough.set()

    receive.datagram_received = hold
    client = bench.client(server, limit=PATIENCE)
    asking = [asyncio.create_task(client.mschapv2(CALL, Attempt())) for _ in range(600)]
    async with asyncio.timeout(PATIENCE):
        await enough.wait()
        for addr, data in held:
            bench.open[0].sendto(accepts(data)[0], addr)
        verdicts = await asyncio.gather(*asking)
    assert all(isinstance(verdict, Accept) for verdict in verdicts)
    assert len({addr for addr, _ in held}) == 3


async def test_the_exception_to_cve_2024_3596_is_logged_once(bench: Bench) -> None:
    client = await bench.asks(
        lambda request: [servers.reply(request, ACCEPT, signed=False)],
        may_omit_message_authenticator=True,
    )
    assert isinstance(await client.pap(CALL, "alice", "x"), Accept)
    assert isinstance(await client.pap(CALL, "alice", "x"), Accept)
    assert len([line for line in bench.log if "CVE-2024-3596" in line]) == 1


async def test_secret_and_password_are_in_no_line_and_no_verdict(bench: Bench) -> None:
    client = await bench.asks(lambda request: [servers.reply(request, REJECT)], limit=0.1)
    verdict = await client.pap(CALL, "a\nlice", "hunter2")
    shown = f"{bench.log} {verdict!r} {client!r}"
    assert "lab-secret" not in shown
    assert "hunter2" not in shown
    assert "a?lice" in shown
