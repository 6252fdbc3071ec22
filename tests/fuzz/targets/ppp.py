"""A PPP link in the hands of a stranger: LCP, each way of authentication, IPCP; either end."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from gateway.ppp import frames
from gateway.ppp.chap import encode_value
from gateway.ppp.events import (
    Accept,
    Authenticated,
    AuthenticationFailed,
    EapReply,
    LinkDown,
    LinkEvent,
    NetworkUp,
    Refuse,
)
from gateway.ppp.frames import CHAP, EAP, IPCP, LCP, PAP, encode_packet
from gateway.ppp.options import Option, encode_options, parse_options
from gateway.ppp.wire import MOST_OUTGOING
from tests.fuzz.engine import Target
from tests.fuzz.mutations import join, of_steps, split
from tests.unit.gateway.ppp.certificates import client_tls
from tests.unit.gateway.ppp.local_eap_tls import LocalEapTls
from tests.unit.gateway.ppp.pair import GIVEN, Pair, client_config, server_config
from tests.unit.gateway.ppp.radius import MsChapV2Radius

MOST_EVENTS = 8

SETUPS: tuple[Callable[[], Pair], ...] = (
    lambda: Pair(server_config(), client_config()),
    lambda: Pair(server_config(methods=("PAP",)), client_config(methods=("PAP",))),
    lambda: Pair(
        server_config(methods=("EAP",)), client_config(eap_tls=client_tls()), judge=LocalEapTls()
    ),
    lambda: Pair(server_config(methods=("EAP",)), client_config(), judge=MsChapV2Radius()),
)
BEGIN, FRAME, VERDICT, TIME, REPLAY, END = range(6)
"""What a step does. The first one may choose the setup, and after how many frames that the two
ends exchange in peace the stranger begins.
"""
VERDICTS = (
    lambda data: Accept(GIVEN, message=data[:5].decode("latin-1"), eap=data[:9]),
    lambda data: Refuse("refused", data[:5].decode("latin-1"), data[:9], retry=len(data) % 2 > 0),
    EapReply,
)


def seeds() -> list[bytes]:
    lcp = (
        (1, b"\5\x78"), (3, b"\xc2\x23\x81"), (3, b"\xc2\x27"), (3, b"\xc0\x23"), (5, b"\1\2\3\4"),
        (7, b""), (8, b""), (13, b"\6"),
    )  # fmt: skip
    ipcp = (
        (3, bytes(4)),
        (3, GIVEN.packed),
        (129, bytes(4)),
        (131, bytes(4)),
        (2, b"\0\x2d\x0f\1"),
    )
    asked = [frames.join(LCP, _options(code, lcp)) for code in (1, 2, 3, 4)]
    given = [frames.join(IPCP, _options(code, ipcp)) for code in (1, 2, 3, 4)]
    closing = [frames.join(protocol, encode_packet(code, 1, b"\0\0"))
               for protocol in (LCP, IPCP) for code in (5, 6, 7, 8, 9, 10)]  # fmt: skip
    users = [
        frames.join(PAP, encode_packet(1, 1, b"\5alice\x0dcorrect horse")),
        frames.join(PAP, encode_packet(2, 1, b"\0")),
        frames.join(CHAP, encode_packet(1, 1, encode_value(bytes(16), "server"))),
        frames.join(CHAP, encode_packet(2, 1, encode_value(bytes(49), "alice"))),
        frames.join(CHAP, encode_packet(3, 1, b"S=" + b"0" * 40 + b" M=welcome")),
        frames.join(CHAP, encode_packet(4, 1, b"E=691 R=1 C=" + b"0" * 32 + b" V=3 M=no")),
        frames.join(EAP, encode_packet(1, 1, b"\1")),
        frames.join(EAP, encode_packet(2, 1, b"\1alice")),
        frames.join(EAP, encode_packet(2, 1, b"\3\x0d\x1a")),
        frames.join(EAP, encode_packet(1, 2, b"\x0d\x20")),
        frames.join(EAP, encode_packet(2, 2, b"\x0d\x80\0\0\1\0\x16\3\1\0\xfc" + bytes(100))),
        frames.join(EAP, encode_packet(1, 2, b"\x1a\1\2\0\x25\x10" + bytes(16) + b"radius")),
        frames.join(EAP, encode_packet(3, 2)),
        frames.join(0x0057, b"\x60" + bytes(39)),
        frames.join(frames.IP, b"\x45" + bytes(19)),
    ]
    replies = [(VERDICT, b"\2" + encode_packet(1, 3, b"\x1a\1\2")), (VERDICT, b"\1no"),
               (VERDICT, b"\0ok")]  # fmt: skip
    steps = [(FRAME, frame) for frame in (*asked, *users, *given, *closing)]
    made = [join(steps), join([(BEGIN, b"\1\4"), *steps[:4], (END, b""), *steps[-6:]])]
    for setup, start in itertools.product(range(len(SETUPS)), (0, 3, 6, 9, 12, 15, 25)):
        begin = (BEGIN, bytes((setup, start)))
        made.append(join([begin, (FRAME, users[start % len(users)]), *replies, (TIME, b"\0\x20"),
                          (REPLAY, b"\0"), (REPLAY, b"\1"), (TIME, b"\1\0")]))  # fmt: skip
    return made


def _options(code: int, options: tuple[tuple[int, bytes], ...]) -> bytes:
    return encode_packet(code, 1, encode_options(tuple(Option(*one) for one in options)))


class Fuzzed:
    """A link in the hands of a stranger; what any owner relies on is looked at after each step."""

    def __init__(self, pair: Pair, *, server: bool) -> None:
        self.pair = pair
        self.server = server
        self.link = pair.server if server else pair.client
        self.seen: list[LinkEvent] = list(pair.server_events if server else pair.client_events)
        self.echoed: list[bytes] = []
        self.accepted = any(isinstance(event, Authenticated) for event in self.seen)

    def take(self) -> None:
        sent, events = self.link.outgoing(), self.link.events()
        assert len(sent) <= MOST_OUTGOING
        assert len(events) <= MOST_EVENTS
        assert all(len(one) <= frames.LONGEST_FRAME for one in sent)
        self.echoed = (self.echoed + sent)[-40:]
        self.seen += events

    def do(self, kind: int, data: bytes) -> None:
        now = self.pair.now
        if kind == FRAME:
            self.link.receive(data, now)
        elif kind == VERDICT:
            verdict = VERDICTS[data[0] % 3 if data else 0](data[1:])
            self.accepted |= isinstance(verdict, Accept)
            self.link.answer(verdict, now)
        elif kind == TIME:
            self.pair.now += int.from_bytes(data[:2]) / 10
            self.link.tick(self.pair.now)
        elif kind == REPLAY and self.echoed:
            self.link.receive(self.echoed[int.from_bytes(data[:1]) % len(self.echoed)], now)
        elif kind == END:
            self.link.terminate("fuzz", now)
        self.take()

    def finish(self) -> None:
        """Left alone it comes to rest: every timer ends."""
        for _ in range(200):
            deadline = self.link.deadline()
            if deadline is None:
                break
            self.pair.now = max(self.pair.now, deadline)
            self.link.tick(self.pair.now)
            self.take()
        assert self.link.deadline() is None
        kinds = [type(event) for event in self.seen]
        for kind in (Authenticated, LinkDown, NetworkUp):
            assert kinds.count(kind) <= 1
        if LinkDown in kinds:
            assert kinds[-1] is LinkDown
            assert not self.link.network_open
        if AuthenticationFailed in kinds:
            after = kinds[kinds.index(AuthenticationFailed) :]
            assert Authenticated not in after
            assert NetworkUp not in after
        if self.link.network_open or NetworkUp in kinds:
            assert Authenticated in kinds
        if self.server and not self.accepted:
            assert Authenticated not in kinds


def run(data: bytes, *, server: bool) -> None:
    steps = split(data)
    begin = steps[0][1] if steps and steps[0][0] == BEGIN else b""
    setup, start = (begin + bytes(2))[:2]
    pair = SETUPS[setup % len(SETUPS)]()
    left = itertools.count()
    pair.lost = lambda _who, _frame: next(left) >= start
    pair.open()
    fuzzed = Fuzzed(pair, server=server)
    for kind, content in steps:
        fuzzed.do(kind, content)
    fuzzed.finish()


def run_server(data: bytes) -> None:
    run(data, server=True)


def run_client(data: bytes) -> None:
    run(data, server=False)


def read_frames(data: bytes) -> None:
    """Frames, packets and lists of options are read as they were written, or not at all."""
    found = frames.split(data)
    expected = found[1] if found and found[0] == frames.IP else None
    view = frames.ip_packet(memoryview(data))
    options = parse_options(data)
    assert options is None or encode_options(options) == data
    assert frames.ip_packet(data) == (None if view is None else bytes(view)) == expected
    packet = frames.parse_packet(found[1]) if found else None
    if packet is None:
        return
    assert frames.parse_packet(encode_packet(*packet)) == packet


def frame_seeds() -> list[bytes]:
    options = encode_options((Option(1, b"\5\x78"), Option(3, b"\xc2\x23\x81"), Option(7, b"")))
    return [options, *(content for seed in seeds()[:1] for _, content in split(seed))]


WATCHES = ("gateway/ppp/",)
TARGETS = (
    Target("ppp-frames", frame_seeds, read_frames, WATCHES),
    Target("ppp-server", seeds, run_server, WATCHES, of_steps(END + 1), quick=300, cpu=0.2),
    Target("ppp-client", seeds, run_client, WATCHES, of_steps(END + 1), quick=300, cpu=0.2),
)
