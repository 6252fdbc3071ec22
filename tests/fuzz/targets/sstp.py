"""SSTP: packets cut out of a stream and read, and both ends' machines in a stranger's hands."""

from __future__ import annotations

import random
from typing import Any

from gateway.dataplane.framing import LONGEST
from gateway.ppp import frames
from gateway.ppp.frames import CHAP, IPCP, LCP, encode_packet
from gateway.ppp.options import Option, encode_options
from gateway.sstp.protocol import building
from gateway.sstp.protocol.binding import BOTH, Bound
from gateway.sstp.protocol.call import ServerCall
from gateway.sstp.protocol.carrier import MOST_UNSENT
from gateway.sstp.protocol.client_call import ClientCall
from gateway.sstp.protocol.events import CallEvent, Connected, Data, Ended, Refused
from gateway.sstp.protocol.http import LONGEST_HEADER, METHOD, PATH
from gateway.sstp.protocol.packets import (
    Control,
    Framer,
    Malformed,
    Message,
    Status,
    StatusInfo,
    faults,
    is_control,
    read_control,
    status_infos,
)
from gateway.sstp.protocol.tamper import Step, Tamper
from tests.fuzz.engine import Target
from tests.fuzz.mutations import join, of_bytes, of_steps, split
from tests.unit.gateway.sstp.protocol.calls import PASSWORDS, Pair, ip_packet, verdict

CONTROLS = (
    building.connect_request(),
    building.connect_ack(BOTH, bytes(32)),
    building.connect_nak((StatusInfo(1, Status.VALUE_NOT_SUPPORTED, b"\0\2"),) * 3),
    building.connected(BOTH, bytes(32), bytes(32), bytes(32)),
    building.abort(Status.NO_ERROR),
    building.disconnect(),
    building.DISCONNECT_ACK,
    building.ECHO_REQUEST,
    building.ECHO_RESPONSE,
)

# ------------------------------------------------------------------------------------ packets


def packet_seeds() -> list[bytes]:
    return [*CONTROLS, b"".join(CONTROLS), building.data(b"\x21" + ip_packet()) + CONTROLS[0]]


def read_packets(data: bytes) -> None:
    """Cut anywhere it is the same packets; each is read or refused, and written as it was."""
    framer, pieces = Framer(), Framer()
    packets = framer.feed(data)
    dice = random.Random(len(data))
    cut: list[bytes] = []
    at = 0
    while at < len(data):
        size = dice.choice((1, 3, 30, 3000))
        cut += pieces.feed(data[at : at + size])
        at += size
    assert cut == packets
    assert framer.broken == pieces.broken
    assert len(framer._pending) < LONGEST
    for packet in packets:
        if is_control(packet):
            _read_control(packet)


def _read_control(packet: bytes) -> None:
    control = read_control(packet)
    if isinstance(control, Malformed):
        assert control.why.isprintable()
        return
    assert control.message in Message
    body = b"".join(_attribute(a.id, a.value) for a in control.attributes)
    assert 8 + len(body) == len(packet)
    head = len(packet).to_bytes(2) + control.message.to_bytes(2)
    again = read_control(b"\x10\x01" + head + len(control.attributes).to_bytes(2) + body)
    assert isinstance(again, Control)
    assert again.attributes == control.attributes
    wrong = faults(control)
    assert all(str(info) for info in (*wrong, *status_infos(control)))
    refusal = building.connect_nak(wrong)
    assert len(refusal) <= LONGEST
    assert isinstance(read_control(refusal), Control)


def _attribute(identifier: int, value: bytes) -> bytes:
    return bytes((0, identifier)) + (4 + len(value)).to_bytes(2) + value


# ----------------------------------------------------------------------------------- machines

PHASES: tuple[Step | None, ...] = (
    "http", "request", "ppp", "authentication", "binding", "network", None,
)  # fmt: skip
"""Where an honest peer falls silent and the stranger goes on; None: all is established."""
BEFORE_BINDING = 5
PHASE, BYTES, CONTROL, FRAME, TIME, REPLAY, END = range(7)
"""What a step does: its first one may choose the phase."""


def machine_seeds() -> list[bytes]:
    pair = Pair().run()
    lcp = encode_packet(1, 1, encode_options((Option(1, b"\5\x78"), Option(5, b"\1\2\3\4"))))
    ipcp = encode_packet(1, 1, encode_options((Option(3, bytes(4)), Option(129, bytes(4)))))
    others = (
        frames.join(LCP, lcp),
        frames.join(IPCP, ipcp),
        frames.join(CHAP, encode_packet(2, 1, b"\x31" + bytes(49) + b"alice")),
        frames.join(LCP, encode_packet(5, 1)),
        frames.ADDRESS_CONTROL + b"\0\x21" + ip_packet(),
    )
    seeds = [join([(PHASE, b"\0"), (BYTES, stream)]) for stream in (pair.to_server, pair.to_client)]
    for phase in range(len(PHASES)):
        start = (PHASE, bytes((phase,)))
        seeds += [
            join([start, *((CONTROL, packet[4:]) for packet in CONTROLS)]),
            join([start, *((FRAME, frame) for frame in others), (TIME, b"\0\x64")]),
            join([start, (TIME, b"\2\0"), (REPLAY, b"\0"), (REPLAY, b"\3"), (END, b"")]),
        ]
    header = f"{METHOD} {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {2**64 - 1}\r\n\r\n".encode()
    return [*seeds, join([(BYTES, header + CONTROLS[0]), (BYTES, b"HTTP/1.1 200 OK\r\n\r\n")])]


class Played:
    """One end of a call and all that it has told."""

    def __init__(self, phase: int, *, server: bool) -> None:
        self.phase = phase
        tamper: dict[str, Any] = {"tamper": Tamper(silent_at=PHASES[phase])} if server else {}
        begun = server or phase == len(PHASES) - 1
        self.pair = Pair(PASSWORDS, **tamper).run() if begun else Pair()
        self.server = server
        self.call: ServerCall | ClientCall = self.pair.server if server else self.pair.client
        self.heard = self.pair.to_server if server else self.pair.to_client
        self.told: list[CallEvent] = list(self.pair.server_saw if server else self.pair.client_saw)
        self.connected = any(isinstance(event, Connected) for event in self.told)

    def do(self, kind: int, data: bytes) -> None:
        pair, call = self.pair, self.call
        if kind == BYTES:
            call.receive(data, pair.now)
        elif kind == CONTROL:
            call.receive(b"\x10\x01" + (4 + len(data)).to_bytes(2) + data, pair.now)
        elif kind == FRAME:
            call.receive(building.data(data[: LONGEST - 4]), pair.now)
        elif kind == TIME:
            pair.now += int.from_bytes(data[:2]) / 10
            call.tick(pair.now)
        elif kind == REPLAY and self.heard:
            begin = int.from_bytes(data[:2]) % len(self.heard)
            call.receive(self.heard[begin : begin + 300], pair.now)
        elif kind == END:
            call.end("the owner hangs up", pair.now)
        self.look()

    def look(self) -> None:
        """What its owner relies on after each step; attempts get their verdicts."""
        call = self.call
        assert len(call.outgoing()) <= MOST_UNSENT
        assert len(call._framer._pending) < LONGEST
        http = call._request if isinstance(call, ServerCall) else call._response
        assert len(http._reader._header) <= LONGEST_HEADER
        while events := call.events():
            self.told += events
            for event in events:
                answer = verdict(event)
                if answer and self.server:
                    self.pair.server.answer(answer, self.pair.now)

    def finish(self) -> None:
        """Left alone the call ends within its timers, and has told a story that makes sense."""
        begun = now = self.pair.now
        for _ in range(60):
            if self.call.closed:
                break
            due = self.call.deadline()
            assert due is not None
            now = max(now, due)
            self.call.tick(now)
            self.look()
        assert self.call.closed
        assert now <= begun + 240
        self._in_order()

    def _in_order(self) -> None:
        for once in (Bound, Connected, Refused, Ended):
            assert sum(isinstance(event, once) for event in self.told) <= 1
        ends = [at for at, event in enumerate(self.told) if isinstance(event, Refused | Ended)]
        after = self.told[ends[0] :]
        assert not any(isinstance(event, Connected | Data | Bound) for event in after)
        assert isinstance(self.told[-1], Ended)
        if self.server and self.phase < BEFORE_BINDING:
            assert not any(isinstance(event, Bound | Connected | Data) for event in self.told)


def run_machine(data: bytes, *, server: bool) -> None:
    steps = split(data)
    phase = 0
    if steps and steps[0][0] == PHASE:
        phase = steps[0][1][0] % len(PHASES) if steps[0][1] else 0
    played = Played(phase, server=server)
    for kind, content in steps:
        played.do(kind, content)
    played.finish()


def run_server(data: bytes) -> None:
    run_machine(data, server=True)


def run_client(data: bytes) -> None:
    run_machine(data, server=False)


WATCHES = ("gateway/sstp/protocol/",)
TARGETS = (
    Target("sstp-packets", packet_seeds, read_packets, ("gateway/sstp/protocol/",), of_bytes),
    Target("sstp-server", machine_seeds, run_server, WATCHES, of_steps(END + 1), quick=400),
    Target("sstp-client", machine_seeds, run_client, WATCHES, of_steps(END + 1), quick=400),
)
