"""One call of the lab's own SSTP client: TCP, a proxy, TLS and gateway.sstp.protocol on an epoll
loop.

Many of them share one loop (gateway.dataplane.reactor). What happens is told in the words of
gateway.sstp.protocol.events; what happens before SSTP, as NotReached.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.dataplane.reactor import READABLE, WRITABLE, Reactor, Timer
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


class SstpCall:
    """One call. `tell` gets its events, the last of which is always Ended; `done` is called when
    nothing is left of it.

    `link` and `tls` are what the call made of PPP and TLS, for who wants to know; None before.
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
        self.link: PppLink | None = None
        self.tls: TlsConnection | None = None
        self.call: ClientCall | None = None
        self._reactor = reactor
        self._target = target
        self._user = user
        self._tell = tell
        self._done = done
        self._manner = manner
        self._socket = socket.socket()
        self._step: Callable[[], None] = self._connected
        self._answer = b""
        self._timer: Timer | None = None
        self._due: float | None = None
        self._over = False
        self._deaf = False

    def dial(self) -> None:
        """Begin."""
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        where = self._target.proxy or (self._target.address, HTTPS)
        self._socket.connect_ex(where)
        self._reactor.add(self._socket.fileno(), WRITABLE, self._ready)
        self._wake_at(time.monotonic() + REACH_LIMIT)

    def send(self, packet: bytes) -> None:
        """An IP packet into the tunnel; dropped where TCP has no room for it."""
        if self.call and self.tls and not self.tls.wants_write:
            self.call.send(packet, time.monotonic())
            self._pump()

    def hang_up(self, why: str) -> None:
        """Take leave; Ended comes when the server has answered, or will not."""
        if self.call:
            self.call.end(why, time.monotonic())
            self._pump()
        else:
            self._fail("refused", why)

    def hand_over(self) -> tuple[TlsConnection, ClientCall]:
        """Leave an established call to somebody else's data plane: it is theirs from now on."""
        assert self.tls is not None
        assert self.call is not None
        self._over = True
        self._wake_at(None)
        self._reactor.remove(self.tls.fileno())
        return self.tls, self.call

    def turn_deaf(self) -> None:
        """Read nothing more, as a hostile client may, with little room in TCP: the rest piles up at
        the server."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE_ROOM)
        self._deaf = True
        self._watch()

    # ---- step after step

    def _ready(self, _events: int) -> None:
        self._step()

    def _connected(self) -> None:
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._fail("no-answer", os.strerror(error))
        elif self._target.proxy:
            host = f"{self._target.name}:{HTTPS}"
            self._socket.send(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            self._step = self._proxied
            self._reactor.modify(self._socket.fileno(), READABLE)
        else:
            self._start_tls()

    def _proxied(self) -> None:
        try:
            data = self._socket.recv(_LONGEST_ANSWER - len(self._answer))
        except OSError as error:
            self._fail("proxy", str(error.strerror))
            return
        self._answer += data
        if data and b"\r\n\r\n" not in self._answer and len(self._answer) < _LONGEST_ANSWER:
            return
        found = _PROXIED.match(self._answer)
        if found and found["status"] == b"200":
            self._start_tls()
        else:
            said = found[0].decode(errors="replace") if found else "no HTTP answer"
            self._fail("proxy", f"the proxy: {said}")

    def _start_tls(self) -> None:
        self.tls = secure(self._socket, self._target.context, server_side=False,
                              server_hostname=self._target.name)  # fmt: skip
        self._step = self._shake
        self._reactor.add(self.tls.fileno(), READABLE, self._ready)
        self._shake()

    def _shake(self) -> None:
        assert self.tls is not None
        done = self.tls.handshake()
        if self.tls.ended:
            said = self.tls.openssl_reason
            reason = next((r for pattern, r in _TLS_REASONS if re.search(pattern, said)), None)
            self._fail(reason or "refused", self.tls.ended)
        elif done:
            self._begin(self.tls.peer_certificate)
        else:
            self._watch()

    def _begin(self, certificate: bytes) -> None:
        def make_link(now: float) -> PppLink:
            self.link = PppLink(self._user, now=now, entropy=os.urandom)
            return self.link

        config = ClientCallConfig(
            self._target.name,
            certificate_hashes(certificate),
            make_link,
            timers=self._manner.timers,
            tamper=self._manner.tamper,
        )
        self.call = ClientCall(config, now=time.monotonic(), entropy=os.urandom)
        self._step = self._talk
        self._pump()

    def _talk(self) -> None:
        assert self.tls is not None
        assert self.call is not None
        if self.tls.wants_write:
            self.tls.flush()
        if not self._deaf:
            while data := self.tls.read():
                self.call.receive(data, time.monotonic())
        if self.tls.ended:
            self.call.lost(self.tls.ended, time.monotonic())
        self._pump()

    # ---- between the call, the connection and the clock

    def _pump(self) -> None:
        """Send what the call wants sent, tell what it tells, and see when it wants to be woken."""
        call, tls = self.call, self.tls
        assert call is not None
        assert tls is not None
        data = call.outgoing()
        if data and not tls.ended:
            tls.write([data])
        for event in call.events():
            self._tell(event)
        if call.closed or tls.ended:
            self._close()
        else:
            self._watch()
            self._wake_at(call.deadline())

    def _watch(self) -> None:
        if self.tls and not self._over:
            reads = 0 if self._deaf else READABLE
            self._reactor.modify(
                self.tls.fileno(), reads | (WRITABLE if self.tls.wants_write else 0)
            )

    def _wake_at(self, when: float | None) -> None:
        if when == self._due:
            return
        if self._timer:
            self._timer.cancel()
        self._due = when
        self._timer = self._reactor.call_at(when, self._woken) if when is not None else None

    def _woken(self) -> None:
        self._due = self._timer = None
        if self.call:
            self.call.tick(time.monotonic())
            self._pump()
        elif not self._over:
            self._fail("no-answer", f"no TLS within {REACH_LIMIT:g} s")

    def _fail(self, reason: Reason, message: str) -> None:
        """Before there was a call."""
        if not self._over:
            self._tell(NotReached(reason, message))
            self._tell(Ended(message))
            self._close()

    def _close(self) -> None:
        if self._over:
            return
        self._over = True
        self._wake_at(None)
        line = self.tls or self._socket
        self._reactor.remove(line.fileno())
        if self.tls:
            self.tls.shutdown()
        line.close()
        self._done()
