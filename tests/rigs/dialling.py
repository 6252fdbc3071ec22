"""A PPP call authenticated by a real RADIUS server: two links joined in memory."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from gateway.ppp import keys
from gateway.ppp.config import ClientConfig, Method, ServerConfig
from gateway.ppp.events import (
    Accept,
    Attempt,
    Authenticated,
    AuthenticationFailed,
    EapAttempt,
    EapReply,
    LinkEvent,
    MsChapV2Attempt,
    NetworkUp,
    PapAttempt,
    Refuse,
    Verdict,
)
from gateway.ppp.link import PppLink
from radius import verdict as radius
from radius.attributes import Call
from radius.client import EapSession, RadiusClient

ADDRESS = IPv4Address("172.16.201.5")
MOST_TURNS = 200


@dataclass
class Dialled:
    """The result of a call."""

    server: list[LinkEvent] = field(default_factory=list)
    client: list[LinkEvent] = field(default_factory=list)
    verdict: radius.EapVerdict | None = None
    """The last one of the RADIUS server."""

    @property
    def connected(self) -> bool:
        """Whether the network is up at both ends, with the same binding key."""
        up = [
            any(isinstance(e, NetworkUp) for e in events) for events in (self.server, self.client)
        ]
        ours, theirs = ({key.key for key in self._keys(e)} for e in (self.server, self.client))
        return all(up) and bool(ours & theirs)

    @property
    def reason(self) -> str:
        """Why the gateway refused."""
        failed = [e for e in self.server if isinstance(e, AuthenticationFailed)]
        return failed[0].reason if failed else ""

    @staticmethod
    def _keys(events: list[LinkEvent]) -> tuple[keys.BindingKey, ...]:
        passed = [event for event in events if isinstance(event, Authenticated)]
        return passed[0].keys if passed else ()


async def dial(
    asked: RadiusClient, user: ClientConfig, methods: tuple[Method, ...] = ("EAP", "MS-CHAPv2")
) -> Dialled:
    """Dial with one of these methods; return the result."""
    clock = asyncio.get_running_loop().time
    config = ServerConfig(IPv4Address("172.16.201.1"), methods)
    server = PppLink(config, now=clock(), entropy=os.urandom)
    client = PppLink(user, now=clock(), entropy=os.urandom)
    server.open(clock())
    client.open(clock())
    result, session = Dialled(), EapSession(Call("192.0.2.9", 7))
    for _ in range(MOST_TURNS):
        moved = _carry(server, client, clock()) + _carry(client, server, clock())
        result.client += client.events()
        for event in server.events():
            result.server.append(event)
            if isinstance(event, Attempt):
                result.verdict = await _ask(asked, event, session)
                server.answer(_verdict(result.verdict, event), clock())
                moved += 1
        if not moved:
            break
    return result


def _carry(sender: PppLink, receiver: PppLink, now: float) -> int:
    frames = sender.outgoing()
    for frame in frames:
        receiver.receive(frame, now)
    return len(frames)


async def _ask(asked: RadiusClient, event: Attempt, session: EapSession) -> radius.EapVerdict:
    match event:
        case MsChapV2Attempt():
            return await asked.mschapv2(session.call, event)
        case PapAttempt(user, password):
            return await asked.pap(session.call, user, password)
        case EapAttempt(packet):
            return await asked.eap(session, packet)
    raise AssertionError(event)


def _verdict(answer: radius.EapVerdict, event: Attempt) -> Verdict:
    match answer:
        case radius.Challenge():
            return EapReply(answer.eap)
        case radius.Accept():
            method = event.method if isinstance(event, EapAttempt) else "MS-CHAPv2"
            made = keys.zeros()
            if answer.keys:
                made = keys.from_radius(answer.keys.recv, answer.keys.send, method)
            return Accept(ADDRESS, made, answer.success, answer.eap)
        case radius.Reject():
            return Refuse(answer.reason, answer.message, answer.eap, answer.error)
        case radius.NoAnswer():
            return Refuse(answer.reason, answer.message)
