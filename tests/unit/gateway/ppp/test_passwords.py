"""MS-CHAPv2 inside CHAP, and PAP: retries, retransmissions, late verdicts."""

from __future__ import annotations

import re

import pytest

from gateway.ppp import mschapv2
from gateway.ppp.chap import encode_value
from gateway.ppp.events import (
    Accept,
    Authenticated,
    AuthenticationFailed,
    EapReply,
    LinkDown,
    MsChapV2Attempt,
    PapAttempt,
    Refuse,
    Verdict,
)
from gateway.ppp.frames import CHAP, IPCP, LCP, PAP, Packet
from gateway.ppp.keys import zeros
from gateway.ppp.options import Option
from tests.unit.gateway.ppp.by_hand import MAGIC, TERMINATE, ByHand, Said
from tests.unit.gateway.ppp.pair import GIVEN, PASSWORD, Pair, client_config, judge, server_config

CHALLENGE, RESPONSE, SUCCESS, FAILURE = range(1, 5)
WRONG = Refuse("password", "wrong user name or password", retry=True)
VALUE = bytes(16) + bytes(8) + b"r" * 24 + b"\0"


def server(**changes: object) -> tuple[ByHand, Packet]:
    """A server's end, and its challenge."""
    end = ByHand(server_config(**changes))
    end.ask(MAGIC)
    ((protocol, challenge),) = end.ack()
    assert protocol == CHAP
    return end, challenge


def respond(end: ByHand, identifier: int, value: bytes = VALUE) -> list[Said]:
    return end.say(CHAP, RESPONSE, identifier, encode_value(value, "alice"))


def test_a_challenge_has_sixteen_bytes_and_the_servers_name() -> None:
    _end, challenge = server(name="contoso-gw")
    assert (challenge.code, challenge.data[0]) == (CHALLENGE, 16)
    assert challenge.data[17:] == b"contoso-gw"


def test_a_response_is_an_attempt_with_all_that_it_takes_to_judge_it() -> None:
    end, challenge = server()
    assert respond(end, challenge.identifier) == []
    assert end.of(MsChapV2Attempt) == [
        MsChapV2Attempt("alice", challenge.data[1:17], bytes(16), b"r" * 24, challenge.identifier)
    ]


def test_success_carries_the_verdicts_message_and_ipcp_begins_after_it() -> None:
    end, challenge = server()
    respond(end, challenge.identifier)
    said = end.answer(Accept(GIVEN, zeros(), "S=00 M=hello"))
    assert said[0] == (CHAP, Packet(SUCCESS, challenge.identifier, b"S=00 M=hello"))
    assert [protocol for protocol, _ in said] == [CHAP, IPCP]
    assert end.of(Authenticated) == [Authenticated("alice", "MS-CHAPv2", zeros())]


def test_failure_says_the_error_and_that_there_is_no_other_try() -> None:
    end, challenge = server()
    respond(end, challenge.identifier)
    failure, goodbye = end.answer(Refuse("password", "go away"))
    assert re.fullmatch(rb"E=691 R=0 C=[0-9A-F]{32} V=3 M=go away", failure[1].data)
    assert (failure[1].code, failure[1].identifier) == (FAILURE, challenge.identifier)
    assert (goodbye[0], goodbye[1].code) == (LCP, TERMINATE)


def test_a_peer_that_may_try_again_is_judged_by_the_new_challenge_thrice_at_most() -> None:
    end, challenge = server()
    identifier = challenge.identifier
    for left in (2, 1):
        respond(end, identifier)
        ((protocol, failure),) = end.answer(WRONG)
        assert (protocol, b"R=1" in failure.data) == (CHAP, True), left
        identifier = failure.identifier + 1
    new = bytes.fromhex(failure.data.partition(b"C=")[2][:32].decode())
    respond(end, identifier)
    assert end.of(MsChapV2Attempt)[-1].authenticator_challenge == new
    assert len({attempt.authenticator_challenge for attempt in end.of(MsChapV2Attempt)}) == 3
    failure, goodbye = (packet for _, packet in end.answer(WRONG))
    assert b"R=0" in failure.data
    assert goodbye.code == TERMINATE
    assert end.of(AuthenticationFailed) == [AuthenticationFailed("password", WRONG.message)]


def test_the_right_password_at_the_second_try_is_accepted() -> None:
    end, challenge = server()
    respond(end, challenge.identifier)
    ((_, failure),) = end.answer(WRONG)
    new = bytes.fromhex(failure.data.partition(b"C=")[2][:32].decode())
    exchange = mschapv2.Exchange("alice", PASSWORD)
    respond(end, failure.identifier + 1, exchange.respond(new, lambda size: b"p" * size))
    verdict = judge(end.of(MsChapV2Attempt)[-1])
    assert isinstance(verdict, Accept)
    end.answer(verdict)
    assert end.of(Authenticated)[0].keys == exchange.keys


@pytest.mark.parametrize(
    ("code", "shift", "data"),
    [
        (RESPONSE, 1, encode_value(VALUE, "alice")),
        (RESPONSE, 0, encode_value(VALUE[:-1], "alice")),
        (RESPONSE, 0, b""),
        (RESPONSE, 0, b"\x31abc"),
        (CHALLENGE, 0, encode_value(bytes(16), "alice")),
        (SUCCESS, 0, b"S=00"),
    ],
)
def test_what_is_no_response_to_the_challenge_is_discarded(
    code: int, shift: int, data: bytes
) -> None:
    end, challenge = server()
    assert end.say(CHAP, code, challenge.identifier + shift, data) == []
    assert end.events == []


def test_a_second_response_is_not_heard_while_the_first_waits_for_its_verdict() -> None:
    end, challenge = server()
    respond(end, challenge.identifier)
    respond(end, challenge.identifier)
    assert len(end.of(MsChapV2Attempt)) == 1


def test_a_response_repeated_after_success_gets_success_again() -> None:
    end, challenge = server()
    respond(end, challenge.identifier)
    first = end.answer(Accept(GIVEN, zeros(), "S=00"))[0]
    assert respond(end, challenge.identifier) == [first]
    assert len(end.of(Authenticated)) == 1


def test_no_challenge_is_repeated_while_the_verdict_is_awaited() -> None:
    end, challenge = server()
    respond(end, challenge.identifier)
    assert end.link.deadline() is None


def test_a_peer_that_does_not_respond_is_challenged_ten_times_and_fails() -> None:
    end, challenge = server()
    said = [end.pass_time(3.0) for _ in range(9)]
    assert said == [[(CHAP, challenge)]] * 9
    assert [packet.code for _, packet in end.pass_time(3.0)] == [TERMINATE]
    assert end.of(AuthenticationFailed) == [AuthenticationFailed("refused", "no answer")]


@pytest.mark.parametrize("verdict", [Accept(GIVEN), Refuse("password", ""), EapReply(b"")])
def test_a_verdict_without_an_attempt_is_ignored(verdict: Verdict) -> None:
    end, challenge = server()
    assert end.answer(verdict) == []
    respond(end, challenge.identifier)
    end.answer(Refuse("password", ""))
    assert end.answer(verdict) == []
    assert end.of(Authenticated) == []


def test_an_eap_packet_is_no_verdict_on_a_password() -> None:
    end, challenge = server()
    respond(end, challenge.identifier)
    end.answer(EapReply(b"\1\1\0\5\1"))
    assert end.of(AuthenticationFailed)[0].reason == "refused"


def test_a_new_negotiation_while_a_verdict_is_awaited_ends_the_link() -> None:
    """Otherwise the verdict on one attempt might be applied to another."""
    end, challenge = server()
    respond(end, challenge.identifier)
    end.ask(Option(5, b"othr"), identifier=2)
    assert end.link.phase.value == "terminate"
    assert end.answer(Accept(GIVEN, zeros(), "S=00")) == []
    assert end.of(Authenticated) == []


def test_a_message_of_any_length_fits_a_frame() -> None:
    end, challenge = server()
    respond(end, challenge.identifier)
    said = end.answer(Refuse("password", "x" * 100_000))
    assert len(said[0][1].data) < 400


def client(**changes: object) -> ByHand:
    end = ByHand(client_config(**changes))
    end.establish(MAGIC, Option(3, b"\xc2\x23\x81"))
    return end


def test_a_client_answers_a_repeated_challenge_the_same_way_again() -> None:
    end = client()
    body = encode_value(bytes(16), "gw")
    first = end.say(CHAP, CHALLENGE, 7, body)
    assert (first[0][1].code, first[0][1].identifier) == (RESPONSE, 7)
    assert end.say(CHAP, CHALLENGE, 7, body) == first


def test_a_client_does_not_take_success_without_the_proof() -> None:
    end = client()
    end.say(CHAP, CHALLENGE, 7, encode_value(bytes(16), "gw"))
    end.say(CHAP, SUCCESS, 7, b"S=" + b"0" * 40 + b" M=welcome")
    assert end.of(AuthenticationFailed) == [
        AuthenticationFailed("refused", "the server does not know the password")
    ]


def test_a_client_does_not_take_success_before_a_challenge_or_of_another_exchange() -> None:
    end = client()
    assert end.say(CHAP, SUCCESS, 0, b"S=" + b"0" * 40) == []
    end.say(CHAP, CHALLENGE, 7, encode_value(bytes(16), "gw"))
    assert end.say(CHAP, SUCCESS, 8, b"S=" + b"0" * 40) == []
    assert end.of(AuthenticationFailed) == []


def test_a_client_does_not_begin_ipcp_because_the_server_does() -> None:
    end = client()
    end.say(CHAP, CHALLENGE, 7, encode_value(bytes(16), "gw"))
    assert end.ask(Option(3, b"\x0a\0\0\1"), protocol=IPCP) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"E=691 R=0 C=" + b"0" * 32 + b" V=3 M=no", "E=691 no"), (b"E=646 R=0", "E=646"),
     (b"", "the server refuses"), (b"\xff\xfe", "the server refuses")],
)  # fmt: skip
def test_a_client_says_why_it_was_refused(data: bytes, message: str) -> None:
    end = client()
    end.say(CHAP, CHALLENGE, 7, encode_value(bytes(16), "gw"))
    end.say(CHAP, FAILURE, 7, data)
    assert end.of(AuthenticationFailed) == [AuthenticationFailed("password", message)]


def test_a_client_waits_a_minute_for_the_server_and_no_longer() -> None:
    end = client()
    assert end.pass_time(59.0) == []
    end.pass_time(1.0)
    assert end.of(AuthenticationFailed) == [AuthenticationFailed("refused", "no answer")]


def test_pap_accepts_a_right_password_with_zeros_for_the_binding() -> None:
    pair = Pair(server_config(methods=("PAP",)), client_config(methods=("PAP",))).open()
    assert pair.server.network_open
    assert pair.client.network_open
    assert pair.of_server(PapAttempt) == [PapAttempt("alice", PASSWORD)]
    assert pair.of_server(Authenticated) == [Authenticated("alice", "PAP", zeros())]
    assert pair.of_client(Authenticated) == [Authenticated("alice", "PAP", zeros())]


def test_pap_refuses_a_wrong_password() -> None:
    config = client_config(methods=("PAP",), password="guess")
    pair = Pair(server_config(methods=("PAP",)), config).open()
    assert pair.of_server(AuthenticationFailed)[0].reason == "password"
    assert pair.of_client(AuthenticationFailed) == [
        AuthenticationFailed("password", "wrong user name or password")
    ]


def test_pap_sends_only_the_text_meant_for_the_peer() -> None:
    end = ByHand(server_config(methods=("PAP",)))
    end.establish(MAGIC)
    end.say(PAP, 1, 1, b"\5alice\4word")
    said = end.answer(Refuse("password", "RADIUS server 10.0.0.4: no", text="no"))
    assert said[0] == (PAP, Packet(3, 1, b"\2no"))
    assert end.of(AuthenticationFailed)[0].message == "RADIUS server 10.0.0.4: no"


def test_pap_is_refused_unless_configured() -> None:
    pair = Pair(server_config(), client_config(methods=("PAP",))).open()
    assert pair.of_server(PapAttempt) == []
    assert pair.of_server(AuthenticationFailed)[0].reason == "refused"
    assert pair.wait().of_client(LinkDown)


@pytest.mark.parametrize("data", [b"", b"\5ali", b"\5alice", b"\5alice\7word"])
def test_a_pap_request_that_runs_past_its_end_is_discarded(data: bytes) -> None:
    end = ByHand(server_config(methods=("PAP",)))
    end.establish(MAGIC)
    assert end.say(PAP, 1, 1, data) == []
    assert end.events == []


def test_a_pap_request_repeated_after_the_verdict_gets_the_same_answer() -> None:
    end = ByHand(server_config(methods=("PAP",)))
    end.establish(MAGIC)
    end.say(PAP, 1, 1, b"\5alice\4word")
    assert end.say(PAP, 1, 2, b"\5alice\5other") == []
    assert end.answer(Accept(GIVEN))[0] == (PAP, Packet(2, 1, b"\0"))
    assert end.say(PAP, 1, 3, b"\5alice\4word") == [(PAP, Packet(2, 3, b"\0"))]
    assert len(end.of(PapAttempt)) == 1


def test_a_password_is_not_in_the_repr_of_anything() -> None:
    assert PASSWORD not in repr(client_config()) + repr(PapAttempt("alice", PASSWORD))
