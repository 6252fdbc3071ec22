"""Two joined ends of a link: their frames, and verdicts for the server."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TypeVar

from gateway.ppp import mschapv2
from gateway.ppp.config import ClientConfig, ServerConfig
from gateway.ppp.events import (
    Accept,
    Attempt,
    EapAttempt,
    LinkEvent,
    MsChapV2Attempt,
    PapAttempt,
    Refuse,
    Verdict,
)
from gateway.ppp.link import PppLink

LOCAL = IPv4Address("172.16.201.1")
GIVEN = IPv4Address("172.16.201.7")
DNS = (IPv4Address("10.1.1.4"), IPv4Address("10.1.1.5"))
PASSWORD = "correct horse"

Lost = Callable[[str, bytes], bool]
Judge = Callable[[Attempt], Verdict | None]
Found = TypeVar("Found")


def judge(attempt: Attempt) -> Verdict | None:
    """The verdict of an owner who knows one password."""
    if isinstance(attempt, MsChapV2Attempt):
        verified = mschapv2.verify(attempt, PASSWORD)
        if verified is None:
            return Refuse("password", "wrong user name or password")
        return Accept(GIVEN, verified.keys, verified.authenticator_response + " M=welcome")
    if isinstance(attempt, PapAttempt):
        right = attempt.password == PASSWORD
        return Accept(GIVEN) if right else Refuse("password", "wrong user name or password")
    assert isinstance(attempt, EapAttempt)
    return None


def server_config(**changes: object) -> ServerConfig:
    return ServerConfig(**{"local_address": LOCAL, "methods": ("MS-CHAPv2",), **changes})  # type: ignore[arg-type]


def client_config(**changes: object) -> ClientConfig:
    return ClientConfig(**{"user": "alice", "password": PASSWORD, **changes})  # type: ignore[arg-type]


@dataclass
class Pair:
    """`said`: all frames, including lost ones, with "s" or "c" for the sender."""

    server_setup: ServerConfig
    client_setup: ClientConfig
    judge: Judge = judge
    lost: Lost = lambda _who, _frame: False
    now: float = 0.0
    said: list[tuple[str, bytes]] = field(default_factory=list)
    server_events: list[LinkEvent] = field(default_factory=list)
    client_events: list[LinkEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(4)
        entropy = self.random.randbytes
        self.server = PppLink(self.server_setup, now=self.now, entropy=entropy)
        self.client = PppLink(self.client_setup, now=self.now, entropy=entropy)

    def open(self) -> Pair:
        self.server.open(self.now)
        self.client.open(self.now)
        return self.settle()

    def settle(self) -> Pair:
        """Carry frames until neither end sends any more."""
        for _round in range(1000):
            moved = self._carry("s", self.server, self.client)
            moved += self._carry("c", self.client, self.server)
            self._collect()
            if not moved and not self.server._wire.outgoing and not self.client._wire.outgoing:
                return self
        raise AssertionError(f"they never stop talking: {self.said[-4:]}")

    def _carry(self, who: str, sender: PppLink, receiver: PppLink) -> int:
        frames = sender.outgoing()
        for frame in frames:
            self.said.append((who, frame))
            if not self.lost(who, frame):
                receiver.receive(frame, self.now)
        return len(frames)

    def _collect(self) -> None:
        self.client_events += self.client.events()
        for event in self.server.events():
            self.server_events.append(event)
            verdict = self.judge(event) if isinstance(event, Attempt) else None
            if verdict is not None:
                self.server.answer(verdict, self.now)

    def wait(self, limit: float = 120.0) -> Pair:
        """Advance the time from timer to timer, until there is none or the limit is reached."""
        end = self.now + limit
        while True:
            times = [t for t in (self.server.deadline(), self.client.deadline()) if t is not None]
            if not times or min(times) > end:
                return self
            self.now = max(self.now, *times[:1]) if len(times) == 1 else max(self.now, min(times))
            self.server.tick(self.now)
            self.client.tick(self.now)
            self.settle()

    def of_server(self, kind: type[Found]) -> list[Found]:
        return [event for event in self.server_events if isinstance(event, kind)]

    def of_client(self, kind: type[Found]) -> list[Found]:
        return [event for event in self.client_events if isinstance(event, kind)]
