"""The client's end of a call, honest or not."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gateway.ppp import frames
from gateway.sstp.protocol import building
from gateway.sstp.protocol.binding import BOTH
from gateway.sstp.protocol.carrier import Carrier
from gateway.sstp.protocol.client import ClientMachine
from gateway.sstp.protocol.http import Refusal, ResponseReader, request
from gateway.sstp.protocol.link import CallLink
from gateway.sstp.protocol.machine import TIMERS, Timers
from gateway.sstp.protocol.packets import HashProtocol
from gateway.sstp.protocol.tamper import HONEST, Tamper

if TYPE_CHECKING:
    from gateway.common.vocabulary import Reason
    from gateway.ppp.events import Authenticated

_SILENT: dict[str, frozenset[int]] = {
    "ppp": frozenset((frames.LCP, *frames.AUTHENTICATION, frames.IPCP)),
    "authentication": frozenset((*frames.AUTHENTICATION, frames.IPCP)),
    "network": frozenset((frames.IPCP,)),
}
"""PPP protocols that a client does not send, by the step at which it falls silent."""


@dataclass(frozen=True)
class ClientCallConfig:
    """`certificate_hashes`: binding.certificate_hashes of the server's own certificate in TLS.

    `key_form`: the form of the key for the binding if authentication yields several
    (keys.from_msk).
    """

    host: str
    certificate_hashes: Mapping[HashProtocol, bytes] = field(repr=False)
    make_link: Callable[[float], CallLink] = field(repr=False)
    hash_protocols: HashProtocol = BOTH
    key_form: Literal["specification", "pppd"] = "specification"
    timers: Timers = TIMERS
    tamper: Tamper = HONEST


class ClientCall(Carrier[ClientMachine]):
    """The client's end of one call; `outgoing` has its request from the start."""

    def __init__(
        self, config: ClientCallConfig, *, now: float, entropy: Callable[[int], bytes]
    ) -> None:
        super().__init__(config.make_link, now, config.timers.negotiation)
        self._config = config
        self._response = ResponseReader()
        self.connected_packet = b""
        """The Call Connected that was sent, empty before; to be replayed in another call."""
        if config.tamper.silent_at != "http":
            guid = str(uuid.UUID(bytes=entropy(16), version=4)).upper()
            self._put(request(config.host, f"{{{guid}}}"), now)

    def _read_http(self, data: bytes, now: float) -> tuple[ClientMachine, bytes] | None:
        answer = self._response.feed(data)
        if answer is None:
            return None
        if isinstance(answer, Refusal):
            self._give_up("protocol", answer.why, now)
            return None
        if answer.status != 200:
            reason: Reason = "limit" if answer.status == 503 else "refused"
            self._give_up(reason, f"HTTP {answer.status} {answer.phrase}", now)
            return None
        machine = ClientMachine(
            hashes=self._config.certificate_hashes,
            supported=self._config.hash_protocols,
            now=now,
            timers=self._config.timers,
            tamper=self._config.tamper,
        )
        return machine, self._response.rest

    def _http_timed_out(self, now: float) -> None:
        limit = self._config.timers.negotiation
        self._give_up("timeout", f"no HTTP answer within {limit:g} s", now)

    def _authenticated(self, machine: ClientMachine, event: Authenticated, now: float) -> None:
        wanted = [key for key in event.keys if key.form == self._config.key_form]
        if event.keys:
            machine.authenticated((wanted or list(event.keys))[0], now)
            self.connected_packet = machine.connected_packet

    def _started(self, now: float) -> None:
        if self._config.tamper.early:
            frame = frames.join(frames.IP, self._config.tamper.early)
            self._put(building.data(frame), now)

    def _passes(self, frame: bytes) -> bool:
        silent = _SILENT.get(self._config.tamper.silent_at or "")
        parts = frames.split(frame)
        return not silent or parts is None or parts[0] not in silent
