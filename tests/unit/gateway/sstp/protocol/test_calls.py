"""Whole calls between our own server and client: HTTP, SSTP, PPP and the binding of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.ppp.events import MsChapV2Attempt
from gateway.ppp.mschapv2 import verify
from gateway.sstp.protocol import binding, building
from gateway.sstp.protocol.binding import BOTH, Bound
from gateway.sstp.protocol.events import Connected, Data, Ended, Refused, Requested
from gateway.sstp.protocol.http import accepted, request
from gateway.sstp.protocol.packets import (
    AttributeId,
    Framer,
    HashProtocol,
    Message,
    Status,
    is_control,
    status_infos,
)
from gateway.sstp.protocol.tamper import Part, Tamper
from tests.unit.gateway.sstp.protocol.calls import (
    ADDRESS,
    ALICE,
    HASHES,
    PASSWORD,
    PASSWORDS,
    Pair,
    certificates,
    ip_packet,
    kinds,
    only,
    verdict,
)
from tests.unit.gateway.sstp.protocol.streams import controls, messages

# -------------------------------------------------------------------------------- it connects


def test_a_call_with_mschapv2_connects() -> None:
    pair = Pair().run()
    assert kinds(pair.server_saw) == ["Requested", "MsChapV2Attempt", "Bound", "Connected"]
    assert only(pair.server_saw, Requested).host == "gw.example"
    assert only(pair.server_saw, Bound) == Bound(HashProtocol.SHA256, "specification")
    assert only(pair.server_saw, Connected) == Connected(ADDRESS)
    assert kinds(pair.client_saw) == ["Bound", "Connected"]
    assert pair.server.established
    assert pair.client.established
    assert pair.server.peer_mru > 0
    assert pair.server.ip_header


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_a_call_connects_however_its_bytes_are_cut(chunk: int) -> None:
    assert Pair(chunk=chunk).run().server.established


@pytest.mark.parametrize("form", ["specification", "pppd"])
def test_a_call_with_eap_tls_binds_with_either_form_of_the_key(form: str) -> None:
    server, client, judge = certificates()
    pair = Pair(server, client, answer=judge(), key_form=form).run()
    told = [kind for kind in kinds(pair.server_saw) if kind != "EapAttempt"]
    assert told == ["Requested", "Bound", "Connected"]
    assert only(pair.server_saw, Bound).form == form


def test_a_call_with_pap_binds_with_zeros() -> None:
    server = replace(PASSWORDS, methods=("PAP",))
    pair = Pair(server, replace(ALICE, methods=("PAP",))).run()
    assert only(pair.server_saw, Bound).form == "none"


def test_a_call_is_bound_with_the_strongest_hash_and_no_other() -> None:
    pair = Pair(hash_protocols=BOTH).run()
    assert only(pair.server_saw, Bound).hash_protocol == HashProtocol.SHA256
    pair = Pair(hash_protocols=HashProtocol.SHA1).run()
    assert only(pair.server_saw, Refused).reason == "binding"
    assert "Bound" not in kinds(pair.server_saw)


def test_ip_packets_pass_both_ways() -> None:
    pair = Pair().run()
    pair.client.send(ip_packet(b"up"), 0)
    pair.server.send(ip_packet(b"down"), 0)
    pair.run()
    assert only(pair.server_saw, Data) == Data(ip_packet(b"up"))
    assert only(pair.client_saw, Data) == Data(ip_packet(b"down"))


def test_a_bound_call_without_an_address_is_not_established() -> None:
    pair = Pair(tamper=Tamper(silent_at="network")).run()
    assert only(pair.server_saw, Bound)
    assert "Connected" not in kinds(pair.server_saw)
    assert not pair.server.established
    pair.server.receive(building.data(b"\x21" + ip_packet()), 0)
    assert "Data" not in kinds(pair.server.events())


def test_a_client_may_send_its_request_directly_after_the_http_header() -> None:
    server = Pair().server
    server.receive(request("gw.example", "") + building.connect_request(), 0)
    assert messages(server.outgoing())[0] == Message.CALL_CONNECT_ACK


def test_a_server_may_send_packets_directly_after_the_http_header() -> None:
    client = Pair().client
    client.receive(accepted("p2slab", 0) + building.connect_ack(BOTH, bytes(32)), 0)
    frames = Framer().feed(client.outgoing().partition(b"\r\n\r\n")[2])
    assert [is_control(frame) for frame in frames] == [True, False]


def test_nothing_is_sent_before_a_call_is_established() -> None:
    pair = Pair()
    pair.client.outgoing()
    pair.client.send(ip_packet(), 0)
    assert pair.client.outgoing() == b""


def test_secrets_stay_out_of_representations() -> None:
    pair = Pair().run()
    assert PASSWORD not in repr(pair.server_saw)
    key = verify(only(pair.server_saw, MsChapV2Attempt), PASSWORD)
    assert key
    assert key.keys[0].key.hex() not in repr(pair.server_saw) + repr(key)
    assert "ping" not in repr(Data(b"ping"))


# --------------------------------------------------------------------------------- the binding


def test_a_call_connected_before_the_verdict_waits_for_it() -> None:
    pair = Pair(answer=lambda _: None).run()
    attempt = only(pair.server_saw, MsChapV2Attempt)
    verified = verify(attempt, PASSWORD)
    assert verified
    nonce = controls(pair.to_client)[0].value(AttributeId.CRYPTO_BINDING_REQ)
    assert nonce
    sha256 = HashProtocol.SHA256
    early = binding.connected(verified.keys[0].key, sha256, nonce[4:], HASHES[sha256])
    pair.server.receive(early, 1)
    assert pair.server.events() == []
    accept = verdict(attempt)
    assert accept
    pair.server.answer(accept, 2)
    assert [event for event in pair.server.events() if isinstance(event, Bound)]


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ("nonce", "the nonce is not the one sent"),
        ("certificate hash", "the client saw another server certificate"),
        ("MAC", "the compound MAC is wrong"),
    ],
)
def test_a_tampered_binding_is_refused_with_an_abort(part: Part, why: str) -> None:
    pair = Pair(tamper=Tamper(wrong=part)).run()
    assert only(pair.server_saw, Refused) == Refused("binding", why, "alice")
    assert kinds(pair.server_saw)[-2:] == ["Refused", "Ended"]
    abort = controls(pair.to_client)[-1]
    assert abort.message == Message.CALL_ABORT
    (info,) = status_infos(abort)
    assert (info.attribute, info.status) == (
        AttributeId.CRYPTO_BINDING,
        Status.INVALID_FRAME_RECEIVED,
    )
    assert not pair.server.established
    assert "aborted the call" in only(pair.client_saw, Ended).why


def test_a_binding_recorded_in_another_call_is_refused() -> None:
    recorded = Pair(seed=2).run().client.connected_packet
    assert len(recorded) == 112
    pair = Pair(tamper=Tamper(replayed=recorded)).run()
    assert only(pair.server_saw, Refused).reason == "binding"


def test_a_second_call_connected_aborts_the_call() -> None:
    pair = Pair(tamper=Tamper(repeated=True)).run()
    assert only(pair.server_saw, Ended).why == "CALL_CONNECTED in Call_Connected"
    assert not pair.server.established


def test_the_server_certificate_of_another_connection_does_not_bind() -> None:
    other = binding.certificate_hashes(b"the certificate of a man in the middle")
    pair = Pair(certificate_hashes=other).run()
    assert "another server certificate" in only(pair.server_saw, Refused).message


def test_data_before_the_binding_is_dropped_and_counted() -> None:
    pair = Pair(tamper=Tamper(early=ip_packet())).run()
    assert pair.server.dropped == 1
    assert "Data" not in kinds(pair.server_saw)
    assert pair.server.established


def test_data_of_a_client_that_never_binds_is_dropped() -> None:
    pair = Pair(tamper=Tamper(silent_at="binding")).run()
    pair.server.receive(building.data(b"\xff\x03\x00\x21" + ip_packet()), 0)
    pair.server.receive(building.data(b"\x21" + ip_packet()), 0)
    assert pair.server.dropped == 2
    assert pair.server.events() == []


def test_a_frame_without_a_protocol_number_is_dropped() -> None:
    pair = Pair().run()
    pair.server.receive(building.data(b"") + building.data(b"\xff\x03"), 0)
    pair.run()
    assert pair.server.established
