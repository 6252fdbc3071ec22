"""RADIUS: a server's answers, and the push proxy between two strangers.

Attributes are mutated and signed afterwards, or nothing would get past the authenticators; one bit
of an input leaves the signature out.
"""

from __future__ import annotations

import hmac
import itertools
import random
from ipaddress import IPv4Network

from radius import verdict
from radius.attributes import Call, Nas, of_call
from radius.exchange import Question, Questions
from radius.packet import (
    LONGEST,
    LONGEST_VALUE,
    Answer,
    Request,
    Sent,
    Server,
)
from radius.push import TO_SERVER, Approved, PushProxy
from radius.schedule import LIMIT
from tests.fuzz.engine import Target
from tests.fuzz.mutations import join, of_steps, split
from tests.unit.radius import servers
from tests.unit.radius.servers import ACCEPT, CHALLENGE, REJECT, attribute, vendor

NAS = Nas("RD0123456789AB", "10.1.255.4", "203.0.113.2")
IDENTITY = b"\x02\x01\x00\x0a\x01alice"
SUCCESS, FAILURE, QUESTION = b"\3\1\0\4", b"\4\1\0\4", b"\1\2\0\6\x1a\1"
RECV, SEND = bytes(range(32)), bytes(range(32, 64))
UNSIGNED, NO_PROXY_STATE, OTHER_SECRET, RAW = 1, 2, 4, 8
"""Bits of a first byte: what is not as it should be."""


def attributes(steps: list[tuple[int, bytes]]) -> bytes:
    """Steps as attributes: the kind is the attribute's; of kind 0 are bare bytes."""
    made = b""
    for kind, value in steps:
        made += attribute(kind, value[:LONGEST_VALUE]) if kind else value
    return made[:60000]


def _steps(body: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(body):
        found.append((body[at], body[at + 2 : at + body[at + 1]]))
        at += body[at + 1]
    return found


# ------------------------------------------------------------------------------ server's answers

SERVER = Server("192.168.50.10", servers.SECRET)


def _sent(method: int) -> Sent:
    """A request of ours, the same bytes each time."""
    password, eap = ("x", None) if method == 0 else (None, IDENTITY if method == 2 else None)
    pairs = [("User-Name", b"alice"), *of_call(NAS, Call("192.0.2.9", 3))]
    return Sent(Request(pairs, password, eap), SERVER, 9, random.Random(1).randbytes)


def answer_seeds() -> list[bytes]:
    seeds = []
    error = b"\x07E=691 R=1 C=" + b"0" * 32 + b" V=3 M=Account disabled"
    for method, code in itertools.product(range(3), (ACCEPT, REJECT, CHALLENGE)):
        body = attribute(18, b"Welcome") + attribute(24, b"state") + attribute(25, b"class")
        body += vendor(26, b"\x07S=" + b"0123456789" * 4) + vendor(2, error)
        if method == 2:
            body += attribute(79, {ACCEPT: SUCCESS, REJECT: FAILURE, CHALLENGE: QUESTION}[code])
        body += servers.keys(_sent(method).data, RECV, SEND)
        seeds.append(join([(0, bytes((method, code))), *_steps(body)]))
    return seeds


def read_answer(data: bytes) -> None:
    """A flaw, or an answer; and of that a verdict that fits it."""
    steps = split(data) or [(0, b"")]
    flags, (method, code) = steps[0][0], (steps[0][1] + bytes(2))[:2]
    method %= 3
    sent = _sent(method)
    body = attributes(steps[1:])
    if flags & RAW:
        answer = body
    else:
        secret = b"another" if flags & OTHER_SECRET else servers.SECRET
        answer = servers.reply(sent.data, code, body, secret=secret, signed=not flags & UNSIGNED,
                               proxy_state=not flags & NO_PROXY_STATE)  # fmt: skip
    read = sent.read(answer)
    if not isinstance(read, Answer):
        return
    assert not flags & (UNSIGNED | OTHER_SECRET)
    judged = (
        verdict.of_pap(read, SERVER.address),
        verdict.of_mschapv2(read, SERVER.address, 7),
        verdict.of_eap(read, SERVER.address),
    )[method]
    if isinstance(judged, verdict.Accept):
        assert code == ACCEPT
        assert judged.keys or method == 0
        assert method != 2 or judged.eap[:1] == b"\3"
    elif isinstance(judged, verdict.Challenge):
        assert code == CHALLENGE
        assert method == 2


def exchange_seeds() -> list[bytes]:
    return [
        join([(1, b"\0"), (2, b"\2"), (3, b"\x02"), (0, b"\0\2"), (0, b"\0\2")]),
        join([(1, b"\0"), (1, b"\1"), (3, b"\x10"), (0, b"\1\3"), (0, b"\0\x0b"), (3, b"\xff")]),
    ]


def exchange(data: bytes) -> None:
    """Questions and answers in any order: each is answered once, by whom it was put to."""
    two = (SERVER, Server("192.168.50.11", b"second"))
    questions = Questions(random.Random(1).randbytes)
    opened: list[Question] = []
    now = 0.0
    sent: list[tuple[bytes, tuple[str, int]]] = []
    for kind, content in split(data):
        number, code = (content + bytes(2))[:2]
        if kind == 1 and not questions.full:
            request = Request([("User-Name", b"alice"), *of_call(NAS, Call())], eap=IDENTITY)
            opened.append(questions.ask(request, two, now))
        elif kind == 3:
            now += number / 4
        elif sent:
            asked, address = sent[number % len(sent)]
            secret = servers.SECRET if address[0] == SERVER.address else b"second"
            body = attribute(79, {ACCEPT: SUCCESS, REJECT: FAILURE}.get(code, QUESTION))
            reply = servers.reply(asked, code, body + content[3:200], secret=secret)
            source = ("10.0.0.1", 1812) if kind == 4 else address
            found = questions.receive(reply if kind != 5 else content, source)
            if isinstance(found, Question):
                assert kind not in (4, 5)
                assert found.answered_by
                assert found.answered_by.address == address[0]
        for question in opened:
            if question.answer is None and now - question.began <= LIMIT:
                sent += questions.tick(question, now)
            else:
                questions.forget(question)
    assert len(questions._open) <= len(opened)


def signed_request(
    code: int, identifier: int, given: bytes, secret: bytes, flags: int = 0
) -> bytes:
    """With Message-Authenticator (RFC 3579, section 3.2), unless the flags leave it out."""
    body = (b"" if flags & UNSIGNED else attribute(80, bytes(16))) + given
    head = bytes((code, identifier)) + (20 + len(body)).to_bytes(2) + bytes(16)
    if flags & UNSIGNED:
        return head + body
    mark = hmac.digest(secret, head + body, "md5")
    return head + attribute(80, mark) + given


# ------------------------------------------------------------------------------ the push proxy

OUTER, INNER = b"of-the-gateway", b"of-the-server"
GATEWAY = ("10.1.255.4", 40000)
FACTORS: tuple[Approved | None, ...] = (None, "asked", "never", "typed", 2.0)
START, ASK, ANSWER, DECIDE, WAIT = range(5)
DECISIONS = 5


def push_seeds() -> list[bytes]:
    def ask(*more: bytes) -> tuple[int, bytes]:
        body = b"".join((attribute(1, b"CORP\\alice"), attribute(31, b"192.0.2.9"), *more))
        return ASK, b"\0\1\7" + body

    keys = servers.vendor(17, bytes(34)) + servers.vendor(16, bytes(50))
    accept = ANSWER, b"\0\0\2" + attribute(79, SUCCESS) + attribute(18, b"hello") + keys
    eap = ask(attribute(79, IDENTITY), attribute(33, b"ours"))
    password = ask(attribute(2, bytes(32)))
    made = []
    for factor, slow in itertools.product(range(len(FACTORS)), (0, 1)):
        steps = [
            (START, bytes((factor, slow))), eap, eap, accept, (DECIDE, b"\1alice"),
            (WAIT, b"\0\x64"), password, (ANSWER, b"\0\0\3"), (WAIT, b"\2\0"),
            (DECIDE, b"\0alice"), ask(attribute(24, bytes(16))), (WAIT, b"\5\0"),
        ]  # fmt: skip
        made.append(join(steps))
    return made


def push(data: bytes) -> None:
    """Whatever comes in: no acceptance goes back that the server has not given, and the user has
    not approved; what is kept is bounded; a line is a line.
    """
    steps = split(data)
    start = steps[0][1] if steps and steps[0][0] == START else b""
    factor, slow = (start + bytes(2))[:2]
    at = PushProxy([(IPv4Network("10.1.255.0/27"), OUTER)], INNER, random.Random(1).randbytes,
              FACTORS[factor % len(FACTORS)], frozenset({"mallory"}), float(slow % 4))  # fmt: skip
    now, approved, accepted = 0.0, 0, 0
    to_server: list[bytes] = []
    for kind, content in steps:
        flags, number, code = (content + bytes(3))[:3]
        body = content[3:4096]
        if kind == ASK:
            source = ("192.0.2.66", 1) if flags & 128 else (GATEWAY[0], 40000 + flags % 3)
            at.receive(
                signed_request(number or 1, code, body, OUTER, flags & UNSIGNED), source, now
            )
        elif kind == ANSWER and to_server:
            asked = to_server[number % len(to_server)]
            secret = b"another" if flags & OTHER_SECRET else INNER
            at.answered(servers.reply(asked, code, body, secret=secret,
                                      signed=not flags & UNSIGNED), now)  # fmt: skip
            accepted += code == ACCEPT and not flags & OTHER_SECRET
        elif kind == DECIDE:
            name = content[1:60].decode("latin-1")
            approved += at.decide(name, now, approve=flags % 2 == 1) * (flags % 2)
        elif kind == WAIT:
            now += int.from_bytes(content[:2]) / 10
        elif kind == DECISIONS:
            at.answered(content, now)
        at.tick(now)
        sent, at.outgoing = at.outgoing, []
        to_server = (to_server + [packet for packet, to in sent if to == TO_SERVER])[-20:]
        let_in = sum(packet[0] == ACCEPT for packet, to in sent if to != TO_SERVER)
        assert not let_in or accepted
        if at.factor in ("asked", "never", "typed"):
            assert not let_in or approved
        assert all(len(packet) <= LONGEST for packet, _ in sent)
        assert all(line.isprintable() for line in at.lines)
        at.lines.clear()
        due = at.deadline()
        assert due is None or due > now or at._visits
    assert len(at._visits) <= len(steps)


OF_ATTRIBUTES = of_steps(256, most=300)
TARGETS = (
    Target("radius-answers", answer_seeds, read_answer, ("radius/",), OF_ATTRIBUTES, quick=1000),
    Target("radius-exchange", exchange_seeds, exchange, ("radius/",), of_steps(6), quick=400,
           cpu=0.5),
    Target("radius-push", push_seeds, push, ("radius/",), of_steps(6), quick=300, cpu=0.5),
)  # fmt: skip
