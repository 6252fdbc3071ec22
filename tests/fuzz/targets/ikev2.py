"""charon's RADIUS: what it says of clients, to the gateway's relay, and over vici of their end.

charon signs what it sends; names, EAP packets and addresses in it are strangers'.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import random
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from gateway.charon import vici_messages
from gateway.ikev2 import radius_wire as wire
from gateway.ikev2.clients import Clients
from gateway.ikev2.config import CONNECTION
from gateway.ikev2.relay import MOST_REMEMBERED, RadiusRelay
from gateway.unprivileged.halfopen import HalfOpen
from radius.packet import LONGEST, LONGEST_EAP, Keys, walk
from tests.fuzz.engine import Target
from tests.fuzz.mutations import join, of_bytes, of_json, of_steps, split
from tests.fuzz.targets.gateways import LIMIT, Tasks, engine_context, look
from tests.fuzz.targets.radius_packets import (
    IDENTITY,
    OTHER_SECRET,
    RAW,
    RECV,
    SEND,
    SUCCESS,
    UNSIGNED,
    attributes,
    signed_request,
)
from tests.unit.radius.servers import ACCEPT, CHALLENGE

SECRET = b"between-charon-and-us"
ASK, ACCOUNT = 1, 4
"""Access-Request and Accounting-Request."""
STATE, CLASS = 24, 25
MOST_WAITING = 5
"""Conversations, here: few, so that some are thrown out."""


def usual(port: int) -> list[tuple[int, bytes]]:
    return [
        (1, b"alice"), (4, bytes(4)), (5, port.to_bytes(4)), (6, b"\0\0\0\2"), (31, b"192.0.2.2"),
        (30, b"203.0.113.2"), (32, b"strongSwan"), (61, b"\0\0\0\5"), (87, b"p2s-eap"),
    ]  # fmt: skip


def accounting(port: int, status: int, number: int) -> list[tuple[int, bytes]]:
    address = IPv4Address("172.16.9.0") + number
    return [
        *usual(port), (CLASS, b""), (40, status.to_bytes(4)), (44, f"1764-{port}".encode()),
        (42, b"\0\0\1\0"), (46, bytes(4)), (8, address.packed), (55, bytes(4)), (49, b"\0\0\0\1"),
    ]  # fmt: skip


def packet(steps: list[tuple[int, bytes]], code: int, flags: int, number: int) -> bytes:
    """Signed as charon signs it, unless a flag says otherwise."""
    body = attributes(steps)
    if flags & RAW:
        return body
    secret = b"another" if flags & OTHER_SECRET else SECRET
    if code != ACCOUNT:
        return signed_request(code, number, body, secret, flags)
    head = bytes((code, number)) + (20 + len(body)).to_bytes(2)
    mark = hashlib.md5(head + bytes(16) + body + (b"" if flags & UNSIGNED else secret)).digest()
    return head + mark + body


# ------------------------------------------------------------------------------ single packets


def wire_seeds() -> list[bytes]:
    eap = b"\2\1\4\0\x0d" + bytes(1019)
    parts = [(79, eap[at : at + 253]) for at in range(0, 1024, 253)]
    return [
        join([(0, b"\1\7"), *usual(12), (79, IDENTITY)]),
        join([(0, b"\1\x08"), *usual(12), (STATE, bytes(16)), *parts]),
        join([(0, b"\4\7"), *accounting(12, 1, 2)]),
        join([(0, b"\4\7"), *accounting(12, 2, 2)]),
        join([(UNSIGNED, b"\1\7"), *usual(12)[:3]]),
        join([(OTHER_SECRET, b"\1\7"), *usual(12)[:3], (79, IDENTITY)]),
    ]


def read(data: bytes) -> None:
    """Nothing, or a question and answers to it that fit into a packet."""
    steps = split(data) or [(0, b"")]
    flags, (code, number) = steps[0][0], (steps[0][1] + bytes(2))[:2]
    sent = packet(steps[1:], code, flags, number)
    account = wire.read_accounting(sent, SECRET)
    if account is not None:
        assert not flags & (UNSIGNED | OTHER_SECRET)
        answer = wire.acknowledge(account, SECRET)
        assert isinstance(walk(answer), list)
    asked = wire.read(sent, SECRET)
    if asked is None:
        return
    assert not flags & (UNSIGNED | OTHER_SECRET)
    assert asked.uniqueid == "" or 0 <= int(asked.uniqueid) < 1 << 32
    dns = [IPv4Address("10.1.1.4")] * 8
    grant = wire.Grant(SUCCESS, Keys(RECV, SEND), IPv4Address("172.16.9.2"), dns, bytes(16))
    for answer in (
        wire.challenge(asked, SECRET, bytes(LONGEST_EAP), bytes(16)),
        wire.accept(asked, SECRET, grant),
        wire.reject(asked, SECRET),
    ):
        assert isinstance(walk(answer), list)
        assert answer[1] == asked.identifier
        assert len(answer) <= LONGEST


# ---------------------------------------------------------------------------------- the relay

SETUP, ASKED, ACCOUNTED, GONE, REKEYED, LAPSED = range(6)
"""What a step does; the last one takes all places back that nobody has taken."""


class Port:
    """One of the relay's, which keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.transport = self

    def sendto(self, data: bytes, _: object) -> None:
        self.sent.append(data)

    def close(self) -> None:
        """Nothing is open."""


class FakeVici:
    """charon that obeys."""

    async def apart(self, _command: str, order: dict[str, Any]) -> list[dict[str, Any]]:
        json.dumps(order)
        return []


def relay_seeds() -> list[bytes]:
    def ask(port: int, *more: tuple[int, bytes], flags: int = 0) -> tuple[int, bytes]:
        return ASKED, bytes((flags, port)) + join([*usual(port), *more])

    def account(port: int, status: int, number: int) -> tuple[int, bytes]:
        return ACCOUNTED, bytes((0, port)) + join(accounting(port, status, number))

    sa = {"uniqueid": "7", "remote-host": "192.0.2.2", "child-sas": {}}
    gone = GONE, json.dumps({CONNECTION: sa}).encode()
    rekeyed = REKEYED, json.dumps({CONNECTION: {"old": sa, "new": sa | {"uniqueid": "9"}}}).encode()
    eap = (79, IDENTITY)
    again = ask(7, (STATE, b""), (79, b"\2\2\0\6\x0d\0"))
    made = []
    for answers in (
        b"\0\2\0\0\0\0\0\0",
        b"\1\2\0\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0",
        b"\0\1\3\2\0",
        b"\2" * 12,
    ):
        for radius in (0, 1):
            setup = SETUP, bytes((radius,)) + answers
            made.append(join([setup, ask(7, eap), account(7, 1, 1), account(7, 1, 1), gone]))
            made.append(join([setup, *(ask(n, eap) for n in range(9)), again]))
            made.append(join([setup, ask(7, eap), (LAPSED, b""), account(7, 1, 1)]))
            made.append(join([setup, ask(7, eap), account(7, 1, 2), account(7, 1, 1)]))
            made.append(join([setup, ask(7, eap), again, account(7, 1, 1), rekeyed,
                              account(7, 2, 1)]))  # fmt: skip
            made.append(join([setup, *(ask(n, eap) for n in range(5)),
                              *(account(n, 1, n + 1) for n in range(5)), gone]))  # fmt: skip
    return made


def relay(data: bytes) -> None:
    """Clients in any order: a session only with a token of an acceptance of ours and its address,
    one answer a question, what is kept is bounded.
    """
    with redirect_stderr(io.StringIO()):
        asyncio.run(_relay(split(data)))


async def _relay(steps: list[tuple[int, bytes]]) -> None:
    setup = steps[0][1] if steps and steps[0][0] == SETUP else b"\0"
    radius = bool(setup[:1] and setup[0] & 1)
    around = engine_context("Radius" if radius else "Certificate", answers=list(setup[1:]))
    clients = Clients(around, FakeVici())  # type: ignore[arg-type]
    relay = RadiusRelay(around, clients.account)
    relay._secret, relay.radius = SECRET, radius
    relay._waiting = HalfOpen(total=MOST_WAITING, share=MOST_WAITING - 2)
    tasks, ports = Tasks(), [Port(), Port()]
    relay._background = clients._background = tasks  # type: ignore[assignment]
    relay._ports = ports  # type: ignore[assignment]
    accepted = before = lapsed = 0
    parts: list[tuple[int, bytes]] = []
    last = {STATE: b"", CLASS: b""}
    for kind, content in steps:
        flags, number = (content + bytes(2))[:2]
        if kind in (ASKED, ACCOUNTED):
            parts = [
                (k, last[k] if k in last and not value else value)
                for k, value in split(content[2:])
            ]
            sent = packet(parts, ASK if kind == ASKED else ACCOUNT, flags, number)
            receive = relay._received if kind == ASKED else relay._accounting
            receive(sent, ("127.0.0.1", 40000))
        elif kind in (GONE, REKEYED):
            for event in vici_messages.event("ike-rekey" if kind == REKEYED else "ike-updown",
                                             _vici(content)):  # fmt: skip
                clients.on_event(event)
        elif kind == LAPSED:
            kept = around.sessions._reservations
            kept.update({n: replace(place, expires=0) for n, place in kept.items()})
            accepted, lapsed = len(list(around.sessions)), lapsed + accepted
        await tasks.done()
        for answer in ports[0].sent:
            assert len(answer) <= LONGEST
            found = walk(answer)
            assert isinstance(found, list)
            accepted += answer[0] == ACCEPT
            values = dict(found)
            last[STATE] = values.get(STATE, last[STATE]) if answer[0] == CHALLENGE else last[STATE]
            last[CLASS] = values.get(CLASS, last[CLASS])
        assert len(ports[0].sent) <= 1
        ports[0].sent.clear()
        look(around)
        sessions = list(around.sessions)
        assert len(sessions) <= min(accepted, LIMIT)
        if len(sessions) > before:
            assert dict(parts)[8] == sessions[-1].private_address.packed
        before = len(sessions)
        assert not relay._open
        assert len(relay._waiting) == len(relay._conversations) <= MOST_WAITING
    assert len(relay._admitted) <= min(accepted + lapsed, MOST_REMEMBERED)
    relay.stop()


def _vici(content: bytes) -> dict[str, Any]:
    """JSON with bytes for texts, as vici's library has it."""

    def values(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: values(one) for key, one in value.items()}
        return [str(one).encode() for one in value] if isinstance(value, list) else str(
            value).encode("utf-8", "surrogateescape")  # fmt: skip

    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return values(found) if isinstance(found, dict) else {}


OF_ATTRIBUTES = of_steps(256, most=300)


def of_packet(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Attributes behind two bytes, or JSON."""
    if data.startswith(b"{"):
        return of_json(dice, data, [one for one in others if one.startswith(b"{")])
    if dice.randrange(8) == 0:
        return of_bytes(dice, data[:2], others) + data[2:]
    return data[:2] + OF_ATTRIBUTES(dice, data[2:], [one[2:] for one in others])


TARGETS = (
    Target("ikev2-wire", wire_seeds, read, ("gateway/ikev2/radius_wire.py", "radius/"),
           OF_ATTRIBUTES, quick=500),
    Target("ikev2-relay", relay_seeds, relay,
           ("gateway/ikev2/", "gateway/policy/admission.py", "gateway/policy/sessions.py"),
           of_steps(6, content=of_packet), quick=150, cpu=1),
)  # fmt: skip
