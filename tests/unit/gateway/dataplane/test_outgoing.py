"""The queue of one client: order, bound, and the record of the last packet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dataplane.counters import Counters
from gateway.dataplane.framing import count
from gateway.dataplane.outgoing import CONTROL_BYTES, QUEUE_BYTES, Outgoing
from gateway.dataplane.tls import TlsConnection
from tests.unit.gateway.dataplane.pieces import framed


class Wire:
    """Records what is written; accepts nothing more after `patience` writes."""

    def __init__(self) -> None:
        self.writes: list[list[bytes]] = []
        self.patience = 1_000_000

    @property
    def wants_write(self) -> bool:
        return self.patience <= 0

    def write(self, pieces: Sequence[bytes]) -> None:
        assert not self.wants_write
        assert all(pieces)
        self.patience -= 1
        self.writes.append([bytes(piece) for piece in pieces])

    def bytes(self) -> bytes:
        return b"".join(piece for pieces in self.writes for piece in pieces)


def on(wire: Wire) -> tuple[Outgoing, Counters]:
    counters = Counters()
    return Outgoing(cast("TlsConnection", wire), counters), counters


def packets(size: int, number: int = 5) -> list[bytes]:
    return [framed(bytes([one]) * size) for one in range(number)]


def test_a_flush_is_sent_at_once_and_its_last_packet_by_itself() -> None:
    wire = Wire()
    *some, last = packets(100)
    assert on(wire)[0].send([b"".join(some)], last, 1 << 20) == 5 * 108
    assert wire.writes == [[b"".join(some), last]]


def test_queued_packets_end_with_a_single_packet_record_too() -> None:
    wire = Wire()
    outgoing, _ = on(wire)
    wire.patience = 0
    for _ in range(3):
        *some, last = packets(100)
        outgoing.send([b"".join(some)], last, 1 << 20)
    wire.patience = 9
    assert outgoing.drain(1 << 20) == 3 * 5 * 108
    assert wire.writes == [[b"".join(packets(100) * 3)[:-108], last]]


def test_no_more_is_sent_than_the_turn_allows() -> None:
    wire = Wire()
    outgoing, _ = on(wire)
    chunks = [b"".join(packets(1000)) for _ in range(4)]
    assert outgoing.send(chunks, framed(b"last"), 6000) == 2 * 5040
    assert len(outgoing) == 2 * 5040 + 12
    assert outgoing.drain(5000) == 5000
    assert len(wire.writes[-1]) == 1
    assert outgoing.send([], framed(b"more"), 6000) == 0  # behind what waits
    assert outgoing.drain(1 << 20) == 5092 + 12
    assert wire.bytes() == b"".join(chunks) + framed(b"last") + framed(b"more")
    assert wire.writes[-1][-1] == framed(b"more")


def test_after_a_dropped_tail_the_last_packet_left_has_its_own_record() -> None:
    wire = Wire()
    outgoing, counters = on(wire)
    wire.patience = 0
    outgoing.send([b"".join(packets(1000))], framed(b"last"), 1 << 20, bound=3500)
    assert (len(outgoing), counters.dropped) == (3 * 1008 + 12, 2)
    outgoing.send([b"".join(packets(1000))], framed(bytes(900)), 1 << 20, bound=3500)
    assert (len(outgoing), counters.dropped) == (3 * 1008 + 12, 8)
    wire.patience = 9
    outgoing.drain(1 << 20)
    assert wire.writes == [[b"".join(packets(1000)[:3]), framed(b"last")]]


def test_control_packets_have_extra_but_bounded_room() -> None:
    wire = Wire()
    outgoing, _ = on(wire)
    wire.patience = 0
    outgoing.send([], framed(bytes(4000)) * 100, 1 << 20)
    echo = b"\x10\x01\x00\x08\x00\x09\x00\x00"
    taken = 0
    while outgoing.send_control(echo * 100):
        taken += 800
    assert QUEUE_BYTES + CONTROL_BYTES - 800 < len(outgoing) <= QUEUE_BYTES + CONTROL_BYTES
    wire.patience = 1000
    while outgoing.drain(65536):
        pass
    assert wire.bytes().endswith(echo * (taken // 8))
    assert wire.writes[-1][-1] == echo


STEPS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 1400), min_size=1, max_size=60),
        st.integers(1, 8), st.integers(0, 3), st.sampled_from([1, 1000, 16384, 70000]),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=200)
@given(STEPS)
def test_packets_keep_their_order_and_none_is_cut(
    steps: list[tuple[list[int], int, int, int]],
) -> None:
    wire = Wire()
    outgoing, counters = on(wire)
    sent = 0
    for sizes, each, patience, most in steps:
        frames = [
            framed((sent + at).to_bytes(4, "big") + bytes(size)) for at, size in enumerate(sizes)
        ]
        *some, last = frames
        chunks = [b"".join(some[at : at + each]) for at in range(0, len(some), each)]
        wire.patience = patience
        outgoing.send(chunks, last, most, bound=20000)
        sent += len(frames)
        assert len(outgoing) <= 20000
        outgoing.drain(most)
    wire.patience = 1_000_000
    while outgoing.drain(16384):
        pass
    assert not outgoing
    stream, numbers, at = wire.bytes(), [], 0
    while at < len(stream):
        numbers.append(int.from_bytes(stream[at + 8 : at + 12], "big"))
        at += stream[at + 2] << 8 | stream[at + 3]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + counters.dropped == sent
    if wire.writes:
        last_write = wire.writes[-1]
        assert len(last_write[-1]) < 4096
        if len(last_write) > 1:
            assert count(last_write[-1]) == 1
