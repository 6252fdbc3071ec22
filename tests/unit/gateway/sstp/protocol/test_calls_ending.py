"""How calls end: by silence, by either end, by a lost connection."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.common.vocabulary import Reason
from gateway.ppp.events import MsChapV2Attempt
from gateway.sstp.protocol import building
from gateway.sstp.protocol.binding import BOTH
from gateway.sstp.protocol.events import Data, Ended, Refused
from gateway.sstp.protocol.machine import TIMERS
from gateway.sstp.protocol.packets import AttributeId, Message, Status, status_infos
from gateway.sstp.protocol.tamper import Step, Tamper
from tests.unit.gateway.sstp.protocol.calls import Pair, ip_packet, kinds, only, verdict
from tests.unit.gateway.sstp.protocol.streams import controls, messages

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
