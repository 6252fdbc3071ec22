"""Two ends over a line that changes their bytes; floods. A stranger's bytes: targets/ppp.py.

More of it: HYPOTHESIS_PROFILE=soak ./p2slab test tests/fuzz/test_ppp.py
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ppp import frames
from gateway.ppp.events import Authenticated
from gateway.ppp.frames import LCP, encode_packet
from gateway.ppp.link import PppLink
from gateway.ppp.tls_messages import LONGEST_MESSAGE, Fragments
from gateway.ppp.wire import MOST_OUTGOING
from tests.fuzz.targets.ppp import MOST_EVENTS, SETUPS
from tests.unit.gateway.ppp.pair import server_config


@pytest.mark.parametrize("method", range(len(SETUPS)))
@given(seed=st.integers(0, 2**32), rate=st.sampled_from([0.02, 0.1, 0.3]))
def test_two_ends_bear_a_line_that_changes_their_bytes(method: int, seed: int, rate: float) -> None:
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
        assert (link.deadline() or 0.0) <= pair.now + 60
    if pair.server.network_open:
        assert len(pair.of_server(Authenticated)) == 1


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
    link = PppLink(server_config(), now=0.0, entropy=random.Random(2).randbytes)
    link.open(0.0)
    chance = random.Random(3)
    for _ in range(5000):
        link.receive(frames.join(LCP, encode_packet(chance.randrange(256), 1, bytes(200))), 0.0)
    assert len(link._wire.outgoing) <= MOST_OUTGOING
    assert len(link._wire.events) <= MOST_EVENTS
