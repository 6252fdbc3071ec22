"""What the gateway reads from its own processes, which speak with strangers: SSTP's worker, charon
over vici, openvpn's management interface. Names, addresses and words in it are strangers'.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import random
import socket
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import redirect_stderr, suppress
from dataclasses import replace
from functools import cache
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from vici.exception import DeserializationException
from vici.protocol import FiniteStream, Message

from gateway.arm.placement import Placement
from gateway.charon import vici_messages
from gateway.common.errors import GatewayError
from gateway.eap_tls.service import EapTls
from gateway.eap_tls.worker import messages as eapd
from gateway.eap_tls.worker.worker import _certified
from gateway.engine import EngineContext, Settings
from gateway.ikev2.refusals import MOST_REMEMBERED, Refusals
from gateway.openvpn import management
from gateway.openvpn.engine import OpenVpnEngine
from gateway.openvpn.exported_certificates import KeptCertificates
from gateway.openvpn.management import LONGEST_LINE, Management
from gateway.policy import trust
from gateway.policy.admission import Admission, Policy
from gateway.policy.diagnostics import DiagnosticLog
from gateway.policy.sessions import Sessions
from gateway.sstp.engine import SstpEngine
from gateway.sstp.worker.messages import FROM_WORKER, TO_WORKER, Admitted, Denied
from gateway.unprivileged.channel import Channel, ChannelError
from radius.client import RadiusClient, _Answered
from radius.packet import LONGEST_VALUE, Answer, Keys, Request, Sent, Server
from radius.printable import printable
from radius.verdict import NoAnswer, Reject
from tests.fuzz.engine import Target
from tests.fuzz.mutations import join, of_bytes, of_json, of_steps, of_text, split
from tests.fuzz.targets import keys
from tests.fuzz.targets.radius_packets import NAS
from tests.rigs.fences import RecordingFence

LIMIT = 3
"""Connections of each group of protocols."""
NAMES = ("rsa", "ec")
ROOTS = [keys.authority("rsa").certificate, keys.authority("ec").certificate]
GOOD, REVOKED = keys.leaf("ec"), keys.leaf("rsa", "carol")


@cache
def certified(shown: keys.Credential) -> eapd.Certified:
    """As the judge has it."""
    finding = trust.examine([keys.der(shown)], trust.Roots(ROOTS), keys.NOW)
    return _certified(finding)


class Judge(EapTls):
    """gateway.eap_tls.worker within this process. Conversations go as `answers` say, chains are
    judged."""

    def __init__(self, placement: Placement, answers: Sequence[int] = ()) -> None:
        super().__init__(placement, Path("/nowhere"), lambda _: None)
        self._answers = list(answers)

    async def _ask(self, order: Any, *kinds: type[Any], limit: float | None = None) -> Any:
        del kinds, limit
        order = eapd.TO_WORKER.validate_json(order.model_dump_json())
        if isinstance(order, eapd.Look):
            finding = trust.examine(order.chain, trust.Roots(ROOTS), keys.NOW)
            return eapd.Looked(
                number=order.number,
                reason=finding.reason,
                message=printable(finding.message),
                certificate=_certified(finding),
            )
        number, packet = order.conversation, b"\3\1\0\4"
        answer = self._answers.pop(0) if self._answers else 3
        if answer in (0, 1):
            shown = GOOD if answer == 0 else REVOKED
            return eapd.Shown(conversation=number, certificate=certified(shown), msk=bytes(64),
                              success=packet, failure=b"\4\1\0\4")  # fmt: skip
        if answer == 2:
            return eapd.Request(conversation=number, packet=b"\1\2\0\6\x0d\x20")
        return eapd.Failed(conversation=number, reason="untrusted", message="no", packet=packet)


class Client(RadiusClient):
    """A RADIUS client that writes the request for a server, and answers itself."""

    def __init__(self, answers: Sequence[Answer | NoAnswer]) -> None:
        super().__init__((), NAS)
        self._answers = list(answers)

    async def _ask(
        self, request: Request, user: bytes, servers: Sequence[Server], limit: float
    ) -> _Answered | NoAnswer | Reject:
        del servers, limit
        if not 1 <= len(user) <= LONGEST_VALUE:
            return Reject("", "refused", f"a user name of {len(user)} bytes")
        server = Server("192.168.50.10", b"secret")
        Sent(replace(request, pairs=[("User-Name", user), *request.pairs]), server, 1, bytes)
        answer = self._answers.pop(0) if self._answers else NoAnswer("nobody")
        return answer if isinstance(answer, NoAnswer) else _Answered(answer, server)


class FakePath:
    """gateway.policy.radius_path.RadiusPath, with that client."""

    enabled = True

    def __init__(self, client: Client) -> None:
        self.client = client

    def objection(self) -> str:
        return ""

    def silence(self) -> str:
        return ""


_KEYS = Keys(bytes(32), bytes(32))
_ANSWERS: tuple[Answer | NoAnswer, ...] = (
    Answer("accept", eap=b"\3\1\0\4", keys=_KEYS, chap_success=b"\7S=" + b"0" * 40),
    Answer("challenge", eap=b"\1\2\0\6\x1a\1", state=b"state"),
    Answer("reject", eap=b"\4\1\0\4", message="Account disabled",
           chap_error=b"\7E=691 R=1 C=" + b"0" * 32 + b" V=3 M=no"),
    NoAnswer("nobody"),
)  # fmt: skip


def engine_context(
    kind: Any = "Certificate", *, answers: Sequence[int] = (), state: Path = Path("/nowhere")
) -> EngineContext:
    """A gateway with few places, and certificates of two roots."""
    placement = Placement.model_validate(
        {
            "name": "gw", "gatewayId": "1", "fqdn": "gw",
            "publicIPAddress": "203.0.113.2", "privateIPAddress": "10.1.255.4",
            "virtualNetwork": {"name": "v", "addressPrefixes": ["10.1.0.0/16"]},
            "interfaces": {"public": "wan", "private": "lan"},
            "serverCertificate": {"certificate": "a", "privateKey": "b", "root": "c"},
        }
    )  # fmt: skip
    sessions = Sessions(RecordingFence())
    admission = Admission(sessions)
    pool = (IPv4Network("172.16.9.0/29"),)
    admission.policy = Policy(
        frozenset((kind,)), frozenset(map(trust.thumbprint, ROOTS)),
        frozenset((trust.thumbprint(REVOKED.certificate),)),
        {"IKEv2/OpenVPN": LIMIT, "SSTP": LIMIT},
        {"SSTP": pool, "OpenVPN": pool, "IkeV2": pool},
    )  # fmt: skip
    radius: Any = FakePath(Client([_ANSWERS[answer % len(_ANSWERS)] for answer in answers]))
    judge = Judge(placement, answers)
    charon: Any = None
    return EngineContext(
        placement, state, admission, sessions, DiagnosticLog(), judge, radius, charon
    )


class Tasks:
    """gateway.common.background.Background, whose faults are faults."""

    def __init__(self) -> None:
        self._tasks: list[Coroutine[Any, Any, None]] = []

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(work)

    async def done(self) -> None:
        while self._tasks:
            with suppress(GatewayError):
                await self._tasks.pop(0)


def look(around: EngineContext) -> None:
    """The table of sessions makes sense, and the fence is open to who is in it and to no other."""
    sessions = list(around.sessions)
    fence = around.sessions._fence
    assert isinstance(fence, RecordingFence)
    passing = {who for who, seconds in fence.open.items() if seconds is None}
    assert passing == {(s.peer.protocol, str(s.private_address)) for s in sessions}
    assert len(sessions) <= LIMIT
    assert len({session.private_address for session in sessions}) == len(sessions)
    for session in sessions:
        assert around.admission.objection_to_session(session) is None
        json.dumps(session.health(keys.NOW))


# ------------------------------------------------------------------------------- SSTP's worker


def worker_seeds() -> list[bytes]:
    attempts: tuple[dict[str, Any], ...] = (
        {"method": "EAP", "packet": "AgEACgFhbGljZQ==", "identity": "alice", "speaks": "EAP-TLS",
         "room": 1400},
        {"method": "EAP", "packet": "AgIABhoC", "identity": None},
        {"method": "PAP", "user": "alice", "password": "x"},
        {"method": "MS-CHAPv2", "user": "alice", "authenticator_challenge": "AAAA",
         "peer_challenge": "AAAA", "nt_response": "AAAA", "identifier": 7},
    )  # fmt: skip
    calls: list[dict[str, Any]] = [
        message
        for number, attempt in enumerate(attempts)
        for message in (
            {"kind": "asked", "call": number, "address": "192.0.2.9", "attempt": attempt},
            {"kind": "opened", "call": number, "binding": "SHA256"},
        )
    ]
    others: list[dict[str, Any]] = [
        {"kind": "configured", "number": 1, "kept": "CAP_NET_ADMIN"},
        {"kind": "refused", "reason": "untrusted", "message": "no", "address": "192.0.2.9",
         "user": "mallory", "thumbprint": "D" * 40},
        {"kind": "noted", "message": "something"},
        {"kind": "counts", "totals": {"connections": 3}, "traffic": [
            {"call": 0, "packets_in": 1, "bytes_in": 2, "packets_out": 3, "bytes_out": 4}]},
        {"kind": "closed", "call": 0, "why": "gone"},
    ]  # fmt: skip
    told: list[dict[str, Any]] = [
        {"kind": "configure", "number": 1, "local_address": "172.16.9.1", "dns": ["10.1.1.4"],
         "methods": ["EAP", "MS-CHAPv2"]},
        {"kind": "admitted", "call": 1, "address": "172.16.9.2", "eap": "AwEABA==", "text": "hello",
         "keys": [{"form": "pppd", "key": "AAAA"}]},
        {"kind": "denied", "call": 1, "reason": "revoked", "message": "no", "text": None},
        {"kind": "continue", "call": 1, "eap": "AQIABhoB"}, {"kind": "report"},
        {"kind": "end", "call": 1, "why": "it is enough"}, {"kind": "busy", "busy": True},
    ]  # fmt: skip

    def steps(messages: list[dict[str, Any]], kind: int) -> list[tuple[int, bytes]]:
        return [(kind, json.dumps(message).encode()) for message in messages]

    lying = [join([*steps(calls, kind), *steps(others, kind)]) for kind in range(5)]
    lying.append(join([*steps(calls[:1], 1), *steps(calls[1:] + others, 0)]))
    return [*lying, join(steps(told, 5))]


def worker(data: bytes) -> None:
    """Messages of a worker that lies: the channel is given up, or they do what they may."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, redirect_stderr(io.StringIO()):
        incoming: Any = TO_WORKER if data[:1] == b"\5" else FROM_WORKER
        channel: Channel[Any] = Channel(ours, incoming)
        asyncio.run(_worker(channel, theirs, split(data)))


async def _worker(
    channel: Channel[Any], theirs: socket.socket, steps: list[tuple[int, bytes]]
) -> None:
    answers = [kind for kind, _ in steps]
    radius = bool(steps) and steps[0][0] % 2 == 1
    around = engine_context("Radius" if radius else "Certificate", answers=answers)
    engine = SstpEngine(around)
    engine._settings = Settings((), (), (), (), radius)
    told: list[Any] = []
    engine._gate._send = told.append
    tasks = Tasks()
    engine._background = tasks  # type: ignore[assignment]
    for _, content in steps:
        theirs.send(content or b" ")
        try:
            for message in channel.receive():
                assert channel._incoming.validate_json(message.model_dump_json()) == message
                if channel._incoming is FROM_WORKER:
                    engine._on(message)
        except ChannelError as error:
            told.append(str(error))
            break
        await tasks.done()
        look(around)
    json.dumps(around.log.documents())
    for message in told:
        assert not isinstance(message, str) or len(message) < 1000
        if isinstance(message, Admitted | Denied):
            assert TO_WORKER.validate_json(message.model_dump_json()) == message


# ---------------------------------------------------------------------------------------- vici


def vici_seeds() -> list[bytes]:
    child = {"name": "p2s", "uniqueid": "1", "state": "INSTALLED", "bytes-in": "10",
             "bytes-out": "11", "packets-in": "1", "packets-out": "2"}  # fmt: skip
    sa = {"uniqueid": "7", "state": "ESTABLISHED", "remote-host": "192.0.2.2", "version": "2",
          "remote-id": "CN=alice", "remote-eap-id": "alice", "remote-vips": ["172.16.9.2"],
          "child-sas": {"p2s-1": child}}  # fmt: skip
    lines = (
        "192.0.2.2 is initiating an IKE_SA", "received proposals unacceptable",
        "no IKE config found for 203.0.113.2...192.0.2.2, sending NO_PROPOSAL_CHOSEN",
        "authentication of 'alice' with EAP failed", "no virtual IP found for %any, as",
        "traffic selectors 0.0.0.0/0 === 10.0.0.0/8 unacceptable",
        "generating IKE_AUTH response 1 [ IDr CERT N(AUTH_FAILED) ]",
        "generating IKE_SA_INIT response 0 [ N(NO_PROP) ]",
    )  # fmt: skip
    events: list[tuple[int, dict[str, Any]]] = [
        (0, {"up": "yes", "p2s-eap-tls": sa}),
        (1, {"up": "yes", "p2s-eap-tls": sa}),
        (2, {"p2s-eap-tls": {"old": sa, "new": sa | {"uniqueid": "8"}}}),
        (3, {"p2s-eap-tls": sa | {"child-sas": {"p2s-1": {"old": child, "new": child}}}}),
        *((4, {"group": "IKE", "level": "1", "thread": "3", "ikesa-name": "p2s",
               "ikesa-uniqueid": "7", "msg": line}) for line in lines),
    ]  # fmt: skip
    return [join([(kind, Message.serialize(message)) for kind, message in events])]


def vici(data: bytes) -> None:
    """Any message of charon's is some events, or none; what is remembered of them is bounded."""
    log = DiagnosticLog()
    refusals = Refusals(log, lambda: frozenset(("192.0.2.3",)), lambda number: number == "8")
    with redirect_stderr(io.StringIO()):
        _vici(data, refusals)
    assert len(refusals._attempts) <= MOST_REMEMBERED
    json.dumps(log.documents())


def _vici(data: bytes, refusals: Refusals) -> None:
    for kind, content in split(data):
        try:
            message = Message.deserialize(FiniteStream(content))
        except (DeserializationException, UnicodeDecodeError, ValueError, OSError):
            continue
        except Exception as error:
            if type(error).__module__ != "struct":
                raise
            continue
        for event in vici_messages.event(vici_messages.EVENTS[kind % 5], message):
            hash(event)
            if isinstance(event, vici_messages.LogLine):
                refusals.feed(event)


# ----------------------------------------------------------------------- openvpn's management


def openvpn_seeds() -> list[bytes]:
    environment = (
        "n_clients=0", "tls_id_1=CN=root", "X509_1_CN=root", f"tls_digest_1={'AA:' * 19}AA",
        f"tls_digest_sha256_1={sha256(keys.authority('ec'))}",
        f"tls_digest_sha256_0={sha256(GOOD)}", "tls_serial_1=1", "tls_id_0=CN=alice",
        f"tls_digest_0={'CC:' * 19}CC", "common_name=alice", "untrusted_ip=192.0.2.9",
        "untrusted_port=1234", "trusted_ip=192.0.2.9", "trusted_port=1234", "password=x",
        "IV_SSL=OpenSSL_3", "time_ascii=now",
    )  # fmt: skip

    def client(kind: str, cid: int, *changes: str) -> str:
        lines = [*environment, *changes]
        head = f">CLIENT:{kind},{cid}" + (",1" if kind in ("CONNECT", "REAUTH") else "")
        return "\r\n".join(
            (head, *(f">CLIENT:ENV,{line}" for line in lines), ">CLIENT:ENV,END", "")
        )

    log = "\n".join(
        f">LOG:1764450000,{flag},{text}"
        for flag, text in (
            ("I", "192.0.2.9:1 TCP connection established"),
            ("N", "192.0.2.9:1 VERIFY ERROR: depth=0, error=certificate has expired: CN=alice"),
            ("N", "alice/192.0.2.9:2 VERIFY ERROR: depth=0, error=revoked: O=x, CN=a, CN=b"),
            ("N", "192.0.2.9:3 TLS error: peer did not return a certificate"),
            ("D", "192.0.2.9:4 no shared cipher"),
        )
    )  # fmt: skip
    issuer = sha256(keys.authority("rsa"))
    revoked = f"tls_digest_sha256_0={sha256(REVOKED)}", f"tls_digest_sha256_1={issuer}"
    status = (
        "TITLE\tOpenVPN\nHEADER\tCLIENT_LIST\tCommon Name\tBytes Received\tBytes Sent\tClient ID\n"
        "CLIENT_LIST\talice\t10\t20\t0\nEND\n"
    )
    texts = (
        f">INFO:OpenVPN\n{log}\n>STATE:1764450000,CONNECTED,SUCCESS,172.16.9.1,\nSUCCESS: log on\n",
        client("CONNECT", 0) + client("ESTABLISHED", 0) + client("REAUTH", 0) + status
        + client("DISCONNECT", 0),
        "".join(client("CONNECT", n) + client("ESTABLISHED", n) for n in range(LIMIT + 2)),
        client("CONNECT", 1, *revoked) + client("ESTABLISHED", 1) + "ERROR: no\nSUCCESS: yes\n",
        client("CONNECT", 2, "untrusted_ip=fe80::1") + client("CONNECT", 3, "untrusted_ip="),
    )  # fmt: skip
    return [text.encode() for text in texts]


class FakeLink:
    """openvpn that obeys."""

    connected = True

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, command: bytes) -> None:
        self.sent.append(command)

    def send_together(self, *commands: bytes) -> None:
        self.sent += commands


@cache
def kept() -> Path:
    """A directory of the engine's, with certificates that openvpn has kept."""
    place = Path(tempfile.mkdtemp())
    KeptCertificates(place).prepare()
    for one in (GOOD, REVOKED, keys.authority("ec"), keys.authority("rsa")):
        pem = one.certificate.public_bytes(Encoding.PEM)
        (place / "certificates" / sha256(one)).write_bytes(pem)
    return place


def sha256(one: keys.Credential) -> str:
    """As openvpn writes it."""
    return hashlib.sha256(keys.der(one)).digest().hex(":")


def openvpn(data: bytes) -> None:
    """Any lines: events, the same wherever the stream is cut; nobody in whom the gate refuses, and
    no line of a command that a client's words began.
    """
    reader, pieces = Management(), Management()
    events = reader.feed(data)
    dice = random.Random(len(data))
    cut, at = [], 0
    while at < len(data):
        size = dice.choice((1, 7, 400, 9000))
        cut += pieces.feed(data[at : at + size])
        at += size
    if max(map(len, data.split(b"\n"))) <= LONGEST_LINE:
        assert cut == events
    assert len(pieces._buffer) <= LONGEST_LINE
    with redirect_stderr(io.StringIO()):
        asyncio.run(_openvpn(events))
    assert management.client_deny("1", "1", data.decode("latin-1"), "").count(b"\n") == 1


async def _openvpn(events: Sequence[management.Event]) -> None:
    around = engine_context(state=kept())
    engine = OpenVpnEngine(around)
    engine._settings = Settings((), (IPv4Network("172.16.9.0/29"),), (), ())
    link, tasks = FakeLink(), Tasks()
    engine._link, engine._background = link, tasks  # type: ignore[assignment]
    for event in events:
        engine._on(event)
        await tasks.done()
    look(around)
    json.dumps(around.log.documents())
    for command in link.sent:
        word = command.split(b" ")[0]
        assert word in (b"client-auth", b"client-auth-nt", b"client-pending-auth", b"client-deny")
        assert command.endswith(b"\n")
        assert command.count(b"\n") == 1 or word == b"client-auth"


def mutate_lines(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return (of_bytes if dice.randrange(4) == 0 else of_text)(dice, data, others)


TARGETS = (
    Target("worker-messages", worker_seeds, worker,
           ("gateway/sstp/worker/messages.py", "gateway/unprivileged/", "gateway/sstp/",
            "gateway/policy/admission.py", "gateway/policy/sessions.py"),
           of_steps(6, content=of_json), quick=100, cpu=0.5),
    Target("vici", vici_seeds, vici,
           ("gateway/charon/vici_messages.py", "gateway/ikev2/refusals.py"),
           of_steps(5), quick=400),
    Target("openvpn", openvpn_seeds, openvpn, ("gateway/openvpn/",), mutate_lines,
           quick=100, cpu=0.5),
)  # fmt: skip
