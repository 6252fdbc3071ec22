"""Calls that are refused, or given up before they are bound, and what each end hears."""

from __future__ import annotations

from dataclasses import replace

from gateway.ppp.events import Refuse
from gateway.sstp.protocol import building
from gateway.sstp.protocol.carrier import LINGER, MOST_UNSENT
from gateway.sstp.protocol.events import Ended, Refused
from gateway.sstp.protocol.http import request
from tests.unit.gateway.sstp.protocol.calls import ALICE, Pair, certificates, kinds, only


def test_a_wrong_password_is_refused_with_its_reason() -> None:
    pair = Pair(client=replace(ALICE, password="wrong")).run().pass_time(20)
    refused = Refused("password", "wrong user name or password", "alice")
    assert only(pair.server_saw, Refused) == refused
    assert kinds(pair.server_saw)[-1] == "Ended"
    assert only(pair.client_saw, Refused).reason == "password"
    assert pair.server.closed
    assert pair.client.closed


def test_a_refusal_is_reported_once_whatever_the_client_does_next() -> None:
    pair = Pair(client=replace(ALICE, password="wrong")).run()
    pair.server.receive(building.ECHO_REQUEST, 0)
    assert only(pair.run().server_saw, Refused).reason == "password"


def test_a_refusal_by_admission_is_reported_with_its_reason() -> None:
    server, client, make = certificates()
    judge = make()
    judge.decide = lambda _shown: Refuse("revoked", "it is on the list")
    pair = Pair(server, client, answer=judge).run().pass_time(20)
    assert only(pair.server_saw, Refused) == Refused("revoked", "it is on the list", "alice")
    assert pair.server.closed


def test_a_busy_server_answers_503_and_closes() -> None:
    pair = Pair(busy=True).run()
    assert pair.to_client.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert only(pair.server_saw, Refused).reason == "limit"
    assert kinds(pair.server_saw) == ["Refused", "Ended"]
    assert pair.server.closed
    assert only(pair.client_saw, Refused) == Refused("limit", "HTTP 503 Service Unavailable")
    assert pair.client.closed


def test_a_refused_request_is_answered_and_then_the_connection_closed() -> None:
    server = Pair().server
    server.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET", 10)
    assert server.closed
    assert server.deadline() == 10 + LINGER
    assert server.outgoing().startswith(b"HTTP/1.1 405 ")
    assert server.events() == [
        Refused("protocol", "HTTP 405: method GET"),
        Ended("HTTP 405: method GET"),
    ]
    server.receive(request("gw.example", ""), 11)
    assert server.outgoing() == b""


def test_a_request_that_never_ends_is_answered_with_408_after_sixty_seconds() -> None:
    server = Pair().server
    server.receive(b"SSTP_DUPLEX_POST /sra", 1)
    assert server.deadline() == 60
    server.receive(b"_{BA", 50)
    assert server.deadline() == 60
    server.tick(60)
    assert server.closed
    assert server.outgoing().startswith(b"HTTP/1.1 408 ")
    assert only(server.events(), Refused).reason == "timeout"


def test_an_invalid_stream_is_closed_silently() -> None:
    pair = Pair().run()
    pair.server.receive(b"\x47ET / HTTP/1.1\r\n", 1)
    assert pair.server.closed
    assert pair.server.outgoing() == b""
    assert not pair.server.established
    (ended,) = pair.server.events()
    assert isinstance(ended, Ended)
    assert "no SSTP packet begins with 47455420" in ended.why


def test_a_peer_that_does_not_read_is_given_up() -> None:
    pair = Pair().run()
    for _ in range(MOST_UNSENT // 8 // 1000 + 1):
        pair.server.receive(building.ECHO_REQUEST * 1000, 1)
    assert pair.server.closed
    assert pair.server.outgoing() == b""
    assert only(pair.server.events(), Ended).why == "the peer does not read what is sent to it"
