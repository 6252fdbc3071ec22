"""Whole calls between our own server and client: HTTP, SSTP, PPP and the binding of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.common.vocabulary import Reason
from gateway.ppp.events import MsChapV2Attempt, Refuse
from gateway.ppp.mschapv2 import verify
from gateway.sstp.protocol import binding, building
from gateway.sstp.protocol.binding import BOTH, Bound
from gateway.sstp.protocol.carrier import LINGER, MOST_UNSENT
from gateway.sstp.protocol.events import Connected, Data, Ended, Refused, Requested
from gateway.sstp.protocol.http import accepted, request
from gateway.sstp.protocol.machine import TIMERS
from gateway.sstp.protocol.packets import (
    AttributeId,
    Control,
    Framer,
    HashProtocol,
    Message,
    Status,
    is_control,
    read_control,
    status_infos,
)
from gateway.sstp.protocol.tamper import Part, Step, Tamper
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


def controls(stream: bytes) -> list[Control]:
    """The control messages of one direction, after HTTP."""
    packets = Framer().feed(stream.partition(b"\r\n\r\n")[2])
    found = [read_control(packet) for packet in packets if is_control(packet)]
    return [control for control in found if isinstance(control, Control)]


def messages(stream: bytes) -> list[Message]:
    return [control.message for control in controls(stream)]


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


# --------------------------------------------------------------------------------- it is refused


def test_a_wrong_password_is_refused_with_its_reason() -> None:
    pair = Pair(client=replace(ALICE, password="wrong")).run().pass_time(20)
    refused = Refused("password", "wrong user name or password", "alice")
    assert only(pair.server_saw, Refused) == refused
    assert kinds(pair.server_saw)[-1] == "Ended"
    assert only(pair.client_saw, Refused).reason == "password"
    assert pair.server.closed
    assert pair.client.closed


def test_a_refusal_is_reported_once_whatever_the_client_does_next() -> None:
    pair = Pair(client=replace(ALICE, password="wrong")).run()
    pair.server.receive(building.ECHO_REQUEST, 0)
    assert only(pair.run().server_saw, Refused).reason == "password"


def test_a_refusal_by_admission_is_reported_with_its_reason() -> None:
    server, client, make = certificates()
    judge = make()
    judge.decide = lambda _shown: Refuse("revoked", "it is on the list")
    pair = Pair(server, client, answer=judge).run().pass_time(20)
    assert only(pair.server_saw, Refused) == Refused("revoked", "it is on the list", "alice")
    assert pair.server.closed


def test_a_busy_server_answers_503_and_closes() -> None:
    pair = Pair(busy=True).run()
    assert pair.to_client.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert only(pair.server_saw, Refused).reason == "limit"
    assert kinds(pair.server_saw) == ["Refused", "Ended"]
    assert pair.server.closed
    assert only(pair.client_saw, Refused) == Refused("limit", "HTTP 503 Service Unavailable")
    assert pair.client.closed


def test_a_refused_request_is_answered_and_then_the_connection_closed() -> None:
    server = Pair().server
    server.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET", 10)
    assert server.closed
    assert server.deadline() == 10 + LINGER
    assert server.outgoing().startswith(b"HTTP/1.1 405 ")
    assert server.events() == [
        Refused("protocol", "HTTP 405: method GET"),
        Ended("HTTP 405: method GET"),
    ]
    server.receive(request("gw.example", ""), 11)
    assert server.outgoing() == b""


def test_a_request_that_never_ends_is_answered_with_408_after_sixty_seconds() -> None:
    server = Pair().server
    server.receive(b"SSTP_DUPLEX_POST /sra", 1)
    assert server.deadline() == 60
    server.receive(b"_{BA", 50)
    assert server.deadline() == 60
    server.tick(60)
    assert server.closed
    assert server.outgoing().startswith(b"HTTP/1.1 408 ")
    assert only(server.events(), Refused).reason == "timeout"


def test_an_invalid_stream_is_closed_silently() -> None:
    pair = Pair().run()
    pair.server.receive(b"\x47ET / HTTP/1.1\r\n", 1)
    assert pair.server.closed
    assert pair.server.outgoing() == b""
    assert not pair.server.established
    (ended,) = pair.server.events()
    assert isinstance(ended, Ended)
    assert "no SSTP packet begins with 47455420" in ended.why


def test_a_peer_that_does_not_read_is_given_up() -> None:
    pair = Pair().run()
    for _ in range(MOST_UNSENT // 8 // 1000 + 1):
        pair.server.receive(building.ECHO_REQUEST * 1000, 1)
    assert pair.server.closed
    assert pair.server.outgoing() == b""
    assert only(pair.server.events(), Ended).why == "the peer does not read what is sent to it"


SILENCES: list[tuple[Step, str, Reason]] = [
    ("http", "HTTP 408", "timeout"),
    ("request", "nothing further within 60 s of negotiation", "timeout"),
    ("ppp", "LCP: no answer", "timeout"),
    ("authentication", "no answer", "refused"),
    ("binding", "nothing further within 60 s of negotiation", "timeout"),
]


@pytest.mark.parametrize(("step", "why", "reason"), SILENCES)
def test_silence_at_each_step_ends_the_call(step: Step, why: str, reason: Reason) -> None:
    pair = Pair(tamper=Tamper(silent_at=step)).run()
    assert not pair.server.closed
    pair.pass_time(80)
    assert pair.server.closed
    assert why in only(pair.server_saw, Ended).why
    assert only(pair.server_saw, Refused).reason == reason
    assert not pair.server.established


def test_a_bound_call_whose_client_never_asks_for_an_address_is_ended_after_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The automaton alone would go on for ever: each Ack sets its count of tries back."""
    request_of_ipcp = b"\xff\x03\x80\x21\x01"
    pair = Pair()
    monkeypatch.setattr(pair.client, "_passes", lambda frame: not frame.startswith(request_of_ipcp))
    monkeypatch.setattr(pair.client, "tick", lambda now: None)  # noqa: ARG005 (it never gives up)
    monkeypatch.setattr(pair.client, "deadline", lambda: None)
    pair.run().pass_time(59)
    assert kinds(pair.server_saw)[-1] == "Bound"
    pair.pass_time(1)
    assert only(pair.server_saw, Refused).reason == "timeout"
    assert only(pair.server_saw, Ended).why == "no IP address agreed on within 60 s"
    (told,) = status_infos(controls(pair.to_client)[-1])
    assert told.status == Status.NEGOTIATION_TIMEOUT
    assert pair.pass_time(3).server.closed


def test_a_client_that_stops_answering_is_ended_after_two_minutes() -> None:
    pair = Pair(tamper=Tamper(silent_at="echo"), timers=replace(TIMERS, hello=1000)).run()
    assert pair.server.established
    pair.pass_time(119)
    assert messages(pair.to_client)[-1] == Message.ECHO_REQUEST
    assert pair.server.established
    pair.pass_time(2)
    assert pair.server.closed
    assert "silent for 120 s" in only(pair.server_saw, Ended).why
    assert Message.CALL_ABORT not in messages(pair.to_client)


def test_two_idle_ends_keep_each_other_alive() -> None:
    pair = Pair().run().pass_time(600)
    assert pair.server.established
    assert pair.client.established
    assert messages(pair.to_client).count(Message.ECHO_REQUEST) >= 5


def test_data_restarts_the_hello_timer() -> None:
    pair = Pair().run()
    pair.server.receive(building.data(b"\x21" + ip_packet()), 30)
    assert pair.server.deadline() == 90


def test_data_that_went_past_the_call_keeps_it_alive() -> None:
    pair = Pair().run()
    pair.server.heard(50)
    assert pair.server.deadline() == 110


def test_data_that_is_reported_repeatedly_keeps_no_call_alive() -> None:
    pair = Pair().run()
    for now in (60, 120):
        pair.server.heard(50)
        pair.server.tick(now)
    assert messages(b"\r\n\r\n" + pair.server.outgoing()) == [Message.ECHO_REQUEST]
    pair.server.heard(50)
    pair.server.tick(180)
    assert pair.server.closed


def test_a_packet_that_is_not_whole_is_handed_to_the_data_plane_and_back() -> None:
    pair = Pair().run()
    packet = building.data(b"\x21" + ip_packet())
    pair.server.receive(packet[:10], 0)
    assert pair.server.rest() == packet[:10]
    assert pair.server.rest() == b""
    pair.server.receive(packet, 0)
    assert only(pair.server.events(), Data) == Data(ip_packet())


# ------------------------------------------------------------------------------------- it ends


def test_the_server_hangs_up_ppp_first_and_then_sstp() -> None:
    pair = Pair().run()
    pair.server.end("disconnected by an administrator", 0)
    assert not pair.server.established
    pair.run().pass_time(2)
    assert only(pair.server_saw, Ended).why == "disconnected by an administrator"
    assert Message.CALL_DISCONNECT in messages(pair.to_client + pair.to_server)
    assert Message.CALL_ABORT not in messages(pair.to_client)
    assert pair.server.closed
    assert pair.client.closed
    assert only(pair.client_saw, Ended).why


def test_the_client_hangs_up() -> None:
    pair = Pair().run()
    pair.client.end("enough", 0)
    pair.run().pass_time(2)
    assert pair.server.closed
    assert pair.client.closed
    assert only(pair.server_saw, Ended).why
    assert "Refused" not in kinds(pair.server_saw)


def test_hanging_up_on_a_client_that_is_gone_takes_a_bounded_time() -> None:
    pair = Pair().run()
    pair.server.end("enough", 0)
    for _ in range(100):
        if pair.server.closed:
            break
        due = pair.server.deadline()
        assert due is not None
        pair.server.tick(due)
    assert pair.server.closed
    assert due is not None
    assert due < 30


def test_a_call_that_is_ended_before_its_request_is_closed_at_once() -> None:
    server = Pair().server
    server.end("the gateway stops", 5)
    assert server.closed
    assert server.events() == [Ended("the gateway stops")]


def test_a_call_that_is_ended_before_ppp_is_hung_up_by_sstp() -> None:
    pair = Pair(tamper=Tamper(silent_at="request")).run()
    pair.server.end("the gateway stops", 0)
    pair.run()
    assert messages(pair.to_client) == [Message.CALL_DISCONNECT]
    assert pair.server.closed


def test_a_lost_connection_ends_the_call() -> None:
    pair = Pair().run()
    pair.server.lost("the connection was reset", 1)
    assert pair.server.closed
    assert pair.server.events() == [Ended("the connection was reset")]


def test_a_verdict_for_a_call_that_has_ended_is_ignored() -> None:
    pair = Pair(answer=lambda _: None).run()
    attempt = only(pair.server_saw, MsChapV2Attempt)
    pair.server.receive(building.disconnect(), 1)
    pair.server.outgoing()
    accept = verdict(attempt)
    assert accept
    pair.server.answer(accept, 2)
    assert pair.server.outgoing() == b""


def test_an_ended_call_reports_it_once() -> None:
    pair = Pair().run()
    pair.server.end("first", 0)
    pair.server.end("second", 0)
    pair.server.lost("third", 0)
    pair.run()
    assert only(pair.server_saw, Ended) == Ended("first")


def test_the_servers_offer_is_both_hash_protocols() -> None:
    ack = controls(Pair().run().to_client)[0]
    value = ack.value(AttributeId.CRYPTO_BINDING_REQ)
    assert value
    assert value[3] == BOTH
