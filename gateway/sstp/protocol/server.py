"""The server's state machine ([MS-SSTP] section 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from gateway.sstp.protocol import binding, building
from gateway.sstp.protocol.machine import COMMON, TIMERS, Machine, Rule, State, Timers
from gateway.sstp.protocol.packets import (
    NONCE,
    AttributeId,
    Control,
    HashProtocol,
    Message,
    Status,
    faults,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RETRIES = 3
"""Call Connect Requests that a client may send after its first ([MS-SSTP] section 6, note 2)."""


class ServerMachine(Machine):
    """The server's end of one call. The owner starts PPP when `carries` is true."""

    peer = "client"

    def __init__(
        self,
        *,
        offered: HashProtocol,
        hashes: Mapping[HashProtocol, bytes],
        entropy: Callable[[int], bytes],
        now: float,
        timers: Timers = TIMERS,
    ) -> None:
        """`hashes`: the server certificate's, for every hash protocol in `offered`."""
        super().__init__(State.CONNECT_REQUEST_PENDING, timers, now)
        self._offered = offered
        self._hashes = hashes
        self._nonce = entropy(NONCE)
        self._refused = 0
        self._half: tuple[binding.Key, ...] | Control | None = None
        """The half of the binding that came first: the keys or Call Connected."""

    def authenticated(self, keys: tuple[binding.Key, ...], now: float) -> None:
        """PPP authentication has succeeded; only these keys are accepted for the binding."""
        if isinstance(self._half, Control):
            if self.state is State.CONNECTED_PENDING:
                self._bind(self._half, keys, now)
        else:
            self._half = keys

    def on_connect_request(self, control: Control, now: float) -> None:
        """3.3.5.2.2."""
        wrong = faults(control)
        if not wrong:
            self._send(building.connect_ack(self._offered, self._nonce))
            self._enter(State.CONNECTED_PENDING, self._timers.negotiation, now)
        elif self._refused < RETRIES:
            self._refused += 1
            self._send(building.connect_nak(wrong))
        else:
            why = f"{self._refused + 1} unacceptable requests, the last one: {wrong[0]}"
            self.abort(Status.RETRY_COUNT_EXCEEDED, why, now)

    def on_connected(self, control: Control, now: float) -> None:
        """3.3.5.2.3. A client sends it when it learns that it is admitted, which may be before this
        machine does: then the message is kept, and a second one aborts the call.
        """
        if isinstance(self._half, Control):
            why = f"a second {control.message.name}"
            self.abort(Status.UNACCEPTED_FRAME_RECEIVED, why, now)
        elif self._half is None:
            self._half = control
        else:
            self._bind(control, self._half, now)

    def _bind(self, control: Control, keys: tuple[binding.Key, ...], now: float) -> None:
        verdict = binding.check(
            control,
            nonce=self._nonce,
            offered=self._offered,
            hashes=self._hashes,
            keys=keys,
        )
        if isinstance(verdict, binding.Bound):
            self.bound = verdict
            self._enter(State.CONNECTED, self._timers.hello, now)
        else:
            self.abort(
                Status.INVALID_FRAME_RECEIVED,
                verdict.why,
                now,
                fault="binding",
                about=AttributeId.CRYPTO_BINDING,
            )

    rules: ClassVar[Mapping[tuple[State, Message], Rule]] = {
        **COMMON,
        (State.CONNECT_REQUEST_PENDING, Message.CALL_CONNECT_REQUEST): on_connect_request,
        (State.CONNECTED_PENDING, Message.CALL_CONNECTED): on_connected,
    }
