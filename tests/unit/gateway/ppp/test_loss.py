"""Frames that are lost, repeated or late: RFC 1661's timers bring the network up all the same."""

from __future__ import annotations

import random

import pytest

from gateway.ppp.events import Authenticated, LinkDown
from gateway.ppp.frames import CHAP, EAP, IPCP, LCP
from tests.unit.gateway.ppp.certificates import client_tls
from tests.unit.gateway.ppp.local_eap_tls import LocalEapTls
from tests.unit.gateway.ppp.pair import Lost, Pair, client_config, server_config
from tests.unit.gateway.ppp.radius import MsChapV2Radius

MAKE = {
    "MS-CHAPv2": lambda lost: Pair(server_config(), client_config(), lost=lost),
    "PAP": lambda lost: Pair(
        server_config(methods=("PAP",)), client_config(methods=("PAP",)), lost=lost
    ),
    "EAP-MSCHAPv2": lambda lost: Pair(
        server_config(methods=("EAP",)), client_config(), judge=MsChapV2Radius(), lost=lost
    ),
    "EAP-TLS": lambda lost: Pair(
        server_config(methods=("EAP",)),
        client_config(eap_tls=client_tls()),
        judge=LocalEapTls(),
        lost=lost,
    ),
}


def nth(number: int) -> Lost:
    """Lose just the frame of that number."""
    count = iter(range(10_000))
    return lambda _who, _frame: next(count) == number


def is_unacknowledged(frame: bytes) -> bool:
    """CHAP's and EAP's last packet, which is never retransmitted (RFC 1994 4.2, 3748 4.2)."""
    protocol, code = int.from_bytes(frame[2:4], "big"), frame[4]
    return (protocol == CHAP and code in (2, 3, 4)) or (protocol == EAP and code == 4)


@pytest.mark.parametrize("method", MAKE)
@pytest.mark.parametrize("number", range(12))
def test_whichever_frame_is_lost_the_network_comes_up(method: str, number: int) -> None:
    pair = MAKE[method](nth(number)).open().wait(60)
    lost = pair.said[number][1]
    if is_unacknowledged(lost) and lost[4] != 2:
        assert pair.of_server(Authenticated)
        return
    assert pair.server.network_open
    assert pair.client.network_open


@pytest.mark.parametrize("seed", range(20))
def test_a_line_that_loses_a_fifth_of_lcp_and_ipcp_comes_up(seed: int) -> None:
    chance = random.Random(seed)

    def lost(_who: str, frame: bytes) -> bool:
        negotiates = int.from_bytes(frame[2:4], "big") in (LCP, IPCP)
        return negotiates and chance.random() < 0.2

    pair = MAKE["MS-CHAPv2"](lost).open().wait(60)
    assert pair.server.network_open
    assert pair.client.network_open


@pytest.mark.parametrize("method", MAKE)
def test_every_frame_twice_comes_up_once(method: str) -> None:
    pair = MAKE[method](lambda _who, _frame: False)

    def doubled(who: str, frame: bytes) -> bool:
        receiver = pair.client if who == "s" else pair.server
        receiver.receive(frame, pair.now)
        return False

    pair.lost = doubled
    pair.open().wait(60)
    assert pair.server.network_open
    assert pair.client.network_open
    assert len(pair.of_server(Authenticated)) == len(pair.of_client(Authenticated)) == 1


def test_a_dead_line_is_given_up_at_both_ends() -> None:
    pair = MAKE["MS-CHAPv2"](lambda _who, _frame: True).open().wait(60)
    assert (
        pair.of_server(LinkDown)
        == pair.of_client(LinkDown)
        == [LinkDown("LCP: no answer", "timeout")]
    )
    assert pair.now == 30.0


def test_frames_that_are_not_taken_are_bounded() -> None:
    pair = MAKE["MS-CHAPv2"](lambda _who, _frame: False).open()
    for _ in range(1000):
        pair.server.receive(b"\xff\x03\xc0\x21\x09\1\0\x08mine", pair.now)
    assert len(pair.server.outgoing()) == 64
