"""The common part of both state machines ([MS-SSTP] section 3.1): timers, echo, abort, disconnect.

A machine takes complete control packets and the time, and returns packets to send. Each state has
one timer. The table `rules` defines what a message does in a state; a message without a rule aborts
the call, or is ignored during teardown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from gateway.common.phases import Symbol
from gateway.sstp.protocol import building
from gateway.sstp.protocol.packets import (
    AttributeId,
    Control,
    Malformed,
    Message,
    Status,
    faults,
    read_control,
    status_infos,
)

if TYPE_CHECKING:
    from gateway.sstp.protocol.binding import Bound

Rule = Callable[[Any, Control, float], None]
"""Handles a message: machine, message, now."""

Fault = Literal["protocol", "timeout", "binding"]
"""The peer's fault for which we abort a call, a gateway.common.vocabulary.Reason."""


class State(Symbol):
    """States, with their names in the specification (3.1.1.1, 3.2.1.1.1, 3.3.1.1.1)."""

    CONNECT_REQUEST_PENDING = "Server_Connect_Request_Pending"
    CONNECTED_PENDING = "Server_Call_Connected_Pending"
    CONNECT_REQUEST_SENT = "Client_Connect_Request_Sent"
    CONNECT_ACK_RECEIVED = "Client_Connect_Ack_Received"
    CONNECTED = "Call_Connected"
    ABORT_PENDING = "Call_Abort_Pending"
    ABORT_TIMEOUT_PENDING = "Call_Abort_Timeout_Pending"
    DISCONNECT_ACK_PENDING = "Call_Disconnect_Ack_Pending"
    DISCONNECT_TIMEOUT_PENDING = "Call_Disconnect_Timeout_Pending"
    DISCONNECTED = "Call_Disconnected"


NEGOTIATING = frozenset(
    {
        State.CONNECT_REQUEST_PENDING,
        State.CONNECTED_PENDING,
        State.CONNECT_REQUEST_SENT,
        State.CONNECT_ACK_RECEIVED,
    }
)
WORKING = NEGOTIATING | {State.CONNECTED}
CARRYING = frozenset({State.CONNECTED_PENDING, State.CONNECT_ACK_RECEIVED, State.CONNECTED})
"""States in which PPP control frames pass (3.2.7, 3.3.7.2)."""


@dataclass(frozen=True)
class Timers:
    """Seconds ([MS-SSTP] 3.1.2, 3.2.2, 3.3.2)."""

    negotiation: float = 60.0
    hello: float = 60.0
    abort: float = 3.0
    abort_answered: float = 1.0
    disconnect: float = 5.0
    disconnect_answered: float = 1.0


TIMERS = Timers()


@dataclass(frozen=True)
class Ending:
    """Why a call ends. `fault`: None if it is not the peer's."""

    why: str
    fault: Fault | None = None


class Machine:
    """One end of a call, after the HTTP answer 200."""

    peer: ClassVar[str]
    rules: ClassVar[Mapping[tuple[State, Message], Rule]]

    def __init__(self, state: State, timers: Timers, now: float) -> None:
        self.state = state
        self.ending: Ending | None = None
        self.bound: Bound | None = None
        self._timers = timers
        self._due: float | None = now + timers.negotiation
        self._heard = now
        self._echoed = False
        self._outgoing: list[bytes] = []

    @property
    def carries(self) -> bool:
        """Whether PPP control frames pass."""
        return self.state in CARRYING

    @property
    def closed(self) -> bool:
        """Whether the connection must be closed."""
        return self.state is State.DISCONNECTED

    def outgoing(self) -> list[bytes]:
        """Take the packets to be sent, in order."""
        packets, self._outgoing = self._outgoing, []
        return packets

    def deadline(self) -> float | None:
        """When `tick` must be called next; None: no timer is running."""
        return self._due

    def receive(self, packet: bytes, now: float) -> None:
        """Handle one complete control packet."""
        control = read_control(packet)
        working = self.state in WORKING
        if isinstance(control, Malformed):
            if working:
                self.abort(Status.INVALID_FRAME_RECEIVED, control.why, now)
            return
        self.heard(now)
        rule = self.rules.get((self.state, control.message))
        wrong = faults(control) if working and control.message not in _JUDGED_BY_RULE else []
        if rule and wrong:
            status = Status(wrong[0].status)
            self.abort(status, f"{control.message.name}: {wrong[0]}", now)
        elif rule:
            rule(self, control, now)
        elif working:
            why = f"{control.message.name} in {self.state.value}"
            self.abort(Status.UNACCEPTED_FRAME_RECEIVED, why, now)

    def heard(self, now: float) -> None:
        """Any packet arrived at this time, so the peer is alive (3.1.2.3).

        The time may lie in the past and be repeated; only later times count.
        """
        if self.state is State.CONNECTED and now > self._heard:
            self._heard = now
            self._enter(State.CONNECTED, self._timers.hello, now)
            self._echoed = False

    def tick(self, now: float) -> None:
        """Run the state's timer, if it is due."""
        if self._due is None or now < self._due:
            return
        if self.state in NEGOTIATING:
            why = f"nothing further within {self._timers.negotiation:g} s of negotiation"
            self.abort(Status.NEGOTIATION_TIMEOUT, why, now, fault="timeout")
        elif self.state is State.CONNECTED:
            self._hello(now)
        else:
            self._close()

    def disconnect(self, why: str, now: float) -> None:
        """Disconnect (3.2.4.2, 3.3.4)."""
        if self.state in WORKING:
            self._send(building.disconnect())
            self._end(Ending(why))
            self._enter(State.DISCONNECT_ACK_PENDING, self._timers.disconnect, now)

    def abort(
        self,
        status: Status,
        why: str,
        now: float,
        *,
        fault: Fault = "protocol",
        about: AttributeId = AttributeId.NO_ERROR,
    ) -> None:
        """Abort the call (3.1.5.1)."""
        self._send(building.abort(status, about))
        self._end(Ending(why, fault))
        self._enter(State.ABORT_PENDING, self._timers.abort, now)

    # ----------------------------------------------------------------------------------- rules

    def on_echo_request(self, _: Control, __: float) -> None:
        """3.2.5.3.7, 3.3.5.2.7."""
        self._send(building.ECHO_RESPONSE)

    def ignore(self, _: Control, __: float) -> None:
        """Do nothing: the message has no meaning beyond its arrival."""

    def on_abort(self, control: Control, now: float) -> None:
        """3.2.5.3.4, 3.3.5.2.4: answer; the connection stays open for a moment."""
        self._send(building.abort(Status.NO_ERROR))
        self._end(Ending(f"the {self.peer} aborted the call{_status_text(control)}"))
        self._enter(State.ABORT_TIMEOUT_PENDING, self._timers.abort_answered, now)

    def on_abort_answered(self, _: Control, now: float) -> None:
        """3.1.2.1."""
        self._enter(State.ABORT_TIMEOUT_PENDING, self._timers.abort_answered, now)

    def on_disconnect(self, control: Control, now: float) -> None:
        """3.2.5.3.5, 3.3.5.2.5: acknowledge, in any state (3.2.4.2)."""
        self._send(building.DISCONNECT_ACK)
        self._end(Ending(f"the {self.peer} hung up{_status_text(control)}"))
        self._enter(State.DISCONNECT_TIMEOUT_PENDING, self._timers.disconnect_answered, now)

    def on_disconnect_ack(self, _: Control, __: float) -> None:
        """3.2.5.3.6, 3.3.5.2.6."""
        self._close()

    # ----------------------------------------------------------------------------------- inside

    def _hello(self, now: float) -> None:
        """3.1.2.3: send one Echo Request; if it is not answered, close without Abort."""
        if self._echoed:
            self._end(Ending(f"the {self.peer} was silent for {2 * self._timers.hello:g} s"))
            self._close()
            return
        self._send(building.ECHO_REQUEST)
        self._echoed = True
        self._enter(State.CONNECTED, self._timers.hello, now)

    def _send(self, packet: bytes) -> None:
        self._outgoing.append(packet)

    def _enter(self, state: State, limit: float, now: float) -> None:
        self.state, self._due = state, now + limit

    def _end(self, ending: Ending) -> None:
        self.ending = self.ending or ending

    def _close(self) -> None:
        self.state, self._due = State.DISCONNECTED, None


_JUDGED_BY_RULE = frozenset(
    {Message.CALL_CONNECT_REQUEST, Message.CALL_ABORT, Message.CALL_DISCONNECT}
)
"""Messages accepted with faulty attributes: requests get a NAK, and teardown always succeeds."""

COMMON: Mapping[tuple[State, Message], Rule] = {
    **{(state, Message.CALL_ABORT): Machine.on_abort for state in WORKING},
    **{(state, Message.CALL_DISCONNECT): Machine.on_disconnect for state in WORKING},
    (State.CONNECTED, Message.ECHO_REQUEST): Machine.on_echo_request,
    (State.CONNECTED, Message.ECHO_RESPONSE): Machine.ignore,
    (State.ABORT_PENDING, Message.CALL_ABORT): Machine.on_abort_answered,
    (State.DISCONNECT_ACK_PENDING, Message.CALL_ABORT): Machine.on_abort,
    (State.DISCONNECT_ACK_PENDING, Message.CALL_DISCONNECT): Machine.on_disconnect,
    (State.DISCONNECT_ACK_PENDING, Message.CALL_DISCONNECT_ACK): Machine.on_disconnect_ack,
}
"""During teardown, all other messages are ignored (3.1.1.1.2, 3.1.1.1.3)."""


def _status_text(control: Control) -> str:
    infos = [str(info) for info in status_infos(control) if info.status]
    return f": {infos[0]}" if infos else ""
