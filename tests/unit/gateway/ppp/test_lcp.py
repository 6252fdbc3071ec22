"""LCP, by hand: every option requested, Nak'd and rejected, and the other codes."""

from __future__ import annotations

import pytest

from gateway.ppp.events import AuthenticationFailed, LinkDown
from gateway.ppp.frames import CHAP, EAP, IP, IPCP, LCP, Packet, encode_packet
from gateway.ppp.options import Option, encode_options
from tests.unit.gateway.ppp.by_hand import (
    ACK,
    CODE_REJECT,
    MAGIC,
    NAK,
    REJECT,
    REQUEST,
    TERMINATE,
    TERMINATE_ACK,
    ByHand,
    Said,
    options,
)
from tests.unit.gateway.ppp.pair import Pair, client_config, server_config

MRU, ACCM, AUTHENTICATION, PFC, ACFC, CALLBACK = 1, 2, 3, 7, 8, 13
EAP_VALUE, CHAP_VALUE, PAP_VALUE = b"\xc2\x27", b"\xc2\x23\x81", b"\xc0\x23"
ECHO, ECHO_REPLY, DISCARD, IDENTIFICATION = 9, 10, 11, 12


def server(**changes: object) -> ByHand:
    return ByHand(server_config(**changes))


def only(said: list[Said]) -> Packet:
    ((protocol, packet),) = said
    assert protocol == LCP
    return packet


def test_a_server_asks_for_mru_authentication_magic_and_short_headers() -> None:
    asked = options(server(methods=("EAP", "MS-CHAPv2")).request)
    assert list(asked) == [MRU, AUTHENTICATION, 5, PFC, ACFC]
    assert (asked[MRU], asked[AUTHENTICATION]) == (b"\x05\x78", EAP_VALUE)
    assert any(asked[5])


def test_a_client_does_not_ask_the_server_to_authenticate_itself() -> None:
    assert AUTHENTICATION not in options(ByHand(client_config()).request)


def test_what_pppd_asks_for_is_acknowledged() -> None:
    wanted = (Option(ACCM, bytes(4)), MAGIC, Option(PFC, b""), Option(ACFC, b""))
    assert only(server().ask(*wanted)) == Packet(ACK, 1, encode_options(wanted))


def test_of_what_windows_asks_for_only_callback_is_rejected() -> None:
    wanted = (Option(MRU, b"\x05\xdc"), MAGIC, Option(PFC, b""), Option(ACFC, b""),
              Option(CALLBACK, b"\6"))  # fmt: skip
    answer = only(server().ask(*wanted))
    assert answer == Packet(REJECT, 1, encode_options((Option(CALLBACK, b"\6"),)))


def test_an_empty_request_is_acknowledged_and_lcp_finished_in_both_directions() -> None:
    end = server()
    assert only(end.ask()) == Packet(ACK, 1, b"")
    assert [protocol for protocol, _ in end.ack()] == [CHAP]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (Option(MRU, b"\x05\xdd"), Option(MRU, b"\x05\xdc")),
        (Option(MRU, b"\x00\x40"), Option(MRU, b"\x02\x40")),
        (Option(MRU, b"\x05"), Option(MRU, b"\x05\x78")),
        (Option(ACCM, b"\0"), Option(ACCM, bytes(4))),
        (Option(PFC, b"\1"), Option(PFC, b"")),
        (Option(ACFC, b"\1"), Option(ACFC, b"")),
    ],
)
def test_an_unacceptable_value_is_answered_with_an_acceptable_one(
    wrong: Option, right: Option
) -> None:
    assert only(server().ask(wrong)) == Packet(NAK, 1, encode_options((right,)))


@pytest.mark.parametrize("value", [bytes(4), b"abc"])
def test_a_magic_number_of_zero_or_of_wrong_length_is_answered_with_a_proper_one(
    value: bytes,
) -> None:
    answer = only(server().ask(Option(5, value)))
    assert answer.code == NAK
    assert len(options(answer)[5]) == 4
    assert any(options(answer)[5])


def test_naks_that_lead_nowhere_become_a_reject() -> None:
    end = server()
    answers = [only(end.ask(Option(MRU, b"\xff\xff"), identifier=i)) for i in range(1, 7)]
    assert [answer.code for answer in answers] == [NAK] * 5 + [REJECT]
    assert options(answers[-1]) == {MRU: b"\xff\xff"}


def test_naks_are_counted_anew_after_an_ack() -> None:
    end = server()
    for identifier in range(10):
        wanted = () if identifier == 4 else (Option(MRU, b"\xff\xff"),)
        expected = ACK if identifier == 4 else NAK
        assert only(end.ask(*wanted, identifier=identifier)).code == expected


def test_a_peer_that_wants_the_server_to_authenticate_itself_is_refused_that() -> None:
    wish = Option(AUTHENTICATION, CHAP_VALUE)
    assert only(server().ask(wish)) == Packet(REJECT, 1, encode_options((wish,)))


@pytest.mark.parametrize("length", [0, 1, 9])
def test_a_malformed_list_of_options_gets_no_answer(length: int) -> None:
    assert server().say(LCP, REQUEST, 1, bytes((1, length, 5))) == []


def test_the_peers_mru_and_header_compression_count_once_acknowledged() -> None:
    end = server()
    assert (end.link.peer_mru, end.link.ip_header) == (1500, b"\xff\x03\x00\x21")
    end.ask(Option(MRU, b"\x05\x00"), Option(PFC, b""))
    assert (end.link.peer_mru, end.link.ip_header) == (1280, b"\xff\x03\x21")
    end.ask(Option(ACFC, b""), identifier=2)
    assert (end.link.peer_mru, end.link.ip_header) == (1500, b"\x00\x21")
    end.ask(Option(ACFC, b""), Option(PFC, b""), identifier=3)
    assert end.link.ip_header == b"\x21"


def test_options_that_the_peer_rejects_are_not_asked_for_again() -> None:
    end = server()
    asked = options(end.request)
    unwanted = tuple(Option(kind, asked[kind]) for kind in (MRU, 5, PFC, ACFC))
    assert options(only(end.reject(*unwanted))) == {AUTHENTICATION: CHAP_VALUE}
    end.ask()
    assert [protocol for protocol, _ in end.ack()] == [CHAP]


@pytest.mark.parametrize(("wish", "taken"), [(1300, 1300), (100, 576), (9000, 1500)])
def test_the_peers_wish_for_our_mru_is_followed_within_bounds(wish: int, taken: int) -> None:
    said = server().nak(Option(MRU, wish.to_bytes(2, "big")))
    assert int.from_bytes(options(only(said))[MRU], "big") == taken


def test_a_nak_of_the_magic_number_brings_a_new_one() -> None:
    end = server()
    before = options(end.request)[5]
    after = options(only(end.nak(Option(5, before))))[5]
    assert after != before


def test_a_peer_that_would_rather_have_another_method_of_ours_gets_it() -> None:
    end = server(methods=("EAP", "PAP", "MS-CHAPv2"))
    assert options(only(end.nak(Option(AUTHENTICATION, CHAP_VALUE))))[AUTHENTICATION] == CHAP_VALUE


def test_a_peer_that_wants_what_we_do_not_allow_is_offered_our_next_method() -> None:
    end = server(methods=("EAP", "MS-CHAPv2"))
    said = end.nak(Option(AUTHENTICATION, PAP_VALUE))
    assert options(only(said))[AUTHENTICATION] == CHAP_VALUE


def test_a_peer_that_accepts_none_of_our_methods_fails_and_is_disconnected() -> None:
    end = server(methods=("EAP", "MS-CHAPv2"))
    end.nak(Option(AUTHENTICATION, PAP_VALUE))
    assert only(end.nak(Option(AUTHENTICATION, PAP_VALUE))).code == TERMINATE
    (failed,) = end.of(AuthenticationFailed)
    assert failed == AuthenticationFailed(
        "refused", "the peer accepts none of the allowed methods, last MS-CHAPv2"
    )


def test_a_peer_that_rejects_authentication_fails_and_is_disconnected() -> None:
    end = server()
    assert only(end.reject(Option(AUTHENTICATION, CHAP_VALUE))).code == TERMINATE
    assert end.of(AuthenticationFailed)[0].reason == "refused"
    assert end.of(LinkDown) == []
    end.say(LCP, TERMINATE_ACK, 2)
    assert len(end.of(LinkDown)) == 1


def test_a_peer_that_never_agrees_is_disconnected() -> None:
    end = server()
    for _ in range(16):
        assert only(end.nak(Option(MRU, b"\x05\x00"))).code == REQUEST
    assert only(end.nak(Option(MRU, b"\x05\x00"))).code == TERMINATE


def test_a_reject_of_something_never_asked_for_is_ignored() -> None:
    assert server().reject(Option(CALLBACK, b"\6")) == []


def test_an_ack_or_nak_of_another_request_is_ignored() -> None:
    end = server()
    assert end.say(LCP, ACK, end.request.identifier + 1, end.request.data) == []
    assert end.say(LCP, ACK, end.request.identifier, b"") == []
    end.ask()
    assert end.link.phase.value == "establish"
    assert end.say(LCP, NAK, end.request.identifier + 1, b"\1\4\5\0") == []


def test_our_own_request_echoed_is_ignored_and_retransmitted() -> None:
    end = server()
    first = end.request
    assert end.say(LCP, *first) == []
    assert only(end.pass_time(3.0)) == first
    end.establish(MAGIC)
    assert end.link.phase.value == "authenticate"


def test_a_line_that_is_a_loop_is_given_up_as_one() -> None:
    end = server()
    for _ in range(10):
        end.say(LCP, *end.request)
        end.pass_time(3.0)
    assert end.of(LinkDown) == [LinkDown("LCP: the line only echoes our own requests")]


def test_a_silent_peer_is_asked_ten_times_and_then_given_up() -> None:
    end = server()
    asked = 1
    while end.link.deadline() is not None:
        asked += len(end.pass_time(3.0))
    assert asked == 10
    assert end.of(LinkDown) == [LinkDown("LCP: no answer", "timeout")]


def test_an_echo_is_answered_with_our_magic_once_open_and_not_before() -> None:
    end = server()
    assert end.say(LCP, ECHO, 9, b"minetext") == []
    end.establish(MAGIC)
    assert only(end.say(LCP, ECHO, 9, b"minetext")) == Packet(
        ECHO_REPLY, 9, options(end.request)[5] + b"text"
    )


def test_an_echo_of_our_own_or_too_short_is_ignored() -> None:
    end = server()
    end.establish(MAGIC)
    assert end.say(LCP, ECHO, 9, options(end.request)[5]) == []
    assert end.say(LCP, ECHO, 9, b"abc") == []


@pytest.mark.parametrize("code", [ECHO_REPLY, DISCARD, IDENTIFICATION, 13])
def test_identification_and_the_like_are_ignored(code: int) -> None:
    end = server()
    assert end.say(LCP, code, 3, b"mineMSRASV5.20") == []
    end.establish(MAGIC)
    assert end.say(LCP, code, 3, b"mineMSRASV5.20") == []
    assert end.of(LinkDown) == []


def test_an_unknown_code_is_answered_with_code_reject() -> None:
    end = server()
    answer = only(end.say(LCP, 77, 3, b"what"))
    assert (answer.code, answer.data) == (CODE_REJECT, encode_packet(77, 3, b"what"))


def test_a_code_reject_of_what_we_can_do_without_changes_nothing() -> None:
    end = server()
    end.establish(MAGIC)
    assert end.say(LCP, CODE_REJECT, 1, encode_packet(ECHO_REPLY, 1)) == []
    assert end.link.phase.value == "authenticate"


def test_a_code_reject_of_configure_request_ends_the_link() -> None:
    end = server()
    end.say(LCP, CODE_REJECT, 1, encode_packet(REQUEST, 1))
    assert end.of(LinkDown) == [LinkDown("LCP: the peer rejects the protocol")]


def test_a_terminate_request_is_acknowledged_and_the_link_is_down() -> None:
    end = server()
    end.establish(MAGIC)
    assert only(end.say(LCP, TERMINATE, 5, b"bye")) == Packet(TERMINATE_ACK, 5, b"bye")
    assert end.of(LinkDown) == [LinkDown("the peer ended the link")]
    assert end.link.deadline() is None
    assert end.ask() == end.say(LCP, 77, 1, b"what") == []


def test_our_terminate_request_is_sent_twice_before_the_link_is_down() -> None:
    end = server()
    end.establish(MAGIC)
    end.link.terminate("disconnected by the administrator", end.now)
    assert only(end.hear()).code == TERMINATE
    assert only(end.pass_time(3.0)).code == TERMINATE
    assert end.of(LinkDown) == []
    assert end.pass_time(3.0) == []
    assert end.of(LinkDown) == [LinkDown("disconnected by the administrator")]


def test_a_late_repetition_of_the_peers_request_gets_its_ack_and_disturbs_nothing() -> None:
    end = server()
    end.establish(MAGIC)
    assert only(end.ask(MAGIC)) == Packet(ACK, 1, encode_options((MAGIC,)))
    assert end.link.phase.value == "authenticate"
    assert end.ack() == []


def test_a_new_negotiation_before_any_attempt_begins_authentication_anew() -> None:
    end = server()
    end.establish(MAGIC)
    said = end.ask(Option(5, b"othr"), identifier=2)
    assert [packet.code for _, packet in said] == [REQUEST, ACK]
    assert [protocol for protocol, _ in end.ack()] == [CHAP]
    assert end.of(LinkDown) == []


def test_a_new_negotiation_on_an_open_network_ends_the_link() -> None:
    pair = Pair(server_config(), client_config()).open()
    assert pair.server.network_open
    request = encode_packet(REQUEST, 99, encode_options((Option(5, b"othr"),)))
    pair.server.receive(b"\xff\x03\xc0\x21" + request, pair.now)
    pair.settle()
    assert not pair.server.network_open
    assert pair.of_server(LinkDown) == [LinkDown("the peer restarted LCP")]


@pytest.mark.parametrize("protocol", [0x8057, 0x80FD, 0x0057, 0xC025])
def test_a_protocol_we_do_not_speak_is_rejected_once_the_network_phase_is_reached(
    protocol: int,
) -> None:
    pair = Pair(server_config(), client_config()).open()
    request = encode_packet(REQUEST, 1)
    pair.server.receive(b"\xff\x03" + protocol.to_bytes(2, "big") + request, pair.now)
    (frame,) = pair.server.outgoing()
    assert frame[:5] == b"\xff\x03\xc0\x21\x08"
    assert frame[8:] == protocol.to_bytes(2, "big") + request
    assert pair.server.network_open


def test_before_that_it_is_discarded() -> None:
    end = server()
    assert end.say(0x80FD, REQUEST, 1) == []
    end.establish(MAGIC)
    assert end.say(0x80FD, REQUEST, 1) == []
    assert end.say(IPCP, REQUEST, 1) == []
    assert end.say(EAP, REQUEST, 1) == []


def test_an_ip_packet_is_ignored_by_the_link() -> None:
    pair = Pair(server_config(), client_config()).open()
    pair.server.receive(b"\xff\x03" + IP.to_bytes(2, "big") + bytes(20), pair.now)
    assert pair.server.outgoing() == []


@pytest.mark.parametrize(
    ("protocol", "why"),
    [(IPCP, "the peer rejects IPCP"), (LCP, "LCP: the peer rejects the protocol")],
)
def test_a_protocol_reject_of_what_we_need_ends_the_link(protocol: int, why: str) -> None:
    pair = Pair(server_config(), client_config()).open()
    packet = encode_packet(8, 1, protocol.to_bytes(2, "big"))
    pair.server.receive(b"\xff\x03\xc0\x21" + packet, pair.now)
    assert pair.server.outgoing()[0][:5] == b"\xff\x03\xc0\x21\5"
    pair.server.receive(b"\xff\x03\xc0\x21" + encode_packet(TERMINATE_ACK, 1), pair.now)
    assert pair.server.events() == [LinkDown(why)]


def test_a_protocol_reject_of_the_authentication_fails_it() -> None:
    end = server()
    end.establish(MAGIC)
    end.say(LCP, 8, 1, CHAP.to_bytes(2, "big"))
    assert end.of(AuthenticationFailed) == [
        AuthenticationFailed("refused", "the peer rejects MS-CHAPv2")
    ]


def test_a_protocol_reject_of_anything_else_changes_nothing() -> None:
    pair = Pair(server_config(), client_config()).open()
    pair.server.receive(b"\xff\x03\xc0\x21" + encode_packet(8, 1, b"\x80\xfd"), pair.now)
    assert pair.settle().server.network_open


def test_a_protocol_reject_before_lcp_is_open_is_ignored() -> None:
    end = server()
    assert end.say(LCP, 8, 1, LCP.to_bytes(2, "big")) == []
    assert end.of(LinkDown) == []


def test_a_client_asked_for_what_it_does_not_take_says_what_it_takes() -> None:
    end = ByHand(client_config(methods=("MS-CHAPv2",)))
    said = only(end.ask(Option(AUTHENTICATION, PAP_VALUE)))
    assert (said.code, options(said)) == (NAK, {AUTHENTICATION: CHAP_VALUE})


def test_a_client_leaves_a_server_that_asks_for_no_authentication() -> None:
    end = ByHand(client_config())
    assert only(end.establish(MAGIC)).code == TERMINATE
    assert end.of(AuthenticationFailed)[0].message == "the server requires no authentication"


def test_a_link_terminated_before_it_was_opened_is_down_silently() -> None:
    pair = Pair(server_config(), client_config())
    pair.server.terminate("never mind", 0.0)
    assert pair.server.events() == [LinkDown("never mind")]
    pair.server.open(0.0)
    assert pair.server.outgoing() == []
