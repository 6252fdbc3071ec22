"""EAP-TLS: the gateway's end of it, with an honest client whose messages a stranger changes.

A handshake is never the same bytes twice, so an input is a list of what is done to them. The
worker around it is gateway.eap_tls.worker's, and its messages are the gateway's to believe, or not.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
import socket
from collections.abc import Sequence
from contextlib import redirect_stderr, suppress
from functools import cache
from typing import Any

from OpenSSL import SSL

from gateway.eap_tls.service import EapTls
from gateway.eap_tls.worker import flights
from gateway.eap_tls.worker import messages as m
from gateway.eap_tls.worker.server import Conversation, Failed, Reply, Shown
from gateway.eap_tls.worker.worker import Worker
from gateway.policy import trust
from gateway.ppp import tls_contexts
from gateway.ppp.eap import MOST_ROUNDS, Code, Type, encode
from gateway.ppp.frames import parse_packet
from gateway.ppp.tls_messages import Fragments, Handshake
from gateway.sstp.eap import CertificateAuthenticator
from gateway.sstp.worker.messages import Asked, EapGiven
from gateway.unprivileged.channel import Channel, ChannelError
from tests.fuzz.engine import Target
from tests.fuzz.mutations import join, of_bytes, of_json, of_steps, split
from tests.fuzz.targets import certificates, keys
from tests.fuzz.targets.gateways import engine_context

SETUP, HONEST, RAW, PATCH, FLIGHT, CHAIN, AGAIN, CUT = range(8)
"""What a step does: sizes of pieces and Requests; the client's next answer as it is, other bytes
for it, some of its TLS changed, more behind it, other certificates in it, twice, or cut off.
"""
IDENTITY = encode(Code.RESPONSE, 1, Type.IDENTITY, b"alice")


@cache
def server() -> SSL.Context:
    own = keys.leaf("ec", "gateway")
    return tls_contexts.server_context(own.certificate, own.key)


@cache
def user() -> SSL.Context:
    """With a certificate that is good, and its issuer's."""
    own = keys.leaf("ec", "bob", direct=False)
    chain = (keys.intermediate("ec").certificate,)
    context = tls_contexts.client_context(own.certificate, own.key, chain, ())
    context.set_verify(SSL.VERIFY_NONE)
    return context


@cache
def roots() -> trust.Roots:
    return trust.Roots([keys.authority("ec").certificate])


# ------------------------------------------------------------------------------- conversations


def seeds() -> list[bytes]:
    own = keys.der(keys.leaf("ec", "bob", direct=False))
    above = keys.der(keys.intermediate("ec"))
    many = join([(certificates.AS_IT_IS, own), (certificates.MANY, b"\0")])
    plain = [(HONEST, b"")] * 6
    made = [join([(SETUP, sizes), *plain]) for sizes in (b"\4\0\5\x1e", b"\0\x40\0\x50", b"")]
    for step in (
        (RAW, encode(Code.RESPONSE, 2, Type.NAK, b"\x1a\x15")),
        (RAW, encode(Code.RESPONSE, 2, Type.TLS, b"\xc0\0\0\x10\0\x16\3\3\0\4")),
        (PATCH, b"\0\5\1"), (PATCH, b"\0\x0b\x20\x20"), (FLIGHT, b"\x15\3\3\0\2\2\x28"),
        (FLIGHT, b"\x16\3\3\0\x04\0\0\0\0"), (AGAIN, b""), (CUT, b"\0\x20"),
        (CHAIN, join([(0, own), (0, above)])), (CHAIN, many), (CHAIN, b""),
        (CHAIN, join([(0, keys.der(keys.leaf("rsa"))), (0, own), (0, above)])),
    ):  # fmt: skip
        made += [join([*plain[:at], step, *plain]) for at in range(4)]
    return made


class Client:
    """An honest one: answers Requests as long as nobody meddles."""

    def __init__(self, size: int) -> None:
        self.handshake = Handshake(user(), server=False)
        self.incoming, self.outgoing = Fragments(size), Fragments(size)
        self.meddled = False

    def answer(self, kind: int, change: bytes, request: bytes) -> bytes:
        packet = parse_packet(request)
        assert packet
        data = packet.data[1:]
        flight = b"" if data == b"\x20" else self.incoming.receive(data)
        if self.outgoing.pending or flight is None:
            piece = self.outgoing.next()
        else:
            made = self.handshake.step(flight)
            if kind == FLIGHT:
                made += change
            elif kind == CHAIN and b"\x16" in made:
                made = with_chain(made, certificates.chain_of(change))
            self.outgoing.load(made)
            piece = self.outgoing.next()
        if kind == PATCH:
            at = int.from_bytes(change[:2]) % max(1, len(piece))
            piece = piece[:at] + change[2:] + piece[at + len(change[2:]) :]
        elif kind == CUT:
            piece = piece[: int.from_bytes(change[:2])]
        return encode(Code.RESPONSE, packet.identifier, Type.TLS, piece)


def with_chain(flight: bytes, chain: Sequence[bytes]) -> bytes:
    """Its Certificate message with these instead; the first record of the flight holds it alone or
    with what follows."""
    if flights.certificates(flight) is None:
        return flight
    body = b"".join(len(one).to_bytes(3) + one for one in chain)
    message = b"\x0b" + (3 + len(body)).to_bytes(3) + len(body).to_bytes(3) + body
    records = b"".join(flights._handshake(flight))
    rest = records[4 + int.from_bytes(records[1:4]) :]
    new = message + rest
    made = b"".join(
        b"\x16\3\3" + len(new[at : at + 16000]).to_bytes(2) + new[at : at + 16000]
        for at in range(0, len(new), 16000)
    )
    after = sum(5 + int.from_bytes(head) for head in _lengths(flight))
    return made + flight[after:]


def _lengths(flight: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(flight) and flight[at] == flights.HANDSHAKE:
        found.append(flight[at + 3 : at + 5])
        at += 5 + int.from_bytes(found[-1])
    return found


def converse(data: bytes) -> str:
    """It ends, within its rounds; whoever is shown has the key of its own certificate."""
    steps = split(data)
    sizes = steps[0][1] if steps and steps[0][0] == SETUP else b""
    size = max(1, int.from_bytes(sizes[:2]) or 1000)
    room = max(64, int.from_bytes(sizes[2:4]) or 1300)
    end = Conversation(server(), roots(), lambda: keys.NOW, room)
    client = Client(size)
    step = end.receive(IDENTITY)
    todo = [step for step in steps if step[0] not in (SETUP, AGAIN)]
    twice = any(kind == AGAIN for kind, _ in steps)
    rounds = 0
    while isinstance(step, Reply):
        rounds += 1
        assert rounds <= MOST_ROUNDS + 1
        assert len(step.packet) <= room
        kind, change = todo.pop(0) if todo else (HONEST, b"")
        if kind == RAW:
            answer = change
        else:
            try:
                answer = client.answer(kind, change, step.packet)
            except ValueError:
                return "the client gave up"
        step = end.receive(answer)
        if twice and isinstance(step, Reply):
            step, twice = end.receive(answer), False
    assert len(step.packet) == 4
    if isinstance(step, Shown):
        assert step.finding.reason is None
        assert step.finding.identity
        assert trust.thumbprint(keys.leaf("ec", "bob", direct=False).certificate) in (
            step.finding.identity.thumbprints
        )
        assert step.msk == client.handshake.msk()
        return "shown"
    assert isinstance(step, Failed)
    return step.refusal.reason


def flight_seeds() -> list[bytes]:
    chain = [keys.der(keys.leaf("ec")), keys.der(keys.intermediate("ec"))]
    empty = b"\x16\3\3\0\7\x0b\0\0\3\0\0\0"
    more = b"\x14\3\3\0\1\1\x16\3\3\0\4abcd"
    return [empty, with_chain(empty, chain), with_chain(empty, chain) + more, more]


def flight(data: bytes) -> int:
    """Its certificates, or none, or a ValueError: nothing that is longer than the flight."""
    try:
        found = flights.certificates(data) or ()
    except ValueError:
        return -1
    assert sum(5 + int.from_bytes(length) for length in _lengths(data)) <= len(data)
    assert len(found) <= flights.MOST
    assert all(one in data or len(data) > 16000 for one in found)
    return min(len(found), 3)


# ------------------------------------------------------------------------------------ messages


def message_seeds() -> list[bytes]:
    certified = {"user": "alice", "thumbprints": ["A" * 40, "B" * 40], "root": "C" * 40}
    said: list[dict[str, Any]] = [
        {"kind": "configured", "number": 1, "kept": ""},
        {"kind": "request", "conversation": 2, "packet": "AQIABg0g", "reason": None},
        {"kind": "shown", "conversation": 2, "certificate": certified, "msk": "AAAA" * 21 + "AA==",
         "success": "AwEABA==", "failure": "BAEABA=="},
        {"kind": "failed", "conversation": 2, "reason": "untrusted", "message": "no",
         "packet": "BAEABA==", "certificate": certified},
        {"kind": "looked", "number": 1, "reason": None, "message": "", "certificate": certified},
        {"kind": "pong", "number": 1, "counts": {"begun": 3}},
    ]  # fmt: skip
    asked: list[dict[str, Any]] = [
        {"kind": "configure", "number": 1, "roots": []},
        {"kind": "response", "conversation": 1, "packet": "AgEACgFhbGljZQ==", "room": 1310},
        {"kind": "response", "conversation": 1, "packet": "AgIABg0A", "room": 1310},
        {"kind": "look", "number": 1, "chain": ["AAAA"]}, {"kind": "ping", "number": 3},
        {"kind": "forget", "conversation": 1},
    ]  # fmt: skip
    return [join([(kind, json.dumps(message).encode()) for message in said]) for kind in (0, 1)] + [
        join([(2, json.dumps(message).encode()) for message in asked])
    ]


def messages(data: bytes) -> None:
    """Of a worker that lies, and to a worker: a fault of nobody's, and always an answer."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, redirect_stderr(io.StringIO()):
        if data[:1] == b"\2":
            _worker(data, ours, theirs)
        else:
            asyncio.run(_gateway(data, ours, theirs))


def _worker(data: bytes, ours: socket.socket, theirs: socket.socket) -> None:
    """What the gateway says is formed well; packets and chains in it are strangers'."""
    worker = Worker(Channel(ours, m.TO_WORKER, m.FROM_WORKER), server(), "")
    theirs.setblocking(False)
    for _, content in split(data):
        try:
            order = m.TO_WORKER.decode(content)
        except (ValueError, RecursionError):
            continue
        if isinstance(order, m.Configure):  # the rulebook has looked at these
            continue
        worker._handle(order)
        if not isinstance(order, m.Forget):
            answer = m.FROM_WORKER.decode(theirs.recv(1 << 17))
            assert getattr(answer, "reason", None) != "fault"


async def _gateway(data: bytes, ours: socket.socket, theirs: socket.socket) -> None:
    around = engine_context()
    eap_tls = EapTls(around.placement, around.state, lambda _: None)
    channel = Channel(ours, m.FROM_WORKER, m.TO_WORKER)
    eap_tls._link = channel  # type: ignore[assignment]
    authenticator = CertificateAuthenticator(eap_tls)
    given = EapGiven(packet=IDENTITY, identity="alice")
    for kind, content in split(data):
        asked = Asked(call=1, address="192.0.2.9", attempt=given)
        work: Any = authenticator.authenticate(asked) if kind == 0 else eap_tls.look((b"",))
        waiting = asyncio.ensure_future(work)
        await asyncio.sleep(0)
        theirs.send(content or b" ")
        with suppress(ChannelError):
            for message in channel.receive():
                eap_tls._on(message)
        for future in eap_tls._waiting.values():
            future.cancel()  # as when the worker dies
        assert await waiting is not None
    for number in list(eap_tls._sources):
        eap_tls.forget(number)


def of_change(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return (certificates.OF_CHAIN if len(data) > 100 else of_bytes)(dice, data, others)


WATCHES = ("gateway/eap_tls/worker/", "gateway/ppp/tls_messages.py", "gateway/policy/trust.py")
TARGETS = (
    Target("eap-tls", seeds, converse, WATCHES, of_steps(8, content=of_change), quick=150, cpu=0.5),
    Target("eap-flights", flight_seeds, flight, ("gateway/eap_tls/worker/flights.py",)),
    Target("eapd-messages", message_seeds, messages,
           ("gateway/eap_tls/worker/", "gateway/eap_tls/service.py", "gateway/sstp/eap.py"),
           of_steps(3, content=of_json), quick=200, cpu=0.5),
)  # fmt: skip
