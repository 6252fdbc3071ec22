"""Any bytes, in any order and cut anywhere: an SSTP call never raises, hangs or grows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.sstp import building
from gateway.sstp.binding import BOTH
from gateway.sstp.carrier import MOST_UNSENT, Carrier
from gateway.sstp.events import Bound, CallEvent, Connected, Ended, Refused
from gateway.sstp.http import (
    LONGEST_HEADER,
    METHOD,
    PATH,
    Request,
    RequestReader,
    Response,
    ResponseReader,
)
from gateway.sstp.packets import (
    LONGEST,
    Control,
    Framer,
    Message,
    Status,
    faults,
    read_control,
    status_infos,
)
from gateway.sstp.tamper import Step, Tamper
from tests.unit.sstp.calls import PASSWORDS, Pair, ip_packet, verdict

FUZZ = settings(
    max_examples=300,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SERVER_PHASES: dict[str, Step | None] = {
    "before HTTP": "http",
    "before the request": "request",
    "before LCP": "ppp",
    "before authentication": "authentication",
    "before the binding": "binding",
    "before IPCP": "network",
    "established": None,
}
PROTOCOLS = (0x0021, 0x0057, 0x00FD, 0x8021, 0x8057, 0x80FD, 0xC021, 0xC023, 0xC223, 0xC227)


def at(phase: str) -> Pair:
    """A pair whose server has come as far as this phase."""
    return Pair(PASSWORDS, tamper=Tamper(silent_at=SERVER_PHASES[phase])).run()


# ------------------------------------------------------------------------------- what peers send


def attributes() -> st.SearchStrategy[bytes]:
    def made(identifier: int, value: bytes, lie: int) -> bytes:
        return bytes((0, identifier)) + ((4 + len(value) + lie) & 0xFFFF).to_bytes(2, "big") + value

    sizes = st.sampled_from([0, 1, 2, 8, 36, 100, 300])
    values = sizes.flatmap(lambda size: st.binary(min_size=size, max_size=size))
    return st.builds(made, st.integers(0, 6), values, st.sampled_from([0, 0, 0, -1, 1, 4000]))


def controls() -> st.SearchStrategy[bytes]:
    def made(kind: int, parts: list[bytes], lie: int) -> bytes:
        body = b"".join(parts)
        count = (len(parts) + lie) & 0xFFFF
        length = (8 + len(body)).to_bytes(2, "big")
        return b"\x10\x01" + length + kind.to_bytes(2, "big") + count.to_bytes(2, "big") + body

    lies = st.sampled_from([0, 0, 0, -1, 1])
    return st.builds(made, st.integers(0, 11), st.lists(attributes(), max_size=4), lies)


def frames() -> st.SearchStrategy[bytes]:
    def packet(code: int, identifier: int, data: bytes, lie: int) -> bytes:
        return (
            bytes((code, identifier)) + ((4 + len(data) + lie) & 0xFFFF).to_bytes(2, "big") + data
        )

    def made(start: bytes, protocol: int, payload: bytes) -> bytes:
        return building.data(start + protocol.to_bytes(2, "big") + payload)

    packets = st.builds(
        packet,
        st.integers(0, 15),
        st.integers(0, 255),
        st.binary(max_size=60),
        st.sampled_from([0, 0, 0, -1, 7]),
    )
    payloads = packets | st.binary(max_size=80)
    return st.builds(
        made, st.sampled_from([b"\xff\x03", b""]), st.sampled_from(PROTOCOLS), payloads
    )


PROPER = st.sampled_from(
    [
        building.connect_request(),
        building.connect_ack(BOTH, bytes(32)),
        building.abort(Status.NO_ERROR),
        building.disconnect(),
        building.DISCONNECT_ACK,
        building.ECHO_REQUEST,
        building.ECHO_RESPONSE,
        building.data(b"\x21" + ip_packet()),
        f"{METHOD} {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {2**64 - 1}\r\n\r\n".encode(),
        b"HTTP/1.1 200 OK\r\n\r\n",
    ]
)
INPUTS = st.lists(
    PROPER
    | controls()
    | frames()
    | st.binary(max_size=200)
    | st.floats(min_value=0, max_value=70),  # seconds that go by
    max_size=30,
)


def play(call: Carrier[Any], pair: Pair, inputs: list[bytes | float]) -> list[CallEvent]:
    """Everything that the peer and the clock do; the call's events."""
    events: list[CallEvent] = []
    for item in inputs:
        if isinstance(item, bytes):
            call.receive(item, pair.now)
        else:
            pair.now += item
            call.tick(pair.now)
        assert_bounded(call)
        events += call.events()
        for event in events[-1:]:
            answer = verdict(event)
            if answer and call is pair.server:
                pair.server.answer(answer, pair.now)
                events += call.events()
    return events


def assert_bounded(call: Carrier[Any]) -> None:
    assert len(call.outgoing()) <= MOST_UNSENT
    assert len(call._framer._pending) < LONGEST
    if call._reader:
        assert len(call._reader._reader._header) <= LONGEST_HEADER


def assert_in_order(events: list[CallEvent]) -> None:
    for once in (Bound, Connected, Refused, Ended):
        assert sum(isinstance(event, once) for event in events) <= 1
    if any(isinstance(event, Ended) for event in events):
        assert isinstance(events[-1], Ended)


def finish(call: Carrier[Any], now: float) -> float:
    """Turn only the clock, from deadline to deadline, until the call is closed; when that was."""
    for _ in range(60):
        if call.closed:
            return now
        due = call.deadline()
        assert due is not None
        now = max(now, due)
        call.tick(now)
    raise AssertionError("the call does not end")


# ------------------------------------------------------------------------------------ properties


@pytest.mark.parametrize("phase", SERVER_PHASES)
@FUZZ
@given(inputs=INPUTS)
def test_a_server_survives_whatever_comes(phase: str, inputs: list[bytes | float]) -> None:
    pair = at(phase)
    told = list(pair.server_saw)
    told += play(pair.server, pair, inputs)
    assert finish(pair.server, pair.now) <= pair.now + 240
    told += pair.server.events()
    assert_in_order(told)
    assert isinstance(told[-1], Ended)
    if phase not in ("before IPCP", "established"):
        assert not any(isinstance(event, Bound | Connected) for event in told)


@pytest.mark.parametrize("phase", ["before HTTP", "established"])
@FUZZ
@given(inputs=INPUTS)
def test_a_client_survives_whatever_comes(phase: str, inputs: list[bytes | float]) -> None:
    pair = Pair() if phase == "before HTTP" else Pair().run()
    told = list(pair.client_saw)
    told += play(pair.client, pair, inputs)
    assert finish(pair.client, pair.now) <= pair.now + 240
    told += pair.client.events()
    assert_in_order(told)
    assert isinstance(told[-1], Ended)


@FUZZ
@given(flips=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_server_survives_an_honest_client_with_damaged_bytes(
    flips: list[tuple[int, int]],
) -> None:
    honest = bytearray(Pair().run().to_server)
    for at_byte, value in flips:
        honest[at_byte % len(honest)] = value
    pair = Pair()
    play(pair.server, pair, [bytes(honest[at : at + 50]) for at in range(0, len(honest), 50)])
    assert finish(pair.server, 0) <= 240


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in [*sizes, len(data)]:
        pieces.append(data[at : at + size])
        at += size
    return pieces


SIZES = st.lists(st.integers(1, 40), max_size=30)


@FUZZ
@given(parts=st.lists(PROPER | controls() | st.binary(max_size=30), max_size=8), sizes=SIZES)
def test_where_a_stream_is_cut_makes_no_difference(parts: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(parts)
    whole, piecewise = Framer(), Framer()
    expected = whole.feed(stream)
    assert [p for piece in cut(stream, sizes) for p in piecewise.feed(piece)] == expected
    assert piecewise.broken == whole.broken


HEADERS = st.lists(
    st.sampled_from(
        [
            f"{METHOD} {PATH} HTTP/1.1\r\n",
            "HTTP/1.1 200 OK\r\n",
            "Host: x\r\n",
            "Host:\t  x \r\n",
            f"Content-Length: {2**64 - 1}\r\n",
            "SSTPCORRELATIONID: {}\r\n",
            "\r\n",
            "\n",
            " ",
        ]
    )
    | st.text(st.characters(max_codepoint=255), max_size=20),
    max_size=10,
).map(lambda parts: "".join(parts).encode("latin-1"))


@pytest.mark.parametrize("reader", [RequestReader, ResponseReader])
@FUZZ
@given(data=HEADERS, sizes=SIZES)
def test_where_a_header_is_cut_makes_no_difference(
    reader: type[RequestReader | ResponseReader], data: bytes, sizes: list[int]
) -> None:
    whole, piecewise = reader(), reader()
    expected = whole.feed(data)
    answer, rest = None, b""
    for piece in cut(data, sizes):
        if answer is None:
            answer = piecewise.feed(piece)
            rest = piecewise.rest
        else:
            rest += piece
    assert answer == expected
    if isinstance(answer, Request | Response):
        assert rest == whole.rest


@FUZZ
@given(packet=controls() | st.binary(min_size=4, max_size=200))
def test_any_message_can_be_judged(packet: bytes) -> None:
    control = read_control(packet)
    if isinstance(control, Control):
        assert control.message in Message
        wrong = faults(control)
        assert all(str(info) for info in (*wrong, *status_infos(control)))
        assert len(building.connect_nak(wrong)) <= LONGEST
