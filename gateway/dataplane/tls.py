"""Non-blocking TLS 1.2 over a TCP socket: the interface, and the common parts.

tls_socket.py and tls_memory.py implement it; secure.py selects one.
"""

from __future__ import annotations

import socket
import ssl
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from gateway.common import cipher_suites

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    Buffer = bytes | bytearray | memoryview

RECORD = 16384
"""Maximum bytes of one TLS record (RFC 5246 section 6.2.1)."""
_NOTSENT_LOWAT = 131072
"""Maximum unsent bytes in the kernel; further data waits in the flow's bounded queue."""


def restrict(context: ssl.SSLContext) -> ssl.SSLContext:
    """Restrict a context to TLS 1.2, Azure's cipher suites, no compression, no renegotiation."""
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher_suites.AZURE)
    context.options |= (
        ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    )
    return context


def server_context(certificates: str | PathLike[str], key: str | PathLike[str]) -> ssl.SSLContext:
    """A server's context from PEM files: certificate, followed by its issuers', and key."""
    context = restrict(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    context.load_cert_chain(certificates, key)
    return context


def tune(stream: socket.socket) -> None:
    """Set the options of a TCP socket that is to carry a tunnel."""
    stream.setblocking(False)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _NOTSENT_LOWAT)


class TlsConnection(ABC):
    """One connection. No method blocks, or raises because of the peer or the network.

    Once `ended` is set, nothing is sent or received.
    """

    _socket: socket.socket
    _tls: ssl.SSLSocket | ssl.SSLObject

    ended = ""
    """Why the connection has ended: "closed by the peer", or a message of the kernel or OpenSSL."""
    openssl_reason = ""
    """OpenSSL's name of the error that ended it, such as "NO_SHARED_CIPHER"; otherwise empty."""
    wants_write = False
    """Whether data waits to be sent: watch for WRITABLE, then call flush()."""

    @abstractmethod
    def handshake(self) -> bool:
        """Continue the handshake when the socket is ready; return whether it is complete."""

    @abstractmethod
    def read_into(self, view: memoryview) -> int:
        """Read received data into the view; return the number of bytes, 0: none now.

        The view has at least RECORD bytes. If room for another record is left afterwards, no data
        is buffered inside that the socket would not report.
        """

    @abstractmethod
    def write(self, pieces: Sequence[Buffer]) -> None:
        """Send all pieces, in order; each begins a new record.

        Data that cannot be sent now is kept, without limit: check wants_write first.
        """

    @abstractmethod
    def flush(self) -> None:
        """Send the kept data."""

    @abstractmethod
    def shutdown(self) -> None:
        """Send close_notify, if that is possible at once, and end."""

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    @property
    def version(self) -> str:
        """The version, such as "TLSv1.2"; empty before the handshake."""
        return self._tls.version() or ""

    @property
    def cipher(self) -> str:
        """OpenSSL's name of the suite; empty before the handshake."""
        return (self._tls.cipher() or ("",))[0]

    @property
    def peer_certificate(self) -> bytes:
        """The peer's own certificate, DER; empty before the handshake, or if it has none."""
        return self._tls.getpeercert(binary_form=True) or b""

    def read(self, most: int = 4 * RECORD) -> bytes:
        """The next bytes, at most `most` (at least RECORD); b"": none now."""
        buffer = bytearray(most)
        return bytes(memoryview(buffer)[: self.read_into(memoryview(buffer))])

    def _failed(self, error: OSError) -> None:
        """Set `ended` to OpenSSL's reason or the kernel's message."""
        if isinstance(error, ssl.SSLZeroReturnError | ssl.SSLEOFError):
            self.ended = self.ended or "closed by the peer"
        elif isinstance(error, ssl.SSLError):
            if not self.ended:
                self.openssl_reason = error.reason or ""
            self.ended = self.ended or f"TLS: {error.reason or error}"
        else:
            self.ended = self.ended or f"TCP: {error.strerror or error}"
