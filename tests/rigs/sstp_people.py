"""Many calls in one process: honest ones, whose pings must all be answered, and insiders.

An insider has a good certificate and misbehaves; a silent one falls silent at some step, for up
to two minutes. `python -m tests.rigs.sstp_people honest|insiders|silent OPTIONS` prints one JSON
object a line and needs no TUN: packets are made and read here.
"""

from __future__ import annotations

import argparse
import json
import re
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from gateway.dataplane.ip import checksum
from gateway.dataplane.reactor import Reactor
from gateway.sstp.protocol import building
from gateway.sstp.protocol.events import Connected, Data, Ended, Refused
from gateway.sstp.protocol.machine import Timers
from gateway.sstp.protocol.tamper import HONEST, Step, Tamper
from lab.clients.sstp_call import DialEvent, Manner, NotReached, SstpCall, Target
from lab.clients.sstp_python import certificate_user, on_sigterm, tls_context
from tests.rigs.sstp_hostile import malformed_frames

ICMP, ECHO, ECHO_REPLY = 1, 8, 0
ANSWER_LIMIT = 5.0
"""Seconds within which a ping must have been answered, however bad the others are."""
PATIENT = Timers(negotiation=150.0, hello=150.0)
"""The server is to lose its patience first."""


def echo(source: IPv4Address, target: IPv4Address, number: int, size: int = 56) -> bytes:
    """An ICMP echo request (RFC 792) in an IPv4 packet."""
    body = struct.pack("!BBHHH", ECHO, 0, 0, 0x5050, number & 0xFFFF) + bytes(size)
    body = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 64, ICMP, 0,
                       source.packed, target.packed)  # fmt: skip
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


def echo_number(packet: bytes) -> int | None:
    """Which echo request an ICMP echo reply answers; None for other packets."""
    if len(packet) < 28 or packet[9] != ICMP or packet[20] != ECHO_REPLY:
        return None
    return int.from_bytes(packet[26:28], "big")


@dataclass
class Person:
    """One user's call: its events, and pings to be answered."""

    reactor: Reactor
    aim: IPv4Address
    call: SstpCall | None = None
    address: IPv4Address | None = None
    sent: int = 0
    answered: int = 0
    slowest: float = 0.0
    told: list[str] = field(default_factory=list)
    over: bool = False
    on_up: Callable[[Person], None] = lambda _person: None
    on_answer: Callable[[Person], None] = lambda _person: None
    _waiting: dict[int, float] = field(default_factory=dict)

    def take(self, event: DialEvent) -> None:
        """Handle an event of the call."""
        match event:
            case Connected(address):
                self.address = address
                self.told.append("connected")
                self.on_up(self)
            case Data(packet):
                self._answer(packet)
            case Refused(reason, message) | NotReached(reason, message):
                self.told.append(f"refused: {reason}: {message}")
            case Ended(why):
                self.told.append(f"ended: {why}")

    def finish(self) -> None:
        """The connection is closed."""
        self.over = True

    def ping(self, size: int = 56) -> None:
        """Send one, if the tunnel is up."""
        if self.address is None or self.over:
            return
        assert self.call is not None
        self.sent += 1
        self._waiting[self.sent & 0xFFFF] = time.monotonic()
        self.call.send(echo(self.address, self.aim, self.sent, size))

    def lost(self) -> int:
        """Pings that were not answered in time."""
        limit = time.monotonic() - ANSWER_LIMIT
        return sum(1 for at in self._waiting.values() if at < limit)

    @property
    def pending(self) -> int:
        """Pings that may still be answered."""
        return len(self._waiting)

    def _answer(self, packet: bytes) -> None:
        number = echo_number(packet)
        at = self._waiting.pop(number, None) if number is not None else None
        if at is not None:
            self.answered += 1
            self.slowest = max(self.slowest, time.monotonic() - at)
            self.on_answer(self)


class Crowd:
    """Users on one event loop."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.reactor = Reactor()
        self._target = Target(options.name, options.server, tls_context(options.root))
        self._user = certificate_user(options.user, options.certificate, options.key, options.root)
        self._aim = IPv4Address(options.ping)
        self.people: list[Person] = []

    def bring(
        self,
        tamper: Tamper = HONEST,
        on_up: Callable[[Person], None] = lambda _person: None,
        on_answer: Callable[[Person], None] = lambda _person: None,
    ) -> Person:
        """Add a user, who dials at once."""
        person = Person(self.reactor, self._aim, on_up=on_up, on_answer=on_answer)
        person.call = SstpCall(
            self.reactor,
            self._target,
            self._user,
            person.take,
            done=person.finish,
            manner=Manner(tamper, PATIENT),
        )
        person.call.dial()
        self.people.append(person)
        return person

    def run_until(self, done: Callable[[], bool], limit: float) -> bool:
        """Run the loop until the condition holds or the time is over; whether it holds."""
        end = time.monotonic() + limit

        def look() -> None:
            if done() or time.monotonic() > end:
                self.reactor.stop()
            else:
                self.reactor.call_at(time.monotonic() + 0.02, look)

        self.reactor.call_at(time.monotonic(), look)
        self.reactor.run()
        return done()


def honest(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """`count` calls that ping until SECONDS are over or SIGTERM comes; how they fared."""
    crowd = Crowd(options)
    stopped: list[bool] = []
    on_sigterm(crowd.reactor, lambda: stopped.append(True))
    people = [crowd.bring() for _ in range(options.count)]
    up = crowd.run_until(lambda: all(p.address or p.over for p in people), 30.0)
    yield {"up": sum(p.address is not None for p in people), "of": len(people)}
    end = time.monotonic() + options.seconds

    def over() -> bool:
        return bool(stopped) or time.monotonic() > end

    def again() -> None:
        for person in people:
            person.ping()
        if not over():
            crowd.reactor.call_at(time.monotonic() + options.interval, again)

    again()
    while up and not crowd.run_until(over, 10.0):
        yield _sum("so far", people)
    crowd.run_until(lambda: not any(p.pending for p in people), ANSWER_LIMIT)
    yield {**_sum("in all", people), "unanswered": sum(p.pending for p in people)}


def _sum(word: str, people: Sequence[Person]) -> dict[str, object]:
    return {
        "when": word,
        "up": sum(p.address is not None and not p.over for p in people),
        "sent": sum(p.sent for p in people),
        "answered": sum(p.answered for p in people),
        "lost": sum(p.lost() for p in people),
        "slowest": round(max((p.slowest for p in people), default=0.0), 3),
        "over": [told for p in people if p.over for told in p.told],
    }


# ---- insiders


def _then_ping(person: Person) -> None:
    person.ping()


def _and_leaves(person: Person) -> None:
    person.told.append("lives")
    assert person.call is not None
    person.call.hang_up("enough")


def _spoofs(person: Person) -> None:
    """Sends from another client's address; such a packet must be dropped."""
    assert person.call is not None
    assert person.address is not None
    for number in range(50):
        person.call.send(echo(person.address + 1, person.aim, number))
    person.ping()


def _babbles(person: Person) -> None:
    """Sends malformed PPP into an established tunnel."""
    call = person.call
    assert call is not None
    call.layers.tls.write([building.data(frame) for frame in malformed_frames()])
    person.ping()


def _turns_deaf(person: Person, left: int = 100) -> None:
    """Requests much data and reads none of it: 10 packets of 1,300 bytes every 5 ms, 100 times."""
    assert person.call is not None
    person.call.turn_deaf()
    for _ in range(10):
        person.ping(1300)
    if left:
        later = time.monotonic() + 0.005
        person.reactor.call_at(later, lambda: _turns_deaf(person, left - 1))


WRONG = r"(ended: the server aborted the call.*|ended: closed by the peer)"
INSIDERS: dict[str, tuple[Tamper, Callable[[Person], None], str]] = {
    "a wrong nonce": (Tamper(wrong="nonce"), _then_ping, WRONG),
    "a wrong MAC": (Tamper(wrong="MAC"), _then_ping, WRONG),
    "a wrong certificate hash": (Tamper(wrong="certificate hash"), _then_ping, WRONG),
    "Connected twice": (Tamper(repeated=True), _then_ping, WRONG),
    "IP before the binding": (Tamper(early=bytes(40)), _then_ping, r"lives"),
    "another's address": (HONEST, _spoofs, r"lives"),
    "malformed PPP": (HONEST, _babbles, r"lives"),
    "deaf": (HONEST, _turns_deaf, r"connected"),
}
"""What an insider does: in the handshake, when connected, and a pattern of what must come of it."""


def insiders(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """All kinds at once, then one who replays another's Call Connected."""
    crowd = Crowd(options)
    people = {
        name: crowd.bring(tamper, on_up, _and_leaves)
        for name, (tamper, on_up, _) in INSIDERS.items()
    }
    deaf = people["deaf"]
    crowd.run_until(lambda: all(p.over for p in people.values() if p is not deaf), 20.0)
    recorded = people["another's address"].call
    assert recorded is not None
    thief = crowd.bring(Tamper(replayed=recorded.connected_packet), _then_ping, _and_leaves)
    crowd.run_until(lambda: thief.over, 20.0)
    for name, (_, _, expected) in INSIDERS.items():
        yield _told(name, people[name], expected)
    yield _told("a replayed binding", thief, WRONG)


SILENT: tuple[Step, ...] = ("ppp", "authentication", "binding", "network", "echo")
HUNG_UP = r"(ended: (the server|closed by|the peer|PPP|LCP|IPCP).*|refused: .*)"


def silent(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """One client that falls silent at each step; the server must close all of them."""
    crowd = Crowd(options)
    people = {step: crowd.bring(Tamper(silent_at=step)) for step in SILENT}
    crowd.run_until(lambda: all(p.over for p in people.values()), 150.0)
    for step, person in people.items():
        yield _told(f"silence at {step}", person, HUNG_UP)


def _told(name: str, person: Person, expected: str) -> dict[str, object]:
    held = any(re.fullmatch(expected, told) for told in person.told)
    return {"case": name, "answer": "; ".join(person.told), "expected": expected, "held": held}


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("honest", "insiders", "silent"))
    parser.add_argument("--server", required=True, help="its address")
    parser.add_argument("--name", required=True, help="its name")
    for option in ("--root", "--user", "--certificate", "--key", "--ping"):
        parser.add_argument(option, required=True)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--interval", type=float, default=0.2)
    options = parser.parse_args()
    kinds = {"honest": honest, "insiders": insiders, "silent": silent}
    for line in kinds[options.kind](options):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
