"""What the gateway reads from SSTP's worker, which speaks with strangers."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from contextlib import redirect_stderr
from typing import Any

from gateway.engine import Settings
from gateway.sstp.engine import SstpEngine
from gateway.sstp.worker.messages import FROM_WORKER, TO_WORKER, Admitted, Denied
from gateway.unprivileged.channel import Channel, ChannelError
from gateway.unprivileged.messages import ENCODER
from tests.fuzz.engine import Target
from tests.fuzz.mutations import join, of_json, of_steps, split
from tests.fuzz.targets.gateways import Tasks, engine_context, look


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
        both: tuple[Any, Any] = (TO_WORKER, FROM_WORKER)
        channel: Channel[Any] = Channel(ours, *(both if data[:1] == b"\5" else both[::-1]))
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
                assert channel._incoming.decode(ENCODER.encode(message)) == message
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
            assert TO_WORKER.decode(ENCODER.encode(message)) == message


TARGETS = (
    Target("worker-messages", worker_seeds, worker,
           ("gateway/sstp/worker/messages.py", "gateway/unprivileged/", "gateway/sstp/",
            "gateway/policy/admission.py", "gateway/policy/sessions.py"),
           of_steps(6, content=of_json), quick=100, cpu=0.5),
)  # fmt: skip
