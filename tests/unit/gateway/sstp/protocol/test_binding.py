"""Crypto binding against published values, and each way in which a binding fails."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.sstp.protocol.binding import (
    BOTH,
    Bound,
    Unbound,
    certificate_hashes,
    check,
    compound_mac,
    compound_mac_key,
    connected,
    strongest,
)
from gateway.sstp.protocol.packets import Control, HashProtocol, read_control

SHA1, SHA256 = HashProtocol.SHA1, HashProtocol.SHA256


@dataclass(frozen=True)
class Vector:
    """`hlak` is the client's: MasterSendKey and MasterReceiveKey, or for EAP-TLS the MSK's half."""

    protocol: HashProtocol
    nonce: bytes
    certificate_hash: bytes
    hlak: bytes
    mac: bytes


def vector(protocol: HashProtocol, nonce: str, certificate: str, hlak: str, mac: str) -> Vector:
    parts = (bytes.fromhex(text) for text in (nonce, certificate, hlak, mac))
    return Vector(protocol, *parts)


SPECIFICATION = vector(  # [MS-SSTP] section 4.7
    SHA256,
    "412B489AEBD7ECC7D08966F26BE7CD72B231A0E9210D7C91B308862B0344C435",
    "7993EF314C493DACE9F02D60E7E61C84B6690AAFE9D7AEEA92CBBE8AD599422D",
    "2A1BB40D55AB0F5EF32F06F2B3CC73C4 8FD3FAC41D7A1315A19228D9024CA164",
    "52A68EFD8CFFBF52770B8F0FE8EC73716583AF6D611EB6D179B3B20840985449",
)
OF_SHA1 = vector(  # values published with sstp-client: an MS-CHAPv2 call bound with SHA-1
    SHA1,
    "0F1A2D58D4A3E3000FAD3CE4906E07B707AA9E441CCEAC5CBD7B2CC1C9D86CDF",
    "5826B629BDA59B8E6FD8DCD2622FD34C534805A5",
    "4B3128F43925D9006EEFB1C4E86515A1 D88E56BAB3CA2BDF0373B7F5A8A13B19",
    "69915DD583D8062FEF16F61DB2F03290EC27CB6C",
)
OF_EAP_TLS = vector(  # the same source: Windows 8.1 to Windows Server 2019, captured
    SHA256,
    "388a1ecbf302ba02f9f372ce37488ec36b71a28b5e1b19fbe44d5465a631c463",
    "7ff150176fa8e38a1f402d11ff89ff11b66505ad7f9ae81205277ba4a6b9ef9d",
    "bb2c17edbaa643b3d511eb9848792b7cab5f5d709fe9bdf89b5deaf5a8c17db7",
    "fe6473c7d183914e483fea1b12a6e760a4da16b62fab12a0a1e54e0ec325b24e",
)


@dataclass(frozen=True)
class KeyOf:
    form: str
    key: bytes


def message(packet: bytes) -> Control:
    control = read_control(packet)
    assert isinstance(control, Control)
    return control


def verdict(
    packet: bytes,
    vector: Vector = SPECIFICATION,
    *,
    offered: HashProtocol = BOTH,
    keys: tuple[KeyOf, ...] | None = None,
) -> Bound | Unbound:
    return check(
        message(packet),
        nonce=vector.nonce,
        offered=offered,
        hashes={SHA1: OF_SHA1.certificate_hash, SHA256: vector.certificate_hash},
        keys=(KeyOf("specification", vector.hlak),) if keys is None else keys,
    )


def bound(vector: Vector = SPECIFICATION) -> bytes:
    return connected(vector.hlak, vector.protocol, vector.nonce, vector.certificate_hash)


@pytest.mark.parametrize("vector", [SPECIFICATION, OF_SHA1, OF_EAP_TLS])
def test_the_published_macs_come_out(vector: Vector) -> None:
    packet = bound(vector)
    assert len(packet) == 112
    assert packet[80 : 80 + len(vector.mac)] == vector.mac
    assert packet[80 + len(vector.mac) :] == bytes(32 - len(vector.mac))


@pytest.mark.parametrize("vector", [SPECIFICATION, OF_SHA1, OF_EAP_TLS])
def test_a_server_takes_the_published_bindings(vector: Vector) -> None:
    taken = verdict(bound(vector), vector, offered=vector.protocol)
    assert taken == Bound(vector.protocol, "specification")


def test_a_weaker_hash_than_was_offered_does_not_bind() -> None:
    assert verdict(bound(OF_SHA1), OF_SHA1) == Unbound("bound with SHA1, where SHA256 was offered")


def test_the_published_prefix_and_key_come_out() -> None:
    assert bound()[:16].hex() == "10010070000400010003006800000002"
    assert compound_mac_key(SPECIFICATION.hlak, SHA256).hex() == (
        "ecf59ac9fe155cf0a9e7d66adc1b363c1ad7ba91a9217f0cec2a534298828df6"
    )


def test_without_keys_from_authentication_the_key_comes_from_zeros() -> None:
    assert compound_mac_key(bytes(32), SHA256).hex() == (
        "d342eb00477d6a37e1a184fb0168cb3ea3b6645fa0f227904d20eef5cb8f9327"
    )


def test_the_mac_field_itself_does_not_count() -> None:
    packet = bound()
    assert compound_mac(SPECIFICATION.hlak, SHA256, packet) == packet[80:]


def flipped(packet: bytes, at: int) -> bytes:
    return packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :]


@pytest.mark.parametrize(
    ("at", "why"),
    [(16, "nonce"), (47, "nonce"), (48, "certificate"), (79, "certificate"), (80, "MAC")],
)
def test_a_changed_byte_breaks_the_binding(at: int, why: str) -> None:
    answer = verdict(flipped(bound(), at))
    assert isinstance(answer, Unbound)
    assert why in answer.why


def test_a_change_in_what_is_only_covered_by_the_mac_breaks_it() -> None:
    answer = verdict(flipped(bound(OF_SHA1), 70), OF_SHA1, offered=SHA1)
    assert answer == Unbound("the compound MAC is wrong")


@pytest.mark.parametrize("protocol", [0, 3, 4])
def test_a_hash_protocol_that_does_not_exist_is_refused(protocol: int) -> None:
    packet = bound()
    answer = verdict(packet[:15] + bytes([protocol]) + packet[16:])
    assert answer == Unbound(f"hash protocol {protocol} was not offered")


def test_a_hash_protocol_that_was_not_offered_is_refused() -> None:
    assert verdict(bound(OF_SHA1), OF_SHA1, offered=SHA256) == Unbound(
        "hash protocol 1 was not offered"
    )


def test_the_form_of_the_key_is_reported() -> None:
    keys = (KeyOf("specification", bytes(32)), KeyOf("pppd", SPECIFICATION.hlak))
    assert verdict(bound(), keys=keys) == Bound(SHA256, "pppd")


def test_without_keys_nothing_binds() -> None:
    assert verdict(bound(), keys=()) == Unbound("the compound MAC is wrong")


def test_the_strongest_offered_hash_is_chosen() -> None:
    assert strongest(BOTH) == SHA256
    assert strongest(SHA1) == SHA1
    assert strongest(HashProtocol(0)) is None
    assert strongest(HashProtocol(4)) is None


def test_a_certificate_is_known_by_both_hashes() -> None:
    assert {protocol: len(digest) for protocol, digest in certificate_hashes(b"DER").items()} == {
        SHA1: 20,
        SHA256: 32,
    }
