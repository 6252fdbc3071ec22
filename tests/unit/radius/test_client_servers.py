"""The client where servers are silent, changed, hostile or many."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from radius.client import EapSession
from radius.verdict import Accept, Challenge, NoAnswer
from tests.rigs.patience import PATIENCE
from tests.unit.radius import servers
from tests.unit.radius.clients import CALL, EAP_REQUEST, IDENTITY, NAK, NAS, Attempt, Bench, accepts
from tests.unit.radius.servers import ACCEPT, CHALLENGE, REJECT, attribute, parse


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


async def test_a_server_that_does_not_sign_is_told_from_a_silent_one(bench: Bench) -> None:
    client = await bench.asks(
        lambda request: [servers.reply(request, ACCEPT, signed=False)], limit=0.1
    )
    verdict = await client.mschapv2(CALL, Attempt())
    assert isinstance(verdict, NoAnswer)
    assert (verdict.reason, client.counters) == (
        "radius-unsigned",
        {"no-message-authenticator": 1},
    )


async def test_pending_requests_fail_at_once_when_the_servers_change(bench: Bench) -> None:
    asked = asyncio.Event()

    def silence(_request: bytes) -> list[bytes]:
        asked.set()
        return []

    client = await bench.asks(silence)
    asking = asyncio.create_task(client.pap(CALL, "alice", "p"))
    await asked.wait()
    client.close()
    async with asyncio.timeout(1):
        verdict = await asking
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
