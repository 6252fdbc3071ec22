"""The push proxy: it forwards requests and answers, and asks the user."""

from __future__ import annotations

import os
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.attributes import Call, Nas, of_call
from radius.packet import Answer, Request, Sent, Server
from radius.push import TO_SERVER, PushProxy
from radius.reasons import of_push_proxy
from tests.unit.radius import servers
from tests.unit.radius.servers import ACCEPT, CHALLENGE, REJECT, attribute, parse

OUTER, INNER = b"of-the-gateway", b"of-the-server"
GATEWAY = ("10.1.255.4", 40000)
CLIENTS = [(IPv4Network("10.1.255.0/27"), OUTER)]
SERVER = Server("192.168.50.10", OUTER)
PAIRS = [("User-Name", b"CORP\\alice"), *of_call(Nas("RD0", "10.1.255.4"), Call("192.0.2.9", 3))]
RECV, SEND = bytes(range(32)), bytes(range(32, 64))
IDENTITY = b"\x02\x01\x00\x0a\x01alice"


def proxy(**changes: Any) -> PushProxy:
    return PushProxy(CLIENTS, INNER, os.urandom, **changes)


def asked(*, password: str | None = None, eap: bytes | None = None, number: int = 9) -> Sent:
    return Sent(Request(PAIRS, password, eap), SERVER, number, os.urandom)


def through(at: PushProxy, request: Sent, now: float = 0.0) -> bytes:
    """Send to the server; return what it gets."""
    at.receive(request.data, GATEWAY, now)
    (data, address) = at.outgoing.pop()
    assert address == TO_SERVER
    return data


def accepted(at: PushProxy, request: Sent, now: float = 0.0, body: bytes = b"") -> None:
    """The server accepts."""
    inner = through(at, request, now)
    keys = servers.vendor(17, servers.hidden(RECV, inner, secret=INNER))
    keys += servers.vendor(16, servers.hidden(SEND, inner, b"\x80\x07", secret=INNER))
    at.answered(servers.reply(inner, ACCEPT, body + keys, secret=INNER), now)


def got(at: PushProxy, request: Sent) -> Answer:
    """The gateway's parse of the only answer."""
    [(data, address)] = at.outgoing
    assert address == GATEWAY
    at.outgoing.clear()
    answer = request.read(data)
    assert isinstance(answer, Answer), answer
    assert parse(data)[0][0] == 80, "the Message-Authenticator is first"
    return answer


def test_a_request_goes_on_signed_for_the_server_with_all_it_says() -> None:
    at, request = proxy(), asked(eap=IDENTITY)
    inner = through(at, request)
    assert servers.is_signed(inner, INNER)
    assert parse(inner)[0][0] == 80

    def said(data: bytes) -> list[tuple[int, bytes]]:
        return sorted((k, v) for k, v in parse(data) if k not in (33, 80))

    assert said(inner) == said(request.data)
    states = [value for kind, value in parse(inner) if kind == 33]
    assert states == [*(v for k, v in parse(request.data) if k == 33), b"p2slab-push-proxy"]


@pytest.mark.parametrize("password", ["x", "Pa55w0rd!", "ü" * 20, "x" * 128])
def test_a_password_is_hidden_again_with_the_servers_secret(password: str) -> None:
    at, request = proxy(), asked(password=password)
    inner = through(at, request)
    hidden = dict(parse(inner))[2]
    plain, last = b"", inner[4:20]
    for n in range(0, len(hidden), 16):
        import hashlib

        mask = hashlib.md5(INNER + last).digest()
        last = hidden[n : n + 16]
        plain += bytes(a ^ b for a, b in zip(last, mask, strict=True))
    assert plain.rstrip(b"\0").decode() == password


def test_the_answer_comes_back_with_keys_and_the_gateways_proxy_state() -> None:
    at, request = proxy(), asked()
    accepted(at, request, body=attribute(18, b"hello"))
    answer = got(at, request)
    assert (answer.kind, answer.message) == ("accept", "hello")
    assert answer.keys is not None
    assert (answer.keys.recv, answer.keys.send) == (RECV, SEND)


def test_after_the_password_the_user_is_asked_and_approval_admits() -> None:
    at, request = proxy(factor="asked"), asked()
    accepted(at, request)
    assert at.outgoing == []
    assert at.waiting == ["CORP\\alice"]
    assert at.decide("bob", 1.0, approve=True) == 0
    assert at.decide("alice", 4.0, approve=True) == 1
    assert got(at, request).kind == "accept"
    assert at.waiting == []
    assert at.decide("alice", 4.0, approve=True) == 0
    assert at.lines == [
        '{"user": "CORP\\\\alice", "reason": null, "message": "asked"}',
        '{"user": "CORP\\\\alice", "reason": null, "message": "approved after 4.0 s"}',
    ]


def test_a_denial_is_a_refusal_with_its_reason_and_an_eap_failure() -> None:
    at, request = proxy(factor="asked"), asked(eap=IDENTITY)
    accepted(at, request, body=attribute(79, b"\x03\x07\x00\x04"))
    at.decide("alice@corp.test", 2.0, approve=False)
    answer = got(at, request)
    assert (answer.kind, answer.eap) == ("reject", b"\x04\x07\x00\x04")
    assert [found.reason for found in of_push_proxy("\n".join(at.lines))] == [
        "second-factor-denied"
    ]


def test_a_user_who_never_answers_is_late_after_thirty_seconds() -> None:
    at, request = proxy(factor="never"), asked()
    accepted(at, request)
    assert at.deadline() == 30.0
    at.tick(29.9)
    assert len(at.lines) == 1
    at.tick(30.0)
    at.tick(31.0)
    assert [(f.user, f.reason) for f in of_push_proxy("\n".join(at.lines))] == [
        ("alice", "second-factor-late")
    ]
    assert at.outgoing == []
    at.decide("alice", 41.0, approve=True)
    assert "came too late: approved after 41.0 s" in at.lines[-1]
    assert got(at, request).kind == "accept"
    at.tick(61.0)
    assert at.deadline() is None


def test_a_user_may_approve_automatically_after_some_seconds() -> None:
    at, request = proxy(factor=5.0), asked()
    accepted(at, request, now=100.0)
    assert at.deadline() == 105.0
    at.tick(104.9)
    assert at.outgoing == []
    at.tick(105.0)
    assert got(at, request).kind == "accept"


def test_automatic_denial_takes_the_same_time() -> None:
    at, request = proxy(factor=5.0, deniers=frozenset(["alice"])), asked()
    accepted(at, request)
    at.tick(5.0)
    assert got(at, request).kind == "reject"


def test_a_gateway_that_asks_again_asks_the_user_once() -> None:
    at, request = proxy(factor="asked"), asked()
    inner = through(at, request)
    at.receive(request.data, GATEWAY, 1.0)
    assert at.outgoing == [(inner, TO_SERVER)]
    at.outgoing.clear()
    at.answered(servers.reply(inner, ACCEPT, secret=INNER), 1.0)
    at.receive(request.data, GATEWAY, 2.0)
    assert at.outgoing == []
    assert at.lines == ['{"user": "CORP\\\\alice", "reason": null, "message": "asked"}']
    at.decide("alice", 3.0, approve=True)
    reply = at.outgoing[:]
    at.receive(request.data, GATEWAY, 3.1)
    assert at.outgoing == reply * 2


def test_a_refusal_or_challenge_of_the_server_goes_back_at_once() -> None:
    for code, kind in ((REJECT, "reject"), (CHALLENGE, "challenge")):
        at, request = proxy(factor="asked"), asked()
        inner = through(at, request)
        at.answered(servers.reply(inner, code, attribute(24, b"s"), secret=INNER), 0.0)
        assert got(at, request).kind == kind


def test_a_typed_code_is_a_challenge_with_eap_where_there_was_eap() -> None:
    at, request = proxy(factor="typed"), asked()
    accepted(at, request)
    answer = got(at, request)
    assert (answer.kind, answer.message) == ("challenge", "Enter your verification code")
    at, request = proxy(factor="typed"), asked(eap=IDENTITY)
    accepted(at, request, body=attribute(79, b"\x03\xff\x00\x04"))
    answer = got(at, request)
    assert answer.eap[:5] == b"\x01\x00\x00\x21\x06"
    assert answer.state
    nak = Request([*PAIRS, ("State", answer.state)], None, b"\x02\x00\x00\x06\x03\x00")
    request = Sent(nak, SERVER, 10, os.urandom)
    at.receive(request.data, GATEWAY, 1.0)
    answer = got(at, request)
    assert (answer.kind, answer.eap) == ("reject", b"\x04\x00\x00\x04")
    at.tick(100.0)
    assert through(at, Sent(nak, SERVER, 11, os.urandom), 100.0), "its own challenge is forgotten"
    assert [found.reason for found in of_push_proxy("\n".join(at.lines))] == ["typed-code"]


def test_a_slow_server_answers_so_many_seconds_late() -> None:
    at, request = proxy(slow=3.0), asked()
    accepted(at, request, now=10.0)
    assert at.outgoing == []
    at.receive(request.data, GATEWAY, 11.0)
    assert at.outgoing == [], "nor is the second answer earlier"
    assert at.deadline() == 13.0
    at.tick(13.0)
    assert got(at, request).kind == "accept"


def test_strangers_wrong_secrets_and_forged_answers_are_ignored() -> None:
    at = proxy()
    at.receive(asked().data, ("10.1.1.4", 1), 0.0)
    wrong = Sent(Request(PAIRS), Server("x", b"another"), 1, os.urandom)
    at.receive(wrong.data, GATEWAY, 0.0)
    inner = through(at, asked())
    at.answered(servers.reply(inner, ACCEPT, secret=b"another"), 0.0)
    at.answered(b"", 0.0)
    at.answered(b"\x02\xee" + bytes(18), 0.0)
    assert at.outgoing == []
    assert len(at.lines) == 5
    assert not [line for line in at.lines if "ignored" not in line]


def test_no_secret_is_in_its_lines_and_its_repr() -> None:
    at, request = proxy(factor="asked"), asked(password="hunter2")
    accepted(at, request)
    shown = f"{at!r} {at.lines}"
    assert not [word for word in ("of-the-gateway", "of-the-server", "hunter2") if word in shown]


@given(st.binary(max_size=200))
def test_whatever_comes_to_either_side_never_raises(data: bytes) -> None:
    at = proxy(factor="asked")
    at.receive(data, GATEWAY, 0.0)
    at.answered(data, 0.0)
    through(at, asked())
    at.answered(data, 0.0)
    assert at.outgoing == []


def test_no_more_requests_wait_than_there_are_identifiers() -> None:
    at = proxy()
    for number in range(400):
        at.receive(asked(number=number % 256).data, GATEWAY, 0.0)
    assert len({data[1] for data, _ in at.outgoing}) == 200
    assert any("too many" in line for line in at.lines)
    at.outgoing.clear()
    at.tick(61.0)
    assert through(at, asked(), 61.0), "a server that does not answer is asked again"
