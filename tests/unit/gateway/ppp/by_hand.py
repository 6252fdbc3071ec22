"""One end of a link, driven by hand: packets in, its answers as packets."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.ppp import frames
from gateway.ppp.config import ClientConfig, ServerConfig
from gateway.ppp.events import LinkEvent, Verdict
from gateway.ppp.frames import LCP, Packet, encode_packet, parse_packet
from gateway.ppp.link import PppLink
from gateway.ppp.options import Option, encode_options, parse_options

REQUEST, ACK, NAK, REJECT, TERMINATE, TERMINATE_ACK, CODE_REJECT = range(1, 8)
MAGIC = Option(5, b"mine")

Said = tuple[int, Packet]
Found = TypeVar("Found")


def options(packet: Packet) -> dict[int, bytes]:
    found = parse_options(packet.data)
    assert found is not None
    return dict(found)


@dataclass
class ByHand:
    """`say` returns what the link answers; `request` is the last Configure-Request of its LCP."""

    config: ServerConfig | ClientConfig
    now: float = 0.0
    events: list[LinkEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.link = PppLink(self.config, now=self.now, entropy=random.Random(1).randbytes)
        self.link.open(self.now)
        ((_protocol, self.request),) = self.hear()

    def hear(self) -> list[Said]:
        self.events += self.link.events()
        said: list[Said] = []
        for frame in self.link.outgoing():
            found = frames.split(frame)
            assert found
            packet = parse_packet(found[1])
            assert packet
            said.append((found[0], packet))
            if found[0] == LCP and packet.code == REQUEST:
                self.request = packet
        return said

    def say(self, protocol: int, code: int, identifier: int, data: bytes = b"") -> list[Said]:
        self.link.receive(frames.join(protocol, encode_packet(code, identifier, data)), self.now)
        return self.hear()

    def ask(self, *wanted: Option, protocol: int = LCP, identifier: int = 1) -> list[Said]:
        return self.say(protocol, REQUEST, identifier, encode_options(wanted))

    def ack(self) -> list[Said]:
        return self.say(LCP, ACK, self.request.identifier, self.request.data)

    def nak(self, *wanted: Option) -> list[Said]:
        return self.say(LCP, NAK, self.request.identifier, encode_options(wanted))

    def reject(self, *unwanted: Option) -> list[Said]:
        return self.say(LCP, REJECT, self.request.identifier, encode_options(unwanted))

    def establish(self, *wanted: Option) -> list[Said]:
        """LCP opens with these options of ours."""
        self.ask(*wanted)
        return self.ack()

    def answer(self, verdict: Verdict) -> list[Said]:
        self.link.answer(verdict, self.now)
        return self.hear()

    def pass_time(self, seconds: float) -> list[Said]:
        self.now += seconds
        self.link.tick(self.now)
        return self.hear()

    def of(self, kind: type[Found]) -> list[Found]:
        return [event for event in self.events if isinstance(event, kind)]
