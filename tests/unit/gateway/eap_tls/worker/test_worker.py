"""gateway.eap_tls.worker's Worker on a real channel, with the test as the gateway."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.eap_tls.worker import messages as m
from gateway.eap_tls.worker import worker as workers
from gateway.eap_tls.worker.rehearsal import rehearse
from gateway.eap_tls.worker.server import Conversation
from gateway.eap_tls.worker.worker import Worker
from gateway.policy.trust import thumbprint
from gateway.ppp import tls_contexts
from gateway.ppp.eap import Code, Type, encode
from gateway.ppp.frames import parse_packet
from gateway.ppp.tls_messages import Fragments, Handshake
from gateway.unprivileged.channel import Channel
from radius.printable import LONGEST
from tests.unit.gateway.ppp.certificates import client_tls, credential

IDENTITY = encode(Code.RESPONSE, 7, Type.IDENTITY, b"alice")


class Gateway:
    """The other end."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.channel: Channel[m.FromWorker] = Channel(end, m.FROM_WORKER, m.TO_WORKER)
        end.setblocking(True)

    def ask(self, order: Any) -> Any:
        self.channel.send(order)
        self.end.settimeout(5)
        return m.FROM_WORKER.decode(self.end.recv(200_000))

    def respond(self, packet: bytes, conversation: int = 1) -> Any:
        return self.ask(m.Response(conversation=conversation, packet=packet))


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    own = credential("gateway", "server root")
    context = tls_contexts.server_context(own.certificate, own.key)
    worker = Worker(Channel(theirs, m.TO_WORKER, m.FROM_WORKER), context, "nothing")
    thread = threading.Thread(target=worker.run)
    thread.start()
    gateway = Gateway(ours)
    root = credential("user root").certificate.public_bytes(Encoding.DER)
    configured = gateway.ask(m.Configure(number=3, roots=(root,)))
    assert configured == m.Configured(number=3, kept="nothing")
    yield gateway
    ours.close()
    thread.join(5)
    theirs.close()
    assert not thread.is_alive()


def test_a_whole_conversation_shows_whose_certificate_it_is_and_both_have_one_msk(
    gateway: Gateway,
) -> None:
    client = Handshake(client_tls(), server=False)
    incoming, outgoing = Fragments(1000), Fragments(1000)
    step = gateway.respond(IDENTITY)
    while isinstance(step, m.Request):
        request = parse_packet(step.packet)
        assert request
        data = request.data[1:]
        flight = b"" if data == b"\x20" else incoming.receive(data)
        if not outgoing.pending and flight is not None:
            outgoing.load(client.step(flight))
        packet = encode(Code.RESPONSE, request.identifier, Type.TLS, outgoing.next())
        step = gateway.respond(packet)
    assert isinstance(step, m.Shown)
    assert step.certificate.user == "alice"
    assert step.certificate.thumbprints[0] == thumbprint(
        credential("alice", "user root").certificate
    )
    assert step.msk == client.msk()
    assert (step.success[0], step.failure[0]) == (Code.SUCCESS, Code.FAILURE)
    assert gateway.ask(m.Ping(number=1)).counts["conversations"] == 0


def test_a_chain_is_verified(gateway: Gateway) -> None:
    alice = credential("alice", "user root").certificate.public_bytes(Encoding.DER)
    good = gateway.ask(m.Look(number=5, chain=(alice,)))
    assert (good.number, good.reason, good.certificate.user) == (5, None, "alice")
    assert len(good.certificate.thumbprints) == 2
    bad = gateway.ask(m.Look(number=6, chain=(alice[:-1],)))
    assert (bad.number, bad.reason) == (6, "untrusted")


def test_a_certificate_with_a_very_long_name_gets_its_verdict(gateway: Gateway) -> None:
    """The name stands in the message of the refusal, and is the user's."""
    root, alice = credential("user root"), credential("alice", "user root").certificate
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a" * 3000, _validate=False)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(alice.public_key())
        .serial_number(1)
        .not_valid_before(alice.not_valid_before_utc)
        .not_valid_after(alice.not_valid_after_utc)
    )
    bad, good = (
        made.issuer_name(issuer).sign(root.key, hashes.SHA256()).public_bytes(Encoding.DER)
        for issuer in (name, root.certificate.subject)
    )
    looked = gateway.ask(m.Look(number=5, chain=(bad,)))
    assert (looked.reason, len(looked.message)) == ("untrusted", LONGEST)
    assert looked.certificate.user == "a" * LONGEST
    looked = gateway.ask(m.Look(number=6, chain=(good,)))
    assert (looked.reason, looked.certificate.user) == (None, "a" * LONGEST)


def test_other_roots_are_in_force_while_a_conversation_is_open(gateway: Gateway) -> None:
    assert isinstance(gateway.respond(IDENTITY), m.Request)
    alice = credential("alice", "user root").certificate.public_bytes(Encoding.DER)
    other = credential("another root").certificate.public_bytes(Encoding.DER)
    gateway.ask(m.Configure(number=4, roots=(other,)))
    assert gateway.ask(m.Look(number=5, chain=(alice,))).reason == "untrusted"
    assert isinstance(gateway.respond(IDENTITY, 2), m.Request)


def test_a_forgotten_conversation_begins_anew(gateway: Gateway) -> None:
    assert isinstance(gateway.respond(IDENTITY), m.Request)
    gateway.channel.send(m.Forget(conversation=1))
    late = gateway.respond(encode(Code.RESPONSE, 8, Type.TLS, b"\0"))
    assert isinstance(late, m.Failed)
    assert late.reason == "protocol"


def test_too_many_conversations_refuse_the_next_and_no_other(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MOST_CONVERSATIONS", 2)
    answers = [gateway.respond(IDENTITY, number) for number in (1, 2, 3)]
    assert [type(answer) for answer in answers] == [m.Request, m.Request, m.Failed]
    gateway.channel.send(m.Forget(conversation=2))
    assert isinstance(gateway.respond(IDENTITY, 3), m.Request)


def test_a_fault_refuses_one_conversation_only(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> Any:
        raise RuntimeError("a mistake of ours")

    with monkeypatch.context() as patch:
        patch.setattr(Conversation, "receive", broken)
        patch.setattr(workers, "examine", broken)
        failed = gateway.respond(IDENTITY)
        looked = gateway.ask(m.Look(number=1, chain=(b"x",)))
    assert (failed.reason, failed.packet) == ("fault", b"\x04\x07\x00\x04")
    assert looked.reason == "fault"
    assert "a mistake of ours" in capsys.readouterr().err
    assert isinstance(gateway.respond(IDENTITY), m.Request)


def test_a_conversation_that_takes_too_much_processor_time_is_refused(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "DEAREST", -1.0)
    failed = gateway.respond(IDENTITY)
    assert (failed.reason, "processor time" in failed.message) == ("refused", True)


def test_the_rehearsal_is_a_whole_one() -> None:
    own = credential("gateway", "server root")
    rehearse(tls_contexts.server_context(own.certificate, own.key))
