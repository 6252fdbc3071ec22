"""Which TLS clients offer in EAP-TLS: 1.2, and nothing that the seed says is gone. charon's is seen
on the gateway's loopback, where its EAP goes to the relay."""

from __future__ import annotations

from pathlib import Path

from scapy.layers.tls.crypto import suites

from gateway.ppp.eap import Code, Type
from gateway.ppp.frames import parse_packet
from gateway.ppp.tls_contexts import client_context
from gateway.ppp.tls_messages import Handshake
from lab.explain.hello import Hello, read_hello
from lab.pki.authority import Credential, issue
from radius.packet import walk
from tests.rigs.gateway_bench import ROOT, Bench, client, on_a_gateway
from tests.rigs.watch import watching

GONE = {"RC4", "DES", "DES40", "3DES", "MD5"}
"""Words in IANA's names of suites."""
RENEGOTIATION = 0x00FF
"""A signal, not a suite (RFC 5746)."""
UDP, ACCESS_REQUEST, EAP_MESSAGE = 17, 1, 79


def is_of_today(hello: Hello) -> None:
    names = {suites._tls_cipher_suites[one] for one in hello.suites if one != RENEGOTIATION}
    assert hello.newest == "TLS 1.2"
    assert names
    assert not {name for name in names if GONE & {*name.split("_")}}


def eap_of(packet: bytes) -> bytes:
    """EAP in an Access-Request (RFC 3579); empty for any other packet."""
    request = packet[28:]
    attributes = walk(request) if packet[9] == UDP else "not RADIUS"
    if isinstance(attributes, str) or request[0] != ACCESS_REQUEST:
        return b""
    return b"".join(value for kind, value in attributes if kind == EAP_MESSAGE)


def hellos(packets: list[bytes]) -> list[Hello]:
    found = []
    for one in packets:
        eap = parse_packet(eap_of(one))
        if eap and eap.code == Code.RESPONSE and eap.data[:1] == bytes((Type.TLS,)):
            found.append(read_hello(eap.data))
    return [hello for hello in found if hello]


def test_charon_offers_tls_1_2_and_nothing_that_is_gone(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2"))
        async with watching({"gw": bench.nodes["gw"]}, lambda packet: bool(eap_of(packet))) as seen:
            await bench.computer("pc1", "alice").dial("IkeV2")
        said = hellos([one.packet for one in seen if one.leaves])
        assert len(said) == 1
        is_of_today(said[0])

    on_a_gateway(tmp_path, test, client("alice"))


def test_the_labs_own_client_offers_tls_1_2_and_nothing_that_is_gone() -> None:
    alice: Credential = issue((ROOT, client("alice")))["alice"]
    context = client_context(alice.certificate, alice.key, (), (alice.issuers[-1],))
    hello = read_hello(Handshake(context, server=False).step(b""))
    assert hello
    is_of_today(hello)
