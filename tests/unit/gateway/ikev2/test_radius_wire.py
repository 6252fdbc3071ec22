"""What charon asks the relay and is answered, byte by byte."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrad.packet import AccessAccept, AccessChallenge, AccessReject, AcctPacket, AuthPacket

from gateway.ikev2 import radius_wire as wire
from radius.attributes import Call, Nas, of_call
from radius.packet import Request as Question
from radius.packet import Sent, Server, walk
from tests.unit.gateway.ikev2.relays import (
    ANSWER,
    IDENTITY,
    INTERIM,
    KEYS,
    QUESTION,
    SECRET,
    START,
    STOP,
    SUCCESS,
    accounting,
    request,
)


def asked(eap: bytes = IDENTITY) -> wire.Asked:
    found = wire.read(request(eap).RequestPacket(), SECRET)
    assert found
    return found


def test_a_request_of_charons_is_read() -> None:
    found = asked(ANSWER + bytes(600))
    assert found.eap == ANSWER + bytes(600)
    assert (found.uniqueid, found.address, found.port) == ("12", "192.0.2.2", "61234")
    assert found.state is None
    assert (found.identifier, found.authenticator) == (7, bytes(16))


def cut_identity(name: bytes, user: bytes, kind: int = 1) -> bytes:
    """What is read of an identity as charon sends it, in one attribute; and the User-Name."""
    packet = request((b"\2\1" + (5 + len(name)).to_bytes(2, "big") + bytes((kind,)) + name)[:253])
    packet[1] = [user]
    packet.add_message_authenticator()
    found = wire.read(packet.RequestPacket(), SECRET)
    assert found
    return found.eap


@pytest.mark.parametrize("length", [247, 248, 249, 253])
def test_a_long_identity_is_completed_from_the_user_name(length: int) -> None:
    name = bytes(range(1, length + 1))
    assert cut_identity(name, name)[5:] == name


def test_a_longer_identity_is_made_to_fit_and_nothing_else_is() -> None:
    cut = cut_identity(b"a" * 600, b"a" * 253)
    assert (len(cut), cut[2:4]) == (253, (605).to_bytes(2, "big"))
    assert wire.fitting(cut) == cut[:2] + b"\0\xfd" + cut[4:]
    for other in (b"", IDENTITY, ANSWER + bytes(600), cut[:-1], cut[:4] + b"\x0d" + cut[5:]):
        assert wire.fitting(other) == other


def test_nothing_else_is_completed() -> None:
    name = b"a" * 253
    assert cut_identity(name, b"b" * 253)[5:] == name[:248]
    assert cut_identity(name, name[:252])[5:] == name[:248]
    assert cut_identity(name, name, kind=26)[5:] == name[:248]


@pytest.mark.parametrize(
    "data",
    [
        request(IDENTITY, b"another secret").RequestPacket(),
        request(IDENTITY).RequestPacket()[:-1],
        b"",
        bytes(20),
    ],
)
def test_requests_that_are_not_charons_are_ignored(data: bytes) -> None:
    assert wire.read(data, SECRET) is None


@pytest.mark.parametrize(
    ("packet", "secret"),
    [
        (accounting(START, b"t"), b"another secret"),
        (accounting(INTERIM, b"t"), SECRET),
        (accounting(0x100, b"t"), SECRET),
    ],
)
def test_accounting_that_is_not_charons_or_has_no_status_is_ignored(
    packet: AcctPacket, secret: bytes
) -> None:
    assert wire.read_accounting(packet.RequestPacket(), secret) is None


def test_a_start_and_a_stop_are_read() -> None:
    for status in (START, STOP):
        found = wire.read_accounting(accounting(status, b"token").RequestPacket(), SECRET)
        assert found
        assert (found.begins, found.token) == (status == START, b"token")
        assert found.address == IPv4Address("172.16.0.1")


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    assert wire.read_accounting(b"\x04" + data, SECRET) is None
    assert wire.read(data, SECRET) is None
    assert wire.read(b"\x01" + data, SECRET) is None


def reply(data: bytes) -> AuthPacket:
    """The reply as charon reads it; it must be authentic."""
    packet = request(IDENTITY)
    packet.RequestPacket()
    answer = packet.CreateReply(packet=data)
    answer.request_authenticator = packet.authenticator
    assert packet.VerifyReply(answer, data)
    assert answer.verify_message_authenticator(original_authenticator=packet.authenticator)
    return answer


def test_an_accept_has_address_servers_and_token_and_hides_the_keys() -> None:
    dns = (IPv4Address("10.1.0.4"), IPv4Address("10.1.0.5"), IPv4Address("10.1.0.6"))
    grant = wire.Grant(SUCCESS, KEYS, IPv4Address("172.16.0.9"), dns, b"token")
    data = wire.accept(asked(), SECRET, grant)
    assert KEYS.recv not in data
    assert reply(data)[8] == [IPv4Address("172.16.0.9").packed]
    assert reply(data)[25] == [b"token"]
    assert reply(data)[(311, 28)] == [server.packed for server in dns]
    answer = reply(data)
    assert answer.code == AccessAccept
    assert answer[79] == [SUCCESS]
    assert answer.SaltDecrypt(answer[(311, 17)][0]) == KEYS.recv
    assert answer.SaltDecrypt(answer[(311, 16)][0]) == KEYS.send


def test_a_challenge_carries_the_question_and_a_state() -> None:
    answer = reply(wire.challenge(asked(), SECRET, QUESTION + bytes(600), b"token"))
    assert answer.code == AccessChallenge
    assert b"".join(answer[79]) == QUESTION + bytes(600)
    assert answer[24] == [b"token"]


def test_a_reject_without_an_eap_packet_is_an_eap_failure() -> None:
    answer = reply(wire.reject(asked(ANSWER), SECRET))
    assert answer.code == AccessReject
    assert answer[79] == [b"\x04\x02\x00\x04"]


def test_a_servers_request_has_the_attributes_of_azures_and_no_others() -> None:
    """The captured request of Azure's gateway, second round of EAP (docs/facts.md §4)."""
    call = Call("192.0.2.2", 12, "IkeV2")
    pairs = [("User-Name", b"alice"), *of_call(Nas("RD0123456789AB", "10.1.255.4"), call)]
    written = Question([*pairs, ("State", bytes(16))], eap=ANSWER)
    sent = Sent(written, Server("192.168.50.10", b"secret"), 1, bytes)
    attributes = walk(sent.data)
    assert not isinstance(attributes, str)
    azures = {
        1: "User-Name", 12: "Framed-MTU", 24: "State", 26: "MS-RAS-Vendor and server type",
        32: "NAS-Identifier", 33: "Proxy-State", 61: "NAS-Port-Type", 64: "Tunnel-Type",
        65: "Tunnel-Medium-Type", 79: "EAP-Message", 80: "Message-Authenticator",
    }  # fmt: skip
    assert {kind for kind, _ in attributes} == azures.keys()
    values = dict(attributes)
    assert attributes[0][0] == 80, "Message-Authenticator goes first (CVE-2024-3596)"
    assert values[64] == b"\0\0\0\x09", "ESP"
    assert values[65] == b"\0\0\0\x01", "IPv4"
    assert values[12] == (1300).to_bytes(4)
    assert len(values[33]) == 20
