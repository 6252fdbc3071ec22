"""EAP passed through to a RADIUS server, and the common part of both authenticators."""

from __future__ import annotations

import pytest

from gateway.ppp.events import (
    Accept,
    Authenticated,
    AuthenticationFailed,
    EapAttempt,
    EapReply,
    LinkDown,
    Refuse,
)
from gateway.ppp.frames import EAP, IPCP, LCP, Packet, encode_packet
from gateway.ppp.keys import from_mschapv2
from gateway.ppp.options import Option
from tests.unit.gateway.ppp.by_hand import MAGIC, TERMINATE, ByHand, Said
from tests.unit.gateway.ppp.certificates import client_tls
from tests.unit.gateway.ppp.pair import GIVEN, Pair, client_config, server_config
from tests.unit.gateway.ppp.radius import MsChapV2Radius

REQUEST, RESPONSE, SUCCESS, FAILURE = range(1, 5)
IDENTITY, NOTIFICATION, NAK, MD5, TLS, MSCHAPV2 = 1, 2, 3, 4, 13, 26
KEYS = from_mschapv2(b"s" * 16, b"r" * 16)


def pair(radius: MsChapV2Radius, **client: object) -> Pair:
    return Pair(server_config(methods=("EAP",)), client_config(**client), judge=radius).open()


def test_eap_mschapv2_by_radius_gives_both_ends_the_same_key() -> None:
    radius = MsChapV2Radius()
    links = pair(radius)
    assert links.server.network_open
    assert links.client.network_open
    (server,), (client,) = links.of_server(Authenticated), links.of_client(Authenticated)
    assert server == client
    assert server.keys == radius.keys
    assert [(a.identity, a.method) for a in radius.seen] == [
        ("alice", ""),
        ("alice", "EAP-MSCHAPv2"),
        ("alice", "EAP-MSCHAPv2"),
    ]


def test_a_wrong_password_is_refused_by_radius_and_reported_at_both_ends() -> None:
    links = pair(MsChapV2Radius(), password="guess")
    assert links.of_client(AuthenticationFailed) == [
        AuthenticationFailed("password", "E=691 wrong")
    ]
    assert links.of_server(AuthenticationFailed) == [AuthenticationFailed("password", "wrong")]
    assert links.of_server(LinkDown)


def test_a_radius_server_that_does_not_know_the_password_is_not_accepted() -> None:
    links = pair(MsChapV2Radius(proof=False))
    assert (
        links.of_client(AuthenticationFailed)[0].message == "the server does not know the password"
    )
    assert links.of_server(Authenticated) == []


def test_a_client_with_a_certificate_says_that_it_wants_eap_tls() -> None:
    radius = MsChapV2Radius()
    links = pair(radius, eap_tls=client_tls())
    assert radius.seen[-1].packet[4:] == bytes((NAK, TLS))
    assert links.of_server(AuthenticationFailed) == [
        AuthenticationFailed("refused", "no common method")
    ]
    assert links.of_client(AuthenticationFailed)[0].reason == "refused"


def server() -> tuple[ByHand, int]:
    """A server's end that requests our identity, and the identifier it uses."""
    end = ByHand(server_config(methods=("EAP",)))
    end.ask(MAGIC)
    ((protocol, packet),) = end.ack()
    assert (protocol, packet.code, packet.data) == (EAP, REQUEST, bytes((IDENTITY,)))
    return end, packet.identifier


def respond(end: ByHand, identifier: int, data: bytes) -> list[Said]:
    return end.say(EAP, RESPONSE, identifier, data)


def test_a_response_goes_to_radius_whole_and_its_request_to_the_peer() -> None:
    end, identifier = server()
    respond(end, identifier, b"\1alice\0options")
    whole = encode_packet(RESPONSE, identifier, b"\1alice\0options")
    assert end.of(EapAttempt) == [EapAttempt(whole, "alice", "")]
    said = end.answer(EapReply(encode_packet(REQUEST, 77, b"\x1achallenge")))
    assert said == [(EAP, Packet(REQUEST, 77, b"\x1achallenge"))]
    respond(end, 77, b"\x1aresponse")
    assert end.of(EapAttempt)[-1].method == "EAP-MSCHAPv2"


def test_the_radius_servers_success_goes_to_the_peer_as_it_is() -> None:
    end, identifier = server()
    respond(end, identifier, b"\1alice")
    said = end.answer(Accept(GIVEN, KEYS, eap=encode_packet(SUCCESS, 77)))
    assert said[0] == (EAP, Packet(SUCCESS, 77, b""))
    assert end.of(Authenticated)[0].keys == KEYS


def test_success_and_failure_are_made_here_where_radius_sends_none() -> None:
    end, identifier = server()
    respond(end, identifier, b"\1alice")
    assert end.answer(Accept(GIVEN, KEYS))[0] == (EAP, Packet(SUCCESS, identifier, b""))
    end, identifier = server()
    respond(end, identifier, b"\1alice")
    failure, goodbye = end.answer(Refuse("limit", "too many"))
    assert failure == (EAP, Packet(FAILURE, identifier, b""))
    assert (goodbye[0], goodbye[1].code) == (LCP, TERMINATE)
    assert end.of(AuthenticationFailed) == [AuthenticationFailed("limit", "too many")]


@pytest.mark.parametrize(
    "packet",
    [b"", b"\1\2", encode_packet(SUCCESS, 1), encode_packet(RESPONSE, 1, b"\1x"),
     encode_packet(REQUEST, 1, bytes(1600))],
)  # fmt: skip
def test_an_invalid_packet_of_the_radius_server_fails_the_attempt(packet: bytes) -> None:
    end, identifier = server()
    respond(end, identifier, b"\1alice")
    assert end.answer(EapReply(packet))[0] == (EAP, Packet(FAILURE, identifier, b""))
    assert end.of(AuthenticationFailed)[0].reason == "refused"


@pytest.mark.parametrize(
    ("code", "shift", "data"),
    [(RESPONSE, 1, b"\1alice"), (REQUEST, 0, b"\1alice"), (SUCCESS, 0, b""), (RESPONSE, 0, b""),
     (RESPONSE, 0, b"\x1aearly")],
)  # fmt: skip
def test_what_is_no_response_to_the_request_is_discarded(
    code: int, shift: int, data: bytes
) -> None:
    end, identifier = server()
    assert end.say(EAP, code, identifier + shift & 0xFF, data) == []
    assert end.events == []


def test_a_response_is_passed_on_once_however_often_it_comes() -> None:
    end, identifier = server()
    respond(end, identifier, b"\1alice")
    respond(end, identifier, b"\1alice")
    respond(end, identifier, b"\1mallory")
    assert len(end.of(EapAttempt)) == 1


def test_a_request_is_repeated_every_five_seconds_for_a_minute() -> None:
    end, identifier = server()
    said = [end.pass_time(5.0) for _ in range(11)]
    assert said == [[(EAP, Packet(REQUEST, identifier, b"\1"))]] * 11
    end.pass_time(5.0)
    assert end.of(AuthenticationFailed) == [AuthenticationFailed("refused", "no answer")]


def test_the_number_of_rounds_is_bounded() -> None:
    end, identifier = server()
    for _ in range(200):
        respond(end, identifier, b"\x1aagain" if end.of(EapAttempt) else b"\1alice")
        identifier = identifier + 1 & 0xFF
        end.answer(EapReply(encode_packet(REQUEST, identifier, b"\x1amore")))
    assert len(end.of(EapAttempt)) == 200
    respond(end, identifier, b"\x1aagain")
    assert end.of(AuthenticationFailed) == [AuthenticationFailed("refused", "too many EAP rounds")]


def client(**changes: object) -> ByHand:
    end = ByHand(client_config(**changes))
    end.establish(MAGIC, Option(3, b"\xc2\x27"))
    return end


def test_a_client_sends_its_identity_and_acknowledges_notifications() -> None:
    end = client()
    assert end.say(EAP, REQUEST, 5, b"\1") == [(EAP, Packet(RESPONSE, 5, b"\1alice"))]
    assert end.say(EAP, REQUEST, 6, b"\2hear") == [(EAP, Packet(RESPONSE, 6, b"\2"))]


def test_a_client_answers_a_repeated_request_the_same_way_again() -> None:
    end = client()
    body = b"\x1a" + encode_packet(1, 9, b"\x10" + bytes(16) + b"gw")
    first = end.say(EAP, REQUEST, 5, body)
    assert end.say(EAP, REQUEST, 5, body) == first


@pytest.mark.parametrize("kind", [MD5, TLS, 25, 255])
def test_a_client_names_the_method_it_has(kind: int) -> None:
    said = client().say(EAP, REQUEST, 5, bytes((kind,)) + b"x")
    assert said == [(EAP, Packet(RESPONSE, 5, bytes((NAK, MSCHAPV2))))]


def test_a_client_ignores_success_before_its_method_has_finished() -> None:
    end = client()
    end.say(EAP, REQUEST, 5, b"\1")
    assert end.say(EAP, SUCCESS, 5) == []
    assert end.ask(Option(3, b"\x0a\0\0\1"), protocol=IPCP) == []
    assert end.of(Authenticated) == []


def test_a_client_treats_ipcp_as_a_lost_success() -> None:
    links = Pair(
        server_config(methods=("EAP",)),
        client_config(),
        judge=MsChapV2Radius(),
        lost=lambda _who, frame: frame[:5] == b"\xff\x03\xc2\x27\3",
    ).open()
    assert links.client.network_open
    assert links.server.network_open


def test_a_client_whose_method_has_failed_does_not_wait_for_ever_for_the_servers_failure() -> None:
    end = client()
    end.say(EAP, REQUEST, 5, b"\x1a" + encode_packet(4, 9, b"E=691 R=0 M=no"))
    assert end.of(AuthenticationFailed) == []
    end.pass_time(3.0)
    assert end.of(AuthenticationFailed) == [AuthenticationFailed("password", "E=691 no")]


def test_a_client_ends_with_the_servers_failure() -> None:
    end = client()
    end.say(EAP, FAILURE, 5)
    assert end.of(AuthenticationFailed)[0].reason == "refused"


@pytest.mark.parametrize(
    "body", [b"\x1a", b"\x1a\1\2\0", b"\x1a\1\2\0\x09\x10abc", b"\x1a\x09\1\0\4"]
)
def test_a_client_discards_a_malformed_challenge(body: bytes) -> None:
    assert client().say(EAP, REQUEST, 5, body) == []
