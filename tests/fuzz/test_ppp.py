"""Any bytes in any order: a link never raises, never hangs, never keeps more than a bound.

More of it: HYPOTHESIS_PROFILE=soak ./p2slab test tests/fuzz/test_ppp.py
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ppp import frames
from gateway.ppp.events import (
    Accept,
    Authenticated,
    EapReply,
    LinkDown,
    NetworkUp,
    Refuse,
    Verdict,
)
from gateway.ppp.frames import CHAP, EAP, IPCP, LCP, PAP, encode_packet
from gateway.ppp.link import Link
from gateway.ppp.options import Option, encode_options, parse_options
from gateway.ppp.tls_messages import LONGEST_MESSAGE, Fragments
from gateway.ppp.wire import MOST_OUTGOING
from tests.unit.ppp.certificates import client_tls
from tests.unit.ppp.local_eap_tls import LocalEapTls
from tests.unit.ppp.pair import GIVEN, Pair, client_config, server_config
from tests.unit.ppp.radius import MsChapV2Radius

MOST_EVENTS = 8

SETUPS: dict[str, Callable[[], Pair]] = {
    "MS-CHAPv2": lambda: Pair(server_config(), client_config()),
    "PAP": lambda: Pair(server_config(methods=("PAP",)), client_config(methods=("PAP",))),
    "EAP-TLS": lambda: Pair(
        server_config(methods=("EAP",)), client_config(eap_tls=client_tls()), judge=LocalEapTls()
    ),
    "EAP": lambda: Pair(server_config(methods=("EAP",)), client_config(), judge=MsChapV2Radius()),
}

option = st.builds(
    Option,
    st.sampled_from([1, 2, 3, 5, 7, 8, 13, 129, 130]) | st.integers(0, 255),
    st.binary(max_size=6) | st.sampled_from([b"\xc2\x27", b"\xc2\x23\x81", b"\xc0\x23"]),
)
options = st.lists(option, max_size=6).map(lambda found: encode_options(tuple(found)))
packet = st.builds(
    encode_packet,
    st.integers(0, 14),
    st.integers(0, 3) | st.integers(0, 255),
    options | st.binary(max_size=80) | st.builds(bytes.__add__, st.sampled_from(
        [b"\1", b"\3\x0d", b"\x0d\x20", b"\x0d\x00", b"\x0d\x40", b"\x1a\1\1\0\x25\x10", b"\x31"]
    ), st.binary(max_size=60)),
)  # fmt: skip
protocol = st.sampled_from([LCP, LCP, IPCP, EAP, CHAP, PAP, 0x8057, 0x80FD, frames.IP])
frame = st.one_of(
    st.builds(frames.join, protocol, packet),
    st.builds(frames.join, protocol, st.binary(max_size=60)),
    st.binary(max_size=60),
    st.just(bytes(5000)),
)
verdict = st.one_of(
    st.builds(Accept, st.just(GIVEN), message=st.text(max_size=5), eap=st.binary(max_size=9)),
    st.builds(
        Refuse, st.just("refused"), st.text(max_size=5), st.binary(max_size=9), retry=st.booleans()
    ),
    st.builds(EapReply, packet | st.binary(max_size=9)),
)
step = st.one_of(
    frame, frame, verdict, st.floats(0.0, 40.0), st.just("take"), st.just("end"),
    st.integers(0, 40),
)  # fmt: skip


class Fuzzed:
    """A link in the hands of a stranger; what any owner relies on is looked at after each step."""

    def __init__(self, pair: Pair, *, server: bool) -> None:
        self.pair = pair
        self.link = pair.server if server else pair.client
        self.seen: list[object] = list(pair.server_events if server else pair.client_events)
        self.echoed: list[bytes] = []

    def take(self) -> None:
        sent, events = self.link.outgoing(), self.link.events()
        assert len(sent) <= MOST_OUTGOING
        assert len(events) <= MOST_EVENTS
        assert all(len(one) <= frames.LONGEST_FRAME for one in sent)
        self.echoed = (self.echoed + sent)[-40:]
        self.seen += events

    def do(self, what: bytes | Verdict | float | str) -> None:
        now = self.pair.now
        if isinstance(what, bytes):
            self.link.receive(what, now)
        elif isinstance(what, Accept | Refuse | EapReply):
            self.link.answer(what, now)
        elif isinstance(what, float):
            self.pair.now += what
            self.link.tick(self.pair.now)
        elif isinstance(what, int) and self.echoed:
            self.link.receive(self.echoed[what % len(self.echoed)], now)
        elif what == "end":
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
        for kind in (Authenticated, LinkDown, NetworkUp):
            assert sum(isinstance(event, kind) for event in self.seen) <= 1
        if any(isinstance(event, LinkDown) for event in self.seen):
            assert isinstance(self.seen[-1], LinkDown)
            assert not self.link.network_open
        if self.link.network_open:
            assert any(isinstance(event, Authenticated) for event in self.seen)


@pytest.mark.parametrize("server", [True, False], ids=["server", "client"])
@pytest.mark.parametrize("method", SETUPS)
@given(steps=st.lists(step, max_size=30), start=st.integers(0, 30))
def test_a_link_bears_anything_at_any_point_of_its_life(
    method: str, server: bool, steps: list[bytes | Verdict | float | int | str], start: int
) -> None:
    """`start`: how many frames the two ends exchange in peace before the stranger begins."""
    pair = SETUPS[method]()
    left = itertools.count()
    pair.lost = lambda _who, _frame: next(left) >= start
    pair.open()
    fuzzed = Fuzzed(pair, server=server)
    for one in steps:
        fuzzed.do(one)
    fuzzed.finish()


@pytest.mark.parametrize("method", SETUPS)
@given(seed=st.integers(0, 2**32), rate=st.sampled_from([0.02, 0.1, 0.3]))
def test_two_ends_bear_a_line_that_changes_their_bytes(method: str, seed: int, rate: float) -> None:
    """Bytes flipped, cut, doubled on the way: both ends come to rest, neither raises."""
    chance = random.Random(seed)
    pair = SETUPS[method]()

    def mangle(who: str, sent: bytes) -> bool:
        if chance.random() >= rate:
            return False
        changed = bytearray(sent)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        receiver = pair.client if who == "s" else pair.server
        receiver.receive(bytes(changed[: chance.randrange(len(changed) + 1)]), pair.now)
        receiver.receive(bytes(changed), pair.now)
        return chance.random() < 0.5

    pair.lost = mangle
    pair.open().wait(200)
    for link in (pair.server, pair.client):
        assert link.deadline() is None or link.deadline() <= pair.now + 60
    if pair.server.network_open:
        assert len(pair.of_server(Authenticated)) == 1


@given(st.binary(max_size=300))
def test_any_list_of_options_is_read_or_refused(data: bytes) -> None:
    found = parse_options(data)
    assert found is None or encode_options(found) == data


@given(st.binary(max_size=40))
def test_both_ways_to_an_ip_packet_agree(data: bytes) -> None:
    found = frames.split(data)
    expected = found[1] if found and found[0] == frames.IP else None
    assert frames.ip_packet(data) == expected
    view = frames.ip_packet(memoryview(data))
    assert (None if view is None else bytes(view)) == expected


@given(st.lists(st.binary(max_size=2000), max_size=60))
def test_pieces_of_a_tls_flight_are_never_kept_beyond_the_bound(pieces: list[bytes]) -> None:
    fragments = Fragments(1000)
    for piece in pieces:
        try:
            fragments.receive(piece)
        except ValueError:
            return
        assert len(fragments._in) <= LONGEST_MESSAGE


def test_a_flood_of_frames_leaves_nothing_behind() -> None:
    """A stranger's million bytes are not kept anywhere."""
    link = Link(server_config(), now=0.0, entropy=random.Random(2).randbytes)
    link.open(0.0)
    chance = random.Random(3)
    for _ in range(5000):
        link.receive(frames.join(LCP, encode_packet(chance.randrange(256), 1, bytes(200))), 0.0)
    assert len(link._wire.outgoing) <= MOST_OUTGOING
    assert len(link._wire.events) <= MOST_EVENTS
