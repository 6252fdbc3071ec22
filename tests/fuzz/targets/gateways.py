"""A gateway with few places, for fuzz targets: its context, its judge, its RADIUS servers."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from gateway.arm.placement import Placement
from gateway.common.errors import GatewayError
from gateway.eap_tls.service import EapTls
from gateway.eap_tls.worker import messages as eapd
from gateway.eap_tls.worker.worker import _certified
from gateway.engine import EngineContext
from gateway.policy import trust
from gateway.policy.admission import Admission, Policy
from gateway.policy.diagnostics import DiagnosticLog
from gateway.policy.sessions import Sessions
from gateway.unprivileged.messages import ENCODER
from radius.client import RadiusClient, _Answered
from radius.packet import LONGEST_VALUE, Answer, Keys, Request, Sent, Server
from radius.printable import printable
from radius.verdict import NoAnswer, Reject
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
        order = eapd.TO_WORKER.decode(ENCODER.encode(order))
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
