"""Requests and answers, byte by byte; the other side is written independently (servers.py)."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.attributes import Call, Nas, nas_identifier, of_call
from radius.packet import Answer, Request, Sent, Server, split, walk
from tests.unit.radius import servers
from tests.unit.radius.servers import ACCEPT, CHALLENGE, REJECT, SECRET, attribute, parse, vendor

SERVER = Server("192.168.50.10", SECRET)
OLD = Server("192.168.50.10", SECRET, may_omit_message_authenticator=True)
NAS = Nas("RD0123456789AB", "10.1.255.4", "203.0.113.2")
SUCCESS = bytes((3, 7, 0, 4))
RECV, SEND = bytes(range(32)), bytes(range(32, 64))


def sent(server: Server = SERVER, *, eap: bytes | None = None, identifier: int = 7) -> Sent:
    return Sent(Request([("User-Name", b"alice")], eap=eap), server, identifier, os.urandom)


def read(data: bytes, request: Sent) -> Answer:
    answer = request.read(data)
    assert isinstance(answer, Answer), answer
    return answer


def test_rfc_2865_example_of_pap() -> None:
    """Section 7.1; its answer has no Message-Authenticator."""
    server = Server("192.168.1.16", b"xyzzy5461", may_omit_message_authenticator=True)
    authenticator = bytes.fromhex("0f403f9473978057bd83d5cb98f4227a")
    request = Sent(
        Request([("User-Name", b"nemo")], password="arctangent"),
        server, 0, lambda n: authenticator if n == 16 else bytes(n),
    )  # fmt: skip
    hidden = dict(parse(request.data))[2]
    assert hidden.hex() == "0dbe708d93d413ce3196e43f782a0aee"
    answer = bytes.fromhex(
        "0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f06000000000e06c0a80103"
    )
    assert read(answer, request).kind == "accept"


def test_the_message_authenticator_is_the_first_attribute_and_right() -> None:
    request = sent(eap=b"\x02\x01\x00\x06\x01a")
    assert parse(request.data)[0][0] == 80
    assert servers.is_signed(request.data)


def test_a_request_says_of_the_gateway_what_azures_does() -> None:
    request = Sent(Request(of_call(NAS, Call("192.0.2.9", 12))), SERVER, 1, os.urandom)
    said = parse(request.data)
    assert len(dict(said)[33]) == 20
    expected = {
        32: b"RD0123456789AB",
        61: (5).to_bytes(4),
        12: (1300).to_bytes(4),
        311009: (311).to_bytes(4),
        311047: (2).to_bytes(4),
        6: (2).to_bytes(4),
        7: (1).to_bytes(4),
        4: bytes((10, 1, 255, 4)),
        5: (12).to_bytes(4),
        30: b"203.0.113.2",
        31: b"192.0.2.9",
    }
    assert {kind: value for kind, value in said if kind not in (33, 80)} == expected


def test_the_nas_identifier_looks_like_azures_and_is_the_gateways_own() -> None:
    one, other = nas_identifier("one"), nas_identifier("other")
    assert one != other
    assert one == nas_identifier("one")
    assert one.startswith("RD")
    assert len(bytes.fromhex(one[2:])) == 6


@pytest.mark.parametrize("name", [b"0x4142", b"CORP\\alice", "ünal".encode(), b"\xff\x00"])
def test_a_user_name_is_sent_unchanged(name: bytes) -> None:
    request = Sent(Request([("User-Name", name)]), SERVER, 1, os.urandom)
    assert dict(parse(request.data))[1] == name


@given(st.binary(min_size=1, max_size=2048))
def test_an_eap_packet_is_cut_at_253_bytes_and_joined_in_order(eap: bytes) -> None:
    values = split(eap)
    assert b"".join(values) == eap
    assert all(len(value) == 253 for value in values[:-1])
    said = [value for kind, value in parse(sent(eap=eap).data) if kind == 79]
    assert said == values


def test_an_accept_yields_the_decrypted_keys() -> None:
    request = sent()
    answer = read(
        servers.reply(request.data, ACCEPT, servers.keys(request.data, RECV, SEND)), request
    )
    assert answer.keys is not None
    assert (answer.keys.recv, answer.keys.send) == (RECV, SEND)


def test_keys_and_secret_are_in_no_repr() -> None:
    request = sent()
    answer = read(
        servers.reply(request.data, ACCEPT, servers.keys(request.data, RECV, SEND)), request
    )
    shown = f"{answer!r} {request!r} {SERVER!r} {Request([], password='hunter2')!r}"
    assert repr(RECV)[2:-1] not in shown
    assert "lab-secret" not in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("length", [0, 15, 65])
def test_keys_of_a_strange_length_are_no_keys(length: int) -> None:
    request = sent()
    hidden = servers.keys(request.data, bytes(length), SEND)
    assert read(servers.reply(request.data, ACCEPT, hidden), request).keys is None


def test_one_key_or_two_of_the_same_are_no_keys() -> None:
    request = sent()
    recv = vendor(17, servers.hidden(RECV, request.data))
    assert read(servers.reply(request.data, ACCEPT, recv), request).keys is None
    both = recv + recv + vendor(16, servers.hidden(SEND, request.data))
    assert read(servers.reply(request.data, ACCEPT, both), request).keys is None


def test_a_challenge_brings_its_eap_packet_and_state() -> None:
    request = sent(eap=b"\x02\x01\x00\x06\x01a")
    eap = b"\x01\x02" + (600).to_bytes(2) + bytes(596)
    attributes = b"".join(attribute(79, part) for part in split(eap)) + attribute(24, b"state")
    answer = read(servers.reply(request.data, CHALLENGE, attributes), request)
    assert (answer.kind, answer.eap, answer.state) == ("challenge", eap, b"state")


@pytest.mark.parametrize(
    ("code", "eap"),
    [
        (ACCEPT, b"\x04\x01\x00\x04"),  # a failure in an Access-Accept
        (REJECT, SUCCESS),
        (CHALLENGE, SUCCESS),
        (ACCEPT, b"\x03\x01\x00\x05"),
        (ACCEPT, b"\x03"),
    ],
)
def test_an_eap_packet_that_does_not_fit_its_answer_is_refused(code: int, eap: bytes) -> None:
    request = sent(eap=b"\x02\x01\x00\x06\x01a")
    assert request.read(servers.reply(request.data, code, attribute(79, eap))) == "eap"


def test_an_answer_without_message_authenticator_is_refused_unless_excepted() -> None:
    request, old = sent(), sent(OLD)
    assert request.read(servers.reply(request.data, ACCEPT, signed=False)) == (
        "no-message-authenticator"
    )
    assert read(servers.reply(old.data, ACCEPT, signed=False), old).kind == "accept"


def test_the_exception_is_never_for_eap() -> None:
    asked_with_eap, other = sent(OLD, eap=b"\x02\x01\x00\x06\x01a"), sent(OLD)
    without = servers.reply(asked_with_eap.data, REJECT, signed=False)
    assert asked_with_eap.read(without) == "no-message-authenticator"
    with_eap = servers.reply(other.data, ACCEPT, attribute(79, SUCCESS), signed=False)
    assert other.read(with_eap) == "no-message-authenticator"


def test_a_wrong_message_authenticator_is_refused_even_where_none_is_needed() -> None:
    old = sent(OLD)
    forged = servers.reply(old.data, ACCEPT, attribute(80, bytes(16)), signed=False)
    assert old.read(forged) == "message-authenticator"
    twice = servers.reply(old.data, ACCEPT, attribute(80, bytes(16)))
    assert old.read(twice) == "message-authenticator"
    short = servers.reply(old.data, ACCEPT, attribute(80, bytes(15)), signed=False)
    assert old.read(short) == "message-authenticator"


def test_another_secret_or_another_question_is_refused() -> None:
    request, other = sent(), sent()
    assert request.read(servers.reply(request.data, ACCEPT, secret=b"wrong")) == "authenticator"
    assert request.read(servers.reply(other.data, ACCEPT)) == "authenticator"
    numbered = sent(identifier=8)
    assert request.read(servers.reply(numbered.data, ACCEPT)) == "authenticator"


def test_a_proxy_state_that_was_not_sent_is_refused() -> None:
    request = sent()
    own = next(value for kind, value in parse(request.data) if kind == 33)
    for value in (b"x", own + b"x"):
        forged = servers.reply(request.data, ACCEPT, attribute(33, value), proxy_state=False)
        assert request.read(forged) == "proxy-state"
    twice = servers.reply(request.data, ACCEPT, attribute(33, own))
    assert request.read(twice) == "proxy-state"
    assert read(servers.reply(request.data, ACCEPT, proxy_state=False), request).kind == "accept"


def test_lengths_that_do_not_add_up_are_refused() -> None:
    request = sent()
    good = servers.reply(request.data, ACCEPT)
    assert request.read(good[:19]) == "length"
    assert request.read(good[:-1]) == "length"
    assert request.read(good[:2] + (19).to_bytes(2) + good[4:]) == "length"
    assert request.read(good + bytes(4096)) == "length"
    for cut in (b"\x12", b"\x12\x01", b"\x12\x00", b"\x12\x05ab"):
        broken = servers.reply(request.data, ACCEPT, cut, proxy_state=False)
        assert request.read(broken) == "attributes"


def test_bytes_after_the_end_are_padding() -> None:
    request = sent()
    assert read(servers.reply(request.data, ACCEPT) + b"padding", request).kind == "accept"


def test_four_kilobytes_of_attributes_are_refused() -> None:
    request = sent()
    many = servers.reply(request.data, ACCEPT, attribute(18, b"") * 2010)
    assert len(many) <= 4096
    assert request.read(many) == "flood"


def test_a_code_that_is_no_answer_is_refused() -> None:
    request = sent()
    for code in (0, 1, 4, 5, 12, 40, 255):
        assert request.read(servers.reply(request.data, code)) == "code"


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    assert isinstance(sent().read(data), str)
    attributes = walk(data)
    assert isinstance(attributes, (str, list))


@given(st.binary(max_size=200), st.sampled_from([ACCEPT, REJECT, CHALLENGE]))
def test_whatever_a_server_says_with_the_right_secret_never_raises(body: bytes, code: int) -> None:
    request = sent()
    assert isinstance(request.read(servers.reply(request.data, code, body)), (str, Answer))


@given(st.integers(0, 255), st.binary(max_size=247), st.sampled_from([26, 79, 80, 33, 24, 18]))
def test_no_attribute_value_raises(number: int, value: bytes, kind: int) -> None:
    request = sent()
    for said in (attribute(kind, value), vendor(number, value)):
        outcome = request.read(servers.reply(request.data, ACCEPT, said))
        assert isinstance(outcome, (str, Answer))
