"""The phases of a call: each is reached by what a peer and an owner do, and takes its own events
only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.ppp import frames
from gateway.ppp.events import Refuse
from gateway.ppp.options import Option, encode_options
from gateway.sstp.protocol import building
from gateway.sstp.protocol.call import ServerCall
from gateway.sstp.protocol.carrier import LINGER, TRANSITIONS, Event, Phase
from gateway.sstp.protocol.events import Connected, Ended, Refused
from gateway.sstp.protocol.http import request
from gateway.sstp.protocol.machine import TIMERS
from gateway.sstp.protocol.tamper import Tamper
from tests.unit.gateway.sstp.protocol.calls import ALICE, Pair, ip_packet, kinds

CONFIGURE_IPCP = building.data(
    frames.join(frames.IPCP, frames.encode_packet(1, 77, encode_options((Option(3, bytes(4)),))))
)


def requested() -> ServerCall:
    server = Pair().server
    server.receive(request("gw.example", ""), 0)
    return server


def refused() -> ServerCall:
    server = Pair(answer=lambda _: None).run().server
    server.answer(Refuse("password", "no"), 0)
    return server


def renegotiating() -> ServerCall:
    server = Pair().run().server
    server.receive(CONFIGURE_IPCP, 0)
    return server


def ending() -> ServerCall:
    server = Pair().run().server
    server.end("enough", 0)
    return server


def closed() -> ServerCall:
    server = Pair().run().server
    server.lost("reset", 0)
    return server


REACHED: dict[Phase, Callable[[], ServerCall]] = {
    Phase.HTTP: lambda: Pair().server,
    Phase.REQUEST: requested,
    Phase.LINK: lambda: Pair(answer=lambda _: None).run().server,
    Phase.BINDING: lambda: Pair(tamper=Tamper(silent_at="binding")).run().server,
    Phase.REFUSED: refused,
    Phase.NETWORK: lambda: Pair(tamper=Tamper(silent_at="network")).run().server,
    Phase.ESTABLISHED: lambda: Pair().run().server,
    Phase.RENEGOTIATING: renegotiating,
    Phase.ENDING: ending,
    Phase.CLOSED: closed,
}
LEGAL = {
    Phase.HTTP: "ACCEPTED>REQUEST END>CLOSED",
    Phase.REQUEST: "ACKNOWLEDGED>LINK END>ENDING",
    Phase.LINK: "ATTEMPT>LINK AUTHENTICATED>BINDING AUTHENTICATION_FAILED>REFUSED END>ENDING",
    Phase.BINDING: "BOUND>NETWORK END>ENDING",
    Phase.REFUSED: "END>ENDING",
    Phase.NETWORK: "NETWORK_UP>ESTABLISHED END>ENDING",
    Phase.ESTABLISHED: "NETWORK_DOWN>RENEGOTIATING END>ENDING",
    Phase.RENEGOTIATING: "NETWORK_UP>ESTABLISHED END>ENDING",
    Phase.ENDING: "CLOSE>CLOSED",
    Phase.CLOSED: "",
}
NEVER_CONNECTED = (Phase.HTTP, Phase.REQUEST, Phase.LINK, Phase.BINDING, Phase.NETWORK)


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_is_reached(phase: Phase) -> None:
    assert REACHED[phase]().phase is phase


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", Event)
def test_a_phase_takes_its_own_events_and_any_other_ends_the_call(
    phase: Phase, event: Event
) -> None:
    legal = dict(pair.split(">") for pair in LEGAL[phase].split())
    call = REACHED[phase]()
    call.events()
    if event.name in legal:
        assert TRANSITIONS[phase, event] is Phase[legal[event.name]]
        if event is not Event.ACCEPTED:  # it comes with a machine
            assert call._move(event, 1)
            assert call.phase is Phase[legal[event.name]]
        return
    assert (phase, event) not in TRANSITIONS
    assert not call._move(event, 1)
    assert call.phase is Phase.CLOSED
    why = f"{event.value} in phase {phase.value}"
    told: list[Refused | Ended] = []
    if phase in NEVER_CONNECTED:
        told.append(Refused("protocol", why, call._user))
    if phase not in (Phase.ENDING, Phase.CLOSED):
        told.append(Ended(why))
    assert call.events() == told


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_ends_when_the_connection_is_lost_and_is_told_to_end_once(
    phase: Phase,
) -> None:
    call = REACHED[phase]()
    told = call.events()
    call.lost("reset", 5)
    call.lost("reset again", 6)
    call.end("enough", 7)
    told += call.events()
    assert call.phase is Phase.CLOSED
    assert call.deadline() == (0 if phase is Phase.CLOSED else 5) + LINGER
    assert sum(isinstance(event, Ended) for event in told) == 1
    assert isinstance(told[-1], Ended)


@pytest.mark.parametrize("phase", Phase)
def test_ip_passes_only_in_a_call_that_is_established(phase: Phase) -> None:
    call = REACHED[phase]()
    call.events()
    call.outgoing()
    if phase is not Phase.HTTP:
        call.receive(building.data(b"\x21" + ip_packet()), 0)
    call.send(ip_packet(), 0)
    passes = phase is Phase.ESTABLISHED
    assert kinds(call.events()) == ["Data"] * passes
    assert (ip_packet() in call.outgoing()) is passes


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.CLOSED])
def test_every_phase_is_bounded_by_a_timer(phase: Phase) -> None:
    """Of a peer that says nothing more; an established one is dead after two hello times."""
    call = REACHED[phase]()
    begun, due = 0.0, call.deadline()
    while not call.closed:
        assert due is not None
        call.tick(due)
        begun, due = due, call.deadline()
    assert begun <= 2 * TIMERS.negotiation + TIMERS.abort


def test_a_peer_that_negotiates_ipcp_anew_is_connected_once() -> None:
    pair = Pair()
    pair.run()
    pair.server.receive(CONFIGURE_IPCP, 0)
    assert pair.server.phase is Phase.RENEGOTIATING
    pair.run()
    assert pair.server.phase is Phase.ESTABLISHED
    assert sum(isinstance(event, Connected) for event in pair.server_saw) == 1


def test_a_binding_that_comes_after_the_end_is_not_told() -> None:
    """The owner hangs up while the Call Connected of the peer is on its way."""
    pair = Pair(tamper=Tamper(silent_at="binding")).run()
    pair.server.end("enough", 0)
    twin = Pair().run()
    pair.server.receive(twin.client.connected_packet, 0)
    assert kinds(pair.server.events()) == ["Ended"]


def test_a_wrong_password_is_refused_before_the_link_is_down() -> None:
    pair = Pair(client=replace(ALICE, password="wrong"))
    seen = []
    answer = pair.server.answer
    pair.server.answer = lambda verdict, now: (  # type: ignore[method-assign]
        answer(verdict, now),
        seen.append(pair.server.phase),
    )[0]
    pair.run()
    assert seen == [Phase.REFUSED]
