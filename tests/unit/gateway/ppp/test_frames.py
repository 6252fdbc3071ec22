"""Frames in all accepted forms, packets of control protocols, lists of options."""

from __future__ import annotations

import pytest

from gateway.ppp.frames import Packet, encode_packet, ip_packet, join, parse_packet, split
from gateway.ppp.options import MOST_OPTIONS, Option, encode_options, parse_options

IP_FORMS = [b"\xff\x03\x00\x21", b"\xff\x03\x21", b"\x00\x21", b"\x21"]


@pytest.mark.parametrize("head", IP_FORMS)
def test_an_ip_packet_is_found_behind_every_form_of_header(head: bytes) -> None:
    assert ip_packet(head + b"E\0") == b"E\0"
    view = ip_packet(memoryview(head + b"E\0"))
    assert isinstance(view, memoryview)
    assert view == b"E\0"
    assert split(head + b"E\0") == (0x21, b"E\0")


@pytest.mark.parametrize(
    "frame",
    [b"", b"\xff", b"\xff\x03", b"\x00", b"\xff\x03\x00", b"\xff\x03\xc0\x21\x09", b"\x80\x21E",
     b"\x57E", b"\x00\x57E"],
)  # fmt: skip
def test_what_is_not_ip_is_none_to_the_fast_path(frame: bytes) -> None:
    assert ip_packet(frame) is None
    assert ip_packet(memoryview(frame)) is None


@pytest.mark.parametrize("frame", [b"", b"\xff\x03", b"\xff\x03\xc0", b"\xc0", b"\xc0\x20E"])
def test_a_frame_without_a_protocol_number_is_none(frame: bytes) -> None:
    assert split(frame) is None


def test_a_joined_frame_splits_again() -> None:
    assert split(join(0xC021, b"x")) == (0xC021, b"x")


def test_padding_behind_a_packet_is_cut() -> None:
    assert parse_packet(encode_packet(1, 2, b"abc") + bytes(9)) == Packet(1, 2, b"abc")


@pytest.mark.parametrize("payload", [b"", b"\1\2\0", b"\1\2\0\3", b"\1\2\0\5"])
def test_a_packet_whose_length_does_not_fit_is_none(payload: bytes) -> None:
    assert parse_packet(payload) is None


def test_options_are_read_as_written() -> None:
    options = (Option(1, b"\x05\x78"), Option(7, b""))
    assert parse_options(encode_options(options)) == options
    assert parse_options(b"") == ()


@pytest.mark.parametrize("data", [b"\1", b"\1\0", b"\1\1", b"\1\4\0", b"\7\2\1\4\0"])
def test_a_list_that_runs_past_its_end_is_none(data: bytes) -> None:
    assert parse_options(data) is None


def test_a_list_beyond_the_bound_is_none() -> None:
    assert parse_options(b"\7\2" * MOST_OPTIONS)
    assert parse_options(b"\7\2" * (MOST_OPTIONS + 1)) is None
