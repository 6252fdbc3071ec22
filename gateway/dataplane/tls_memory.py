"""TLS between two memory buffers: one receive and one send for many records."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from gateway.dataplane.tls import RECORD, TlsConnection

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from gateway.dataplane.tls import Buffer

_CIPHERTEXT = 65536
_shared = bytearray(262144)
_shared_view = memoryview(_shared)
"""Received ciphertext on its way to OpenSSL; one thread, one receive at a time."""


class MemoryTls(TlsConnection):
    """ssl.SSLObject between two MemoryBIOs; owns the socket given."""

    def __init__(
        self,
        stream: socket.socket,
        context: ssl.SSLContext,
        *,
        server_side: bool = True,
        server_hostname: str | None = None,
    ) -> None:
        stream.setblocking(False)
        self._socket = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_side,
            server_hostname=server_hostname,
        )
        self._kept = memoryview(b"")
        self._established = False

    def handshake(self) -> bool:
        """See TlsConnection."""
        self._receive()
        if self.ended:
            return False
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except OSError as error:
            self._failed(error)
        else:
            self._established = True
        self.flush()  # our next messages, or the alert
        return self._established

    def read_into(self, view: memoryview) -> int:
        """See TlsConnection."""
        # Plaintext is shorter than its record, so received records fit into the view.
        self._receive(len(view) - RECORD)
        filled, read, unsent = 0, self._tls.read, self._outgoing.pending
        try:
            while self._incoming.pending:
                got = cast("int", read(len(view) - filled, view[filled:]))
                if not got:
                    self.ended = self.ended or "closed by the peer"
                    break
                filled += got
        except ssl.SSLWantReadError:
            pass
        except OSError as error:
            self._failed(error)
        if self._outgoing.pending > unsent:
            # Reading produces only alerts: no_renegotiation for each ClientHello. They would pile
            # up without limit if a peer sends ClientHellos and does not read.
            self.ended = self.ended or "TLS: the peer wants to renegotiate"
        return filled

    def write(self, pieces: Sequence[Buffer]) -> None:
        """See TlsConnection."""
        try:
            for piece in pieces:
                self._tls.write(piece)
        except OSError as error:
            self._failed(error)
        self.flush()

    def flush(self) -> None:
        """See TlsConnection."""
        try:
            while True:
                if not self._kept:
                    if not self._outgoing.pending:
                        break
                    self._kept = memoryview(self._outgoing.read())
                self._kept = self._kept[self._socket.send(self._kept) :]
            self.wants_write = False
        except BlockingIOError:
            self.wants_write = True
        except OSError as error:
            self._failed(error)

    def shutdown(self) -> None:
        """See TlsConnection."""
        if self._established and not self.wants_write:
            with suppress(OSError, ValueError):
                self._tls.unwrap()
            self.flush()
        self.ended = self.ended or "closed"

    def _receive(self, most: int = _CIPHERTEXT) -> bool:
        """Receive once from the socket, data or its end; whether there was any."""
        try:
            taken = self._socket.recv_into(_shared, most)
        except BlockingIOError:
            return False
        except OSError as error:
            self._failed(error)
            return False
        if taken:
            self._incoming.write(_shared_view[:taken])
        else:
            self._incoming.write_eof()
            self.ended = self.ended or "closed by the peer"
        return True
