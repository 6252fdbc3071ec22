"""SSTP data packets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dataplane.framing import (
    LONGEST,
    PPP_HEADERS,
    FramingError,
    count,
    fitting,
    headers,
    ip_offset,
    last_at,
    length_at,
)


@pytest.mark.parametrize("header", PPP_HEADERS)
def test_every_accepted_form_of_a_ppp_header_leads_to_the_packet(header: bytes) -> None:
    data = b"..." + headers(header)[40] + bytes(40)
    assert length_at(data, 3) == len(data) - 3
    assert data[ip_offset(data, 3, len(data) - 3) :] == bytes(40)


@pytest.mark.parametrize(
    "frame", [b"", b"\xff", b"\xff\x03", b"\xff\x03\xc0\x21..", b"\xc0\x21..", b"\x00\x57", b"\x57"]
)
def test_other_protocols_and_too_short_ones_carry_no_ip(frame: bytes) -> None:
    data = b"\x10\x00" + (4 + len(frame)).to_bytes(2, "big") + frame + b"\x21\x00\x21"
    assert ip_offset(data, 0, 4 + len(frame)) == 0


def test_a_control_packet_carries_no_ip_whatever_is_in_it() -> None:
    assert ip_offset(b"\x10\x01\x00\x08\x00\x21\x00\x00", 0, 8) == 0


def test_reserved_bits_are_ignored() -> None:
    assert length_at(b"\x10\xfe\xf0\x05\x21", 0) == 5
    assert ip_offset(b"\x10\xfe\xf0\x05\x21", 0, 5) == 5


@pytest.mark.parametrize("head", [b"\x11\x00\x00\x08", b"\x10\x00\x00\x03", b"\x10\x01\x00\x00"])
def test_a_stream_that_cannot_be_delimited_says_so(head: bytes) -> None:
    with pytest.raises(FramingError):
        length_at(head, 0)


def test_no_header_is_longer_than_a_length_can_say() -> None:
    for form in PPP_HEADERS:
        table = headers(form)
        assert len(table[-1]) + len(table) - 1 == LONGEST
        assert length_at(table[-1], 0) == LONGEST


@given(st.lists(st.integers(0, 1400), min_size=1, max_size=20), st.integers(-5, 30000))
def test_whole_packets_are_cut_between_two(sizes: list[int], room: int) -> None:
    frames = [headers(b"\x21")[size] + bytes(size) for size in sizes]
    together = b"".join(frames)
    assert together[last_at(together) :] == frames[-1]
    fits = fitting(together, room)
    left_out = count(together[fits:])
    assert together[:fits] == b"".join(frames[: len(frames) - left_out])
    assert fits <= max(room, 0)
    assert left_out == 0 or fits + len(frames[len(frames) - left_out]) > room
