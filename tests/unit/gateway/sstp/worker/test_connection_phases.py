"""The phases of a connection: each takes its own events only, another is a fault and ends it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.dataplane.reactor import Timer
from gateway.ppp.events import Refuse
from gateway.sstp.protocol.events import Data, Ended
from gateway.sstp.worker import connection as connections
from gateway.sstp.worker.connection import TRANSITIONS, ClientConnection, Event, Phase
from tests.unit.gateway.sstp.worker.test_connection import WorkerServices, listener, services

__all__ = ["listener", "services"]

LEGAL = {
    Phase.HANDSHAKE: "SECURED>CALL CLOSE>CLOSED",
    Phase.CALL: "VERDICT>CALL EARLY_PACKET>CALL ESTABLISHED>PLANE CLOSE>CLOSED",
    Phase.PLANE: "VERDICT>PLANE CONTROL>PLANE DOWN>LEAVING CLOSE>CLOSED",
    Phase.LEAVING: "VERDICT>LEAVING CONTROL>LEAVING TAKEN_BACK>CALL CLOSE>CLOSED",
    Phase.CLOSED: "",
}
IGNORED_WHEN_CLOSED = (Event.VERDICT, Event.CONTROL, Event.CLOSE)


@dataclass
class Call:
    """A ServerCall that remembers what it is given, and stays as it is until it is ended."""

    established: bool
    closed: bool = False
    dropped: int = 7
    given: list[Any] = field(default_factory=list)
    due: float | None = None
    told: list[Any] = field(default_factory=list)

    def receive(self, data: bytes, _now: float) -> None:
        self.given.append(data)

    def answer(self, verdict: Any, _now: float) -> None:
        self.given.append(verdict)

    def end(self, why: str, _now: float) -> None:
        self.established = False
        self.told.append(Ended(why))

    def lost(self, why: str, now: float) -> None:
        self.end(why, now)
        self.closed = True

    def heard(self, now: float) -> None:
        self.given.append(now)

    def tick(self, now: float) -> None:
        self.given.append(now)

    def events(self) -> list[Any]:
        told, self.told = self.told, []
        return told

    def outgoing(self) -> bytes:
        return b""

    def deadline(self) -> float | None:
        return self.due


@dataclass
class Flow:
    """A flow that the plane has."""

    rest: bytes = b"rest"
    heard: float = 3.0
    open: bool = True

    def send_control(self, _packets: bytes) -> None:
        """Nowhere."""

    def forget(self) -> None:
        self.open = False


@dataclass
class Bench:
    """A connection, brought into a phase with a call and a flow that are played."""

    services: WorkerServices
    connection: ClientConnection
    call: Call = field(default_factory=lambda: Call(established=False))
    flow: Flow = field(default_factory=Flow)

    def state(self, phase: Phase) -> Any:
        call: Any = self.call
        flow: Any = self.flow
        call.established = phase is Phase.PLANE
        return {
            Phase.HANDSHAKE: connections._Handshake,
            Phase.CALL: lambda: connections._Call(call),
            Phase.PLANE: lambda: connections._Plane(call, flow),
            Phase.LEAVING: lambda: connections._Leaving(call, flow, Timer(lambda: None)),
            Phase.CLOSED: lambda: connections._Closed(7),
        }[phase]()

    def enter(self, phase: Phase) -> None:
        if phase is Phase.CLOSED:
            self.connection.end("for a test")
            self.services.told.clear()
        else:
            self.connection._state = self.state(phase)

    def fire(self, event: Event, to: Phase) -> None:
        """As it comes in the worker; what only leads on is moved by hand."""
        connection = self.connection
        if event is Event.VERDICT:
            connection.answer(Refuse("password", "no"))
        elif event is Event.CONTROL:
            connection._control(b"control")
        elif event is Event.EARLY_PACKET:
            connection._safely(connection._on, Data(b"packet"))
        elif event is Event.CLOSE:
            connection._safely(connection._close)
        else:
            connection._safely(connection._move, event, self.state(to))


@pytest.fixture
def bench(services: WorkerServices, listener: socket.socket) -> Iterator[Bench]:
    with socket.create_connection(listener.getsockname()):
        connection = services.accept(listener)
        yield Bench(services, connection)
        connection._close()


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", Event)
def test_a_phase_takes_its_own_events_and_any_other_is_a_fault(
    bench: Bench, phase: Phase, event: Event
) -> None:
    legal = dict(pair.split(">") for pair in LEGAL[phase].split())
    bench.enter(phase)
    told = bench.services.told
    if event.name in legal:
        to = Phase[legal[event.name]]
        assert TRANSITIONS[phase, event] is to
        bench.fire(event, to)
        assert bench.connection.phase is to
        assert ("fault",) not in told
        return
    assert (phase, event) not in TRANSITIONS
    bench.fire(event, Phase.CALL)
    assert bench.connection.phase is Phase.CLOSED
    if phase is Phase.CLOSED and event in IGNORED_WHEN_CLOSED:
        assert told == []
    elif phase is Phase.CLOSED:
        assert told == [("fault",)]
    else:
        ended = [] if phase is Phase.HANDSHAKE else [("ended", "a fault of the gateway's own")]
        assert told == [("fault",), *ended, ("gone",)]


@pytest.mark.parametrize("phase", Phase)
def test_an_event_leads_nowhere_but_where_the_table_says(bench: Bench, phase: Phase) -> None:
    bench.enter(phase)
    for event in Event:
        for to in set(Phase) - {TRANSITIONS.get((phase, event))}:
            with pytest.raises(connections.IllegalEvent):
                bench.connection._move(event, bench.state(to))
            assert bench.connection.phase is phase


@pytest.mark.parametrize("phase", [Phase.CALL, Phase.PLANE, Phase.LEAVING])
def test_hanging_up_ends_the_call_and_takes_the_connection_back(bench: Bench, phase: Phase) -> None:
    bench.enter(phase)
    bench.connection.end("enough")
    assert bench.connection.phase is Phase.CALL
    assert bench.services.told == [("ended", "enough")]
    assert bench.call.given == ([] if phase is Phase.CALL else [b"rest"])
    assert bench.flow.open is (phase is Phase.CALL)


def test_a_call_that_goes_down_in_the_plane_leaves_it_in_the_next_round(bench: Bench) -> None:
    bench.enter(Phase.PLANE)
    bench.call.established = False
    bench.connection._control(b"control")
    assert bench.connection.phase is Phase.LEAVING
    assert bench.flow.open
    bench.services.reactor.call_at(0.0, bench.services.reactor.stop)
    bench.services.reactor.run()
    assert bench.connection.phase is Phase.CALL
    assert not bench.flow.open
    assert bench.call.given == [b"control", b"rest"]


def test_what_was_to_be_taken_back_is_not_when_it_has_been_already(bench: Bench) -> None:
    bench.enter(Phase.PLANE)
    bench.call.established = False
    bench.connection._control(b"control")
    bench.connection.end("enough")
    bench.services.reactor.call_at(0.0, bench.services.reactor.stop)
    bench.services.reactor.run()
    assert bench.connection.phase is Phase.CALL
    assert bench.services.told == [("ended", "enough")]


@pytest.mark.parametrize("phase", Phase)
def test_frames_that_were_barred_are_known_in_every_phase(bench: Bench, phase: Phase) -> None:
    bench.connection._state = bench.state(phase)
    assert bench.connection.barred == (0 if phase is Phase.HANDSHAKE else 7)
    bench.connection._state = bench.state(Phase.CALL)


@pytest.mark.parametrize("phase", [Phase.PLANE, Phase.LEAVING])
def test_time_passes_for_a_call_in_the_plane_with_what_the_plane_has_heard(
    bench: Bench, phase: Phase
) -> None:
    bench.enter(phase)
    bench.connection._tick()
    assert bench.call.given == [3.0, bench.services.reactor.now]


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_may_be_thrown_out(bench: Bench, phase: Phase) -> None:
    bench.enter(phase)
    bench.connection.throw_out("timeout", "too many")
    assert bench.connection.phase is Phase.CLOSED
    ended = [("ended", "too many")] if phase is not Phase.HANDSHAKE else []
    told = [("refused", "timeout", "too many"), *ended, ("gone",)]
    assert bench.services.told == ([] if phase is Phase.CLOSED else told)
    with_a_call = phase in (Phase.CALL, Phase.PLANE, Phase.LEAVING)
    assert bench.connection.barred == (7 if with_a_call else 0)
