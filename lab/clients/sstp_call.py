"""One call of the lab's own SSTP client: TCP, a proxy, TLS and gateway.sstp.protocol on an epoll
loop.

Many of them share one loop (gateway.dataplane.reactor). What happens is told in the words of
gateway.sstp.protocol.events; what happens before SSTP, as NotReached.

Theory of operation
-------------------
A call is in one Phase. Its state is one value, which holds what that phase needs and nothing else.
`TRANSITIONS` lists every legal event of every phase; any other event raises IllegalEvent, because
only a fault of the lab's own can cause it: whatever a server or a proxy does is legal or refused.

NEW          Nothing has been sent; `dial` begins.
TCP          A connection to the server or to the proxy is being made.
PROXY        CONNECT has been sent; at most _LONGEST_ANSWER bytes of an answer are read.
TLS          The handshake.
CALL         The ClientCall receives all that is read; it decides what is sent and when to wake.
HANDED_OVER  Connection and call belong to another data plane.
OVER         The connection is closed. Sending and hanging up are ignored.

The reactor moves a call on as far as CALL; from there its ClientCall does. One timer runs: TCP,
PROXY and TLS together last REACH_LIMIT; in CALL it is the call's own deadline.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from gateway.common.phases import IllegalEvent, Symbol, after
from gateway.dataplane.reactor import READABLE, WRITABLE, Alarm, Reactor
from gateway.dataplane.secure import secure
from gateway.dataplane.tls import TlsConnection
from gateway.ppp.config import ClientConfig
from gateway.ppp.link import PppLink
from gateway.sstp.protocol.binding import certificate_hashes
from gateway.sstp.protocol.client_call import ClientCall, ClientCallConfig
from gateway.sstp.protocol.events import CallEvent, Ended
from gateway.sstp.protocol.machine import TIMERS, Timers
from gateway.sstp.protocol.tamper import HONEST, Tamper
from lab.topology.model.vocabulary import Reason

HTTPS = 443
REACH_LIMIT = 5.0
"""Seconds for TCP, the proxy and TLS together."""
LITTLE_ROOM = 4096
"""Bytes that TCP may keep for a client that has turned deaf."""
_LONGEST_ANSWER = 8192
"""Bytes of a proxy's."""
_PROXIED = re.compile(rb"HTTP/1\.[01] (?P<status>\d{3})[^\r\n]*")
_TLS_REASONS: tuple[tuple[str, Reason], ...] = (
    (r"CERTIFICATE_VERIFY_FAILED", "server-untrusted"),
    (r"PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS", "tls"),
    (r"HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY|NO_CIPHERS", "tls"),
)
"""OpenSSL's words on why a handshake failed, and a client's."""


@dataclass(frozen=True)
class Target:
    """Whom to call: the name that the certificate must have, and where it is."""

    name: str
    address: str
    context: ssl.SSLContext = field(repr=False)
    proxy: tuple[str, int] | None = None


@dataclass(frozen=True)
class Manner:
    """How to behave: honestly, as the specification says, unless told otherwise."""

    tamper: Tamper = HONEST
    timers: Timers = TIMERS


@dataclass(frozen=True)
class NotReached:
    """There was no call: TCP, the proxy or TLS failed. Told at most once; Ended follows."""

    reason: Reason
    message: str


DialEvent = CallEvent | NotReached


class Phase(Symbol):
    """See the theory of operation above."""

    NEW = "new"
    TCP = "TCP"
    PROXY = "proxy"
    TLS = "TLS handshake"
    CALL = "call"
    HANDED_OVER = "handed over"
    OVER = "over"


class Event(Symbol):
    """What moves a call from phase to phase."""

    DIAL = "dialling"
    PROXY_ASKED = "CONNECT"
    TLS_BEGUN = "the begin of TLS"
    SECURED = "the end of the TLS handshake"
    HAND_OVER = "handing over"
    CLOSE = "closing"


TRANSITIONS: Mapping[tuple[Phase, Event], Phase] = {
    (Phase.NEW, Event.DIAL): Phase.TCP,
    (Phase.NEW, Event.CLOSE): Phase.OVER,
    (Phase.TCP, Event.PROXY_ASKED): Phase.PROXY,
    (Phase.TCP, Event.TLS_BEGUN): Phase.TLS,
    (Phase.TCP, Event.CLOSE): Phase.OVER,
    (Phase.PROXY, Event.TLS_BEGUN): Phase.TLS,
    (Phase.PROXY, Event.CLOSE): Phase.OVER,
    (Phase.TLS, Event.SECURED): Phase.CALL,
    (Phase.TLS, Event.CLOSE): Phase.OVER,
    (Phase.CALL, Event.HAND_OVER): Phase.HANDED_OVER,
    (Phase.CALL, Event.CLOSE): Phase.OVER,
}


@dataclass(frozen=True, slots=True)
class Layers:
    """What a call consists of after the TLS handshake."""

    tls: TlsConnection
    call: ClientCall
    link: PppLink


@dataclass(frozen=True, slots=True)
class _New:
    phase: ClassVar = Phase.NEW


@dataclass(frozen=True, slots=True)
class _Tcp:
    phase: ClassVar = Phase.TCP


@dataclass(frozen=True, slots=True)
class _Proxy:
    phase: ClassVar = Phase.PROXY
    answer: bytearray


@dataclass(frozen=True, slots=True)
class _Tls:
    phase: ClassVar = Phase.TLS
    tls: TlsConnection


@dataclass(frozen=True, slots=True)
class _Call:
    phase: ClassVar = Phase.CALL
    layers: Layers


@dataclass(frozen=True, slots=True)
class _HandedOver:
    phase: ClassVar = Phase.HANDED_OVER


@dataclass(frozen=True, slots=True)
class _Over:
    phase: ClassVar = Phase.OVER
    connected_packet: bytes


_State = _New | _Tcp | _Proxy | _Tls | _Call | _HandedOver | _Over


class SstpCall:
    """One call. `tell` gets its events, the last of which is always Ended; `done` is called when
    nothing is left of it.
    """

    def __init__(
        self,
        reactor: Reactor,
        target: Target,
        user: ClientConfig,
        tell: Callable[[DialEvent], None],
        *,
        done: Callable[[], None] = lambda: None,
        manner: Manner = Manner(),
    ) -> None:
        self._reactor = reactor
        self._target = target
        self._user = user
        self._tell = tell
        self._done = done
        self._manner = manner
        self._socket = socket.socket()
        self._state: _State = _New()
        self._alarm = Alarm(reactor, self._woken)
        self._deaf = False

    @property
    def phase(self) -> Phase:
        """The phase of the call."""
        return self._state.phase

    @property
    def layers(self) -> Layers:
        """TLS, SSTP and PPP, in the phase CALL; IllegalEvent in any other."""
        if not isinstance(self._state, _Call):
            raise IllegalEvent(f"no layers in phase {self.phase.value}")
        return self._state.layers

    @property
    def connected_packet(self) -> bytes:
        """The Call Connected that was sent, empty before; to be replayed in another call."""
        match self._state:
            case _Call(layers):
                return layers.call.connected_packet
            case _Over(packet):
                return packet
        return b""

    def dial(self) -> None:
        """Begin."""
        self._move(Event.DIAL, _Tcp())
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        where = self._target.proxy or (self._target.address, HTTPS)
        self._socket.connect_ex(where)
        self._reactor.add(self._socket.fileno(), WRITABLE, self._ready)
        self._alarm.set(time.monotonic() + REACH_LIMIT)

    def send(self, packet: bytes) -> None:
        """An IP packet into the tunnel; dropped where TCP has no room for it."""
        if isinstance(self._state, _Call) and not self._state.layers.tls.wants_write:
            layers = self._state.layers
            layers.call.send(packet, time.monotonic())
            self._pump(layers)

    def hang_up(self, why: str) -> None:
        """Take leave; Ended comes when the server has answered, or will not."""
        match self._state:
            case _Over():
                pass
            case _Call(layers):
                layers.call.end(why, time.monotonic())
                self._pump(layers)
            case _:
                self._fail("refused", why)

    def hand_over(self) -> tuple[TlsConnection, ClientCall]:
        """Leave an established call to somebody else's data plane: it is theirs from now on."""
        layers = self.layers
        self._move(Event.HAND_OVER, _HandedOver())
        self._alarm.close()
        self._reactor.remove(layers.tls.fileno())
        return layers.tls, layers.call

    def turn_deaf(self) -> None:
        """Read nothing more, as a hostile client may, with little room in TCP: the rest piles up at
        the server."""
        if isinstance(self._state, _Over):
            return
        tls = self.layers.tls
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE_ROOM)
        self._deaf = True
        self._watch(tls)

    # ---- step after step

    def _ready(self, _events: int) -> None:
        match self._state:
            case _Tcp():
                self._connected()
            case _Proxy(answer):
                self._proxied(answer)
            case _Tls(tls):
                self._shake(tls)
            case _Call(layers):
                self._talk(layers)

    def _connected(self) -> None:
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._fail("no-answer", os.strerror(error))
        elif self._target.proxy:
            self._move(Event.PROXY_ASKED, _Proxy(bytearray()))
            host = f"{self._target.name}:{HTTPS}"
            self._socket.send(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            self._reactor.modify(self._socket.fileno(), READABLE)
        else:
            self._start_tls()

    def _proxied(self, answer: bytearray) -> None:
        try:
            data = self._socket.recv(_LONGEST_ANSWER - len(answer))
        except OSError as error:
            self._fail("proxy", str(error.strerror))
            return
        answer += data
        if data and b"\r\n\r\n" not in answer and len(answer) < _LONGEST_ANSWER:
            return
        found = _PROXIED.match(answer)
        if found and found["status"] == b"200":
            self._start_tls()
        else:
            said = found[0].decode(errors="replace") if found else "no HTTP answer"
            self._fail("proxy", f"the proxy: {said}")

    def _start_tls(self) -> None:
        tls = secure(self._socket, self._target.context, server_side=False,
                     server_hostname=self._target.name)  # fmt: skip
        self._move(Event.TLS_BEGUN, _Tls(tls))
        self._reactor.add(tls.fileno(), READABLE, self._ready)
        self._shake(tls)

    def _shake(self, tls: TlsConnection) -> None:
        done = tls.handshake()
        if tls.ended:
            said = tls.openssl_reason
            reason = next((r for pattern, r in _TLS_REASONS if re.search(pattern, said)), None)
            self._fail(reason or "refused", tls.ended)
        elif done:
            self._begin(tls)
        else:
            self._watch(tls)

    def _begin(self, tls: TlsConnection) -> None:
        now = time.monotonic()
        link = PppLink(self._user, now=now, entropy=os.urandom)
        config = ClientCallConfig(
            self._target.name,
            certificate_hashes(tls.peer_certificate),
            lambda _now: link,
            timers=self._manner.timers,
            tamper=self._manner.tamper,
        )
        layers = Layers(tls, ClientCall(config, now=now, entropy=os.urandom), link)
        self._move(Event.SECURED, _Call(layers))
        self._pump(layers)

    def _talk(self, layers: Layers) -> None:
        tls, call = layers.tls, layers.call
        if tls.wants_write:
            tls.flush()
        if not self._deaf:
            while data := tls.read():
                call.receive(data, time.monotonic())
        if tls.ended:
            call.lost(tls.ended, time.monotonic())
        self._pump(layers)

    # ---- between the call, the connection and the clock

    def _pump(self, layers: Layers) -> None:
        """Send what the call wants sent, tell what it tells, and see when it wants to be woken."""
        call, tls = layers.call, layers.tls
        data = call.outgoing()
        if data and not tls.ended:
            tls.write([data])
        for event in call.events():
            self._tell(event)
        if not isinstance(self._state, _Call):  # `tell` has closed it or handed it over
            return
        if call.closed or tls.ended:
            self._close()
        else:
            self._watch(tls)
            self._alarm.set(call.deadline())

    def _watch(self, tls: TlsConnection) -> None:
        reads = 0 if self._deaf else READABLE
        self._reactor.modify(tls.fileno(), reads | (WRITABLE if tls.wants_write else 0))

    def _woken(self) -> None:
        if isinstance(self._state, _Call):
            self._state.layers.call.tick(time.monotonic())
            self._pump(self._state.layers)
        else:
            self._fail("no-answer", f"no TLS within {REACH_LIMIT:g} s")

    def _fail(self, reason: Reason, message: str) -> None:
        """Before there was a call."""
        self._close(NotReached(reason, message), Ended(message))

    def _close(self, *last: DialEvent) -> None:
        """Close the connection, then report `last`."""
        tls = self._secured()
        self._move(Event.CLOSE, _Over(self.connected_packet))
        self._alarm.close()
        line = tls or self._socket
        self._reactor.remove(line.fileno())
        if tls:
            tls.shutdown()
        line.close()
        for event in last:
            self._tell(event)
        self._done()

    def _secured(self) -> TlsConnection | None:
        match self._state:
            case _Tls(tls):
                return tls
            case _Call(layers):
                return layers.tls
        return None

    def _move(self, event: Event, state: _State) -> None:
        """Raises IllegalEvent where the table does not lead there."""
        if after(TRANSITIONS, self.phase, event) is not state.phase:
            raise IllegalEvent(f"{event.value} does not lead to phase {state.phase.value}")
        self._state = state
