"""TLS where OpenSSL itself reads and writes the socket, one system call per record."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from gateway.dataplane.tls import RECORD, TlsConnection

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from gateway.dataplane.tls import Buffer

_WAITING = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)


class SocketTls(TlsConnection):
    """ssl.SSLSocket; owns the socket given."""

    def __init__(
        self,
        stream: socket.socket,
        context: ssl.SSLContext,
        *,
        server_side: bool = True,
        server_hostname: str | None = None,
    ) -> None:
        stream.setblocking(False)
        self._tls: ssl.SSLSocket = context.wrap_socket(
            stream,
            server_side=server_side,
            server_hostname=server_hostname,
            do_handshake_on_connect=False,
        )
        self._socket = self._tls
        self._kept: list[Buffer] = []

    def handshake(self) -> bool:
        """See TlsConnection."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantWriteError:
            self.wants_write = True
            return False
        except _WAITING:
            self.wants_write = False
            return False
        except OSError as error:
            self._failed(error)
            return False
        self.wants_write = False
        return True

    def read_into(self, view: memoryview) -> int:
        """See TlsConnection."""
        filled, size = 0, len(view)
        receive = self._tls.recv_into
        try:
            while size - filled >= RECORD and not self.ended:
                got = receive(view[filled:])
                if not got:
                    self.ended = "closed by the peer"
                filled += got
        except _WAITING:
            pass
        except OSError as error:
            self._failed(error)
        return filled

    def write(self, pieces: Sequence[Buffer]) -> None:
        """See TlsConnection."""
        self._kept.extend(pieces)
        if not self.wants_write:
            self.flush()
        if self._kept:  # the caller may reuse its buffers
            self._kept = [bytes(piece) for piece in self._kept]

    def flush(self) -> None:
        """See TlsConnection."""
        kept, send = self._kept, self._tls.send
        try:
            while kept and not self.ended:
                sent = send(kept[0])
                kept[0] = memoryview(kept[0])[sent:]
                if not kept[0]:
                    del kept[0]
            self.wants_write = False
        except _WAITING:
            self.wants_write = True
        except OSError as error:
            self._failed(error)

    def shutdown(self) -> None:
        """See TlsConnection."""
        with suppress(OSError, ValueError):
            self._tls.unwrap()
        self.ended = self.ended or "closed"
