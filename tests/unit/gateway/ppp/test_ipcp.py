"""IPCP: the address and the name servers, and refused options."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from gateway.ppp.events import Accept, LinkDown, NetworkUp
from gateway.ppp.frames import IPCP, LCP, PAP, Packet, join
from gateway.ppp.options import Option, encode_options
from tests.unit.gateway.ppp.by_hand import (
    ACK,
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
from tests.unit.gateway.ppp.pair import DNS, GIVEN, LOCAL, Pair, client_config, server_config

ADDRESS, DNS_1, WINS_1, DNS_2, WINS_2, VJ = 3, 129, 130, 131, 132, 2
WINS = (IPv4Address("10.1.1.6"), IPv4Address("10.1.1.7"))
NOTHING = bytes(4)
MINE = Option(ADDRESS, GIVEN.packed)


def only(said: list[Said]) -> Packet:
    ((protocol, packet),) = said
    assert protocol == IPCP
    return packet


def server(**changes: object) -> tuple[ByHand, Packet]:
    """A server's end that has just authenticated us, and its Configure-Request."""
    end = ByHand(server_config(methods=("PAP",), **changes))
    end.establish(MAGIC)
    end.say(PAP, 1, 1, b"\5alice\4word")
    _ack, (protocol, request) = end.answer(Accept(GIVEN))
    assert protocol == IPCP
    return end, request


def ask(end: ByHand, *wanted: Option, identifier: int = 1) -> Packet:
    return only(end.ask(*wanted, protocol=IPCP, identifier=identifier))


def test_a_server_requests_its_own_address() -> None:
    _end, request = server()
    assert (request.code, options(request)) == (REQUEST, {ADDRESS: LOCAL.packed})


def test_zeros_are_answered_with_the_address_and_the_name_servers() -> None:
    end, _request = server(dns=DNS, wins=WINS)
    kinds = (ADDRESS, DNS_1, DNS_2, WINS_1, WINS_2)
    answer = ask(end, *(Option(kind, NOTHING) for kind in kinds))
    assert answer.code == NAK
    given = (GIVEN, *DNS, *WINS)
    assert options(answer) == dict(zip(kinds, (a.packed for a in given), strict=True))
    assert ask(end, *options_of(answer), identifier=2).code == ACK


def options_of(packet: Packet) -> list[Option]:
    return [Option(kind, value) for kind, value in options(packet).items()]


def test_only_what_differs_is_answered_with_a_value() -> None:
    end, _request = server(dns=DNS)
    answer = ask(end, MINE, Option(DNS_1, NOTHING))
    assert options(answer) == {DNS_1: DNS[0].packed}


@pytest.mark.parametrize("kind", [DNS_1, DNS_2, WINS_1, WINS_2])
def test_missing_name_servers_are_rejected(kind: int) -> None:
    end, _request = server()
    answer = ask(end, MINE, Option(kind, NOTHING))
    assert (answer.code, options(answer)) == (REJECT, {kind: NOTHING})


def test_a_second_name_server_is_rejected_where_there_is_one() -> None:
    end, _request = server(dns=DNS[:1])
    answer = ask(end, MINE, Option(DNS_1, NOTHING), Option(DNS_2, NOTHING))
    assert (answer.code, options(answer)) == (REJECT, {DNS_2: NOTHING})


@pytest.mark.parametrize(
    "option", [Option(VJ, b"\0\x2d\x0f\1"), Option(1, bytes(8)), Option(144, NOTHING)]
)
def test_compression_and_anything_unknown_are_rejected(option: Option) -> None:
    end, _request = server()
    answer = ask(end, MINE, option)
    assert (answer.code, options(answer)) == (REJECT, dict([option]))


def test_a_peer_that_requests_no_address_is_offered_its_own_by_nak() -> None:
    end, _request = server()
    answer = ask(end)
    assert (answer.code, options(answer)) == (NAK, {ADDRESS: GIVEN.packed})


@pytest.mark.parametrize("wanted", [(), (Option(ADDRESS, b"\x0a\0\0\1"),)])
def test_a_peer_that_refuses_its_address_is_disconnected(wanted: tuple[Option, ...]) -> None:
    end, _request = server()
    for identifier in range(1, 6):
        assert ask(end, *wanted, identifier=identifier).code == NAK
    said = end.ask(*wanted, protocol=IPCP, identifier=6)
    assert [(protocol, packet.code) for protocol, packet in said] == [
        (IPCP, TERMINATE),
        (LCP, TERMINATE),
    ]
    end.say(LCP, TERMINATE_ACK, 9)
    assert end.of(LinkDown) == [LinkDown("IPCP: the peer does not accept its assigned address")]
    assert end.of(NetworkUp) == []


def test_the_network_is_open_once_both_have_acknowledged() -> None:
    end, request = server()
    assert ask(end, MINE).code == ACK
    assert not end.link.network_open
    end.say(IPCP, ACK, request.identifier, request.data)
    assert end.link.network_open
    assert end.of(NetworkUp) == [NetworkUp(GIVEN, 1500)]


def test_a_server_whose_address_is_rejected_goes_on_without() -> None:
    end, request = server()
    ask(end, MINE)
    again = only(end.say(IPCP, REJECT, request.identifier, request.data))
    assert again.data == b""
    end.say(IPCP, ACK, again.identifier)
    assert end.link.network_open


def test_a_server_does_not_take_an_address_from_its_peer() -> None:
    end, request = server()
    wish = encode_options((Option(ADDRESS, b"\x0a\0\0\1"),))
    again = only(end.say(IPCP, NAK, request.identifier, wish))
    assert options(again) == {ADDRESS: LOCAL.packed}


def test_ipcp_negotiated_anew_closes_the_network_until_it_is_open_again() -> None:
    end, request = server()
    ask(end, MINE)
    end.say(IPCP, ACK, request.identifier, request.data)
    said = end.ask(MINE, protocol=IPCP, identifier=2)
    assert not end.link.network_open
    request = said[0][1]
    end.say(IPCP, ACK, request.identifier, request.data)
    assert end.link.network_open
    assert len(end.of(NetworkUp)) == 1


def test_a_peer_that_ends_ipcp_ends_the_link() -> None:
    end, _request = server()
    said = end.say(IPCP, TERMINATE, 3)
    assert [(protocol, packet.code) for protocol, packet in said] == [
        (IPCP, TERMINATE_ACK),
        (LCP, TERMINATE),
    ]
    assert not end.link.network_open


def test_a_peer_that_is_silent_in_ipcp_is_given_up() -> None:
    end, _request = server()
    while end.link.deadline() is not None:
        end.pass_time(3.0)
    assert end.of(LinkDown) == [LinkDown("IPCP: no answer", "timeout")]


def test_a_client_takes_name_servers_only_where_it_asks() -> None:
    pair = Pair(server_config(dns=DNS, wins=WINS), client_config(ask_dns=False)).open()
    assert pair.client.network_open
    assert pair.client.dns == ()


def test_a_client_does_without_name_servers_that_are_rejected() -> None:
    pair = Pair(server_config(), client_config(ask_wins=True)).open()
    assert pair.client.network_open
    assert pair.client.dns == ()
    assert pair.client.address == GIVEN


def test_a_client_that_asks_for_wins_is_given_it() -> None:
    pair = Pair(server_config(wins=WINS), client_config(ask_wins=True)).open()
    assert pair.client.network_open
    naks = [frame for who, frame in pair.said if who == "s" and frame[:5] == join(IPCP, b"\3")]
    assert WINS[0].packed in naks[0]


def client() -> ByHand:
    """A client's end that believes itself authenticated."""
    end = ByHand(client_config(methods=("PAP",)))
    end.establish(MAGIC, Option(3, b"\xc0\x23"))
    end.say(PAP, 2, 1, b"\0")
    return end


def test_a_client_that_is_refused_an_address_ends_the_link() -> None:
    end = client()
    end.say(IPCP, REJECT, 1, encode_options((Option(ADDRESS, NOTHING),)))
    assert end.link.phase.value == "terminate"


def test_a_client_that_is_given_zeros_ends_the_link() -> None:
    end = client()
    wanted = (Option(ADDRESS, NOTHING), Option(DNS_1, NOTHING), Option(DNS_2, NOTHING))
    end.ask(Option(ADDRESS, LOCAL.packed), protocol=IPCP)
    end.say(IPCP, ACK, 1, encode_options(wanted))
    assert end.of(NetworkUp) == []
    assert end.link.phase.value == "terminate"


def test_a_client_ignores_options_that_a_server_adds() -> None:
    end = client()
    wish = encode_options((Option(ADDRESS, GIVEN.packed), Option(WINS_1, WINS[0].packed)))
    asked = options(only(end.say(IPCP, NAK, 1, wish)))
    assert asked == {ADDRESS: GIVEN.packed, DNS_1: NOTHING, DNS_2: NOTHING}


def test_a_client_rejects_what_a_server_asks_beyond_its_address() -> None:
    answer = only(client().ask(Option(VJ, b"\0\x2d\x0f\1"), protocol=IPCP))
    assert (answer.code, options(answer)) == (REJECT, {VJ: b"\0\x2d\x0f\1"})
