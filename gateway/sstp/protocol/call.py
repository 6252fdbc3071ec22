"""The server's end of a call: HTTP, SSTP and PPP over one TLS connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from gateway.sstp.protocol.binding import BOTH
from gateway.sstp.protocol.carrier import Carrier
from gateway.sstp.protocol.events import Requested
from gateway.sstp.protocol.http import Refusal, RequestReader, accepted, refused
from gateway.sstp.protocol.link import CallLink
from gateway.sstp.protocol.machine import TIMERS, Timers
from gateway.sstp.protocol.packets import HashProtocol
from gateway.sstp.protocol.server import ServerMachine

if TYPE_CHECKING:
    from gateway.common.vocabulary import Reason
    from gateway.ppp.events import Authenticated, Verdict


@dataclass(frozen=True)
class CallConfig:
    """The configuration shared by all calls of a server.

    `certificate_hashes`: binding.certificate_hashes of the server's own certificate in TLS.
    `busy`: called once per call; true refuses it with HTTP 503. `server_name`: HTTP's Server
    field. `unix_time`: for HTTP's Date field.
    """

    certificate_hashes: Mapping[HashProtocol, bytes] = field(repr=False)
    make_link: Callable[[float], CallLink] = field(repr=False)
    busy: Callable[[], bool] = field(default=lambda: False, repr=False)
    hash_protocols: HashProtocol = BOTH
    server_name: str = "p2slab"
    timers: Timers = TIMERS
    unix_time: Callable[[], float] = field(default=time.time, repr=False)


class ServerCall(Carrier[ServerMachine]):
    """The server's end of one call."""

    def __init__(self, config: CallConfig, *, now: float, entropy: Callable[[int], bytes]) -> None:
        super().__init__(config.make_link, now, config.timers.negotiation)
        self._config = config
        self._entropy = entropy
        self._request = RequestReader()

    def answer(self, verdict: Verdict, now: float) -> None:
        """Handle the verdict on the link's pending attempt; ignored if the call is ending."""
        if self._link:
            self._link.answer(verdict, now)
            self._settle(now)

    def _read_http(self, data: bytes, now: float) -> tuple[ServerMachine, bytes] | None:
        answer = self._request.feed(data)
        if answer is None:
            return None
        config = self._config
        if isinstance(answer, Refusal):
            self._turn_away("protocol", answer, now)
            return None
        if config.busy():
            full = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "all connections are in use")
            self._turn_away("limit", full, now)
            return None
        self._put(accepted(config.server_name, config.unix_time()), now)
        self._events.append(Requested(answer.correlation_id, answer.host))
        machine = ServerMachine(
            offered=config.hash_protocols,
            hashes=config.certificate_hashes,
            entropy=self._entropy,
            now=now,
            timers=config.timers,
        )
        return machine, self._request.rest

    def _http_timed_out(self, now: float) -> None:
        limit = self._config.timers.negotiation
        late = Refusal(HTTPStatus.REQUEST_TIMEOUT, f"no complete request within {limit:g} s")
        self._turn_away("timeout", late, now)

    def _turn_away(self, reason: Reason, refusal: Refusal, now: float) -> None:
        config = self._config
        self._put(refused(refusal.status, config.server_name, config.unix_time()), now)
        self._give_up(reason, f"HTTP {refusal.status.value}: {refusal.why}", now)

    def _authenticated(self, machine: ServerMachine, event: Authenticated, now: float) -> None:
        machine.authenticated(event.keys, now)
