"""TLS 1.2 over a TCP socket that never blocks: the interface, and what all of it has in common.

tls_socket.py and tls_memory.py implement it; secure.py chooses.
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
"""Most bytes of one TLS record (RFC 5246 section 6.2.1)."""
_NOTSENT_LOWAT = 131072
"""Bytes: what the kernel is given beyond this waits in the flow's bounded queue instead."""


def restrict(context: ssl.SSLContext) -> ssl.SSLContext:
    """TLS 1.2 only, Azure's suites, no compression, no renegotiation; returns the context."""
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher_suites.AZURE)
    context.options |= (
        ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    )
    return context


def server_context(certificates: str | PathLike[str], key: str | PathLike[str]) -> ssl.SSLContext:
    """A server's, from PEM files: its certificate first, then those of its issuers."""
    context = restrict(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    context.load_cert_chain(certificates, key)
    return context


def tune(stream: socket.socket) -> None:
    """What a TCP socket needs before it carries a tunnel."""
    stream.setblocking(False)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _NOTSENT_LOWAT)


class TlsConnection(ABC):
    """One connection. No method blocks, and none raises for what the peer or the network does.

    Once `ended` says why, nothing comes or goes any more.
    """

    _socket: socket.socket
    _tls: ssl.SSLSocket | ssl.SSLObject

    ended = ""
    """Why there is nothing more: "closed by the peer", what the kernel or OpenSSL said."""
    openssl_reason = ""
    """OpenSSL's own name of what ended it, such as "NO_SHARED_CIPHER"; empty for all else."""
    wants_write = False
    """Something is not sent yet: watch for WRITABLE, then call flush()."""

    @abstractmethod
    def handshake(self) -> bool:
        """Go on with it, whenever the socket is ready; whether it is complete."""

    @abstractmethod
    def read_into(self, view: memoryview) -> int:
        """Fill the view with what has come; the number of bytes, 0 for nothing now.

        The view has at least RECORD bytes. It is drained: when less came than leaves room for
        one more record, nothing waits inside that the socket would not tell.
        """

    @abstractmethod
    def write(self, pieces: Sequence[Buffer]) -> None:
        """Send all of them, in order; each begins a record of its own.

        What cannot be sent now is kept here, without bound: ask wants_write before.
        """

    @abstractmethod
    def flush(self) -> None:
        """Send what is kept."""

    @abstractmethod
    def shutdown(self) -> None:
        """Say close_notify, if that is possible at once, and end."""

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    @property
    def version(self) -> str:
        """As in "TLSv1.2"; empty before the handshake."""
        return self._tls.version() or ""

    @property
    def cipher(self) -> str:
        """OpenSSL's name of the suite; empty before the handshake."""
        return (self._tls.cipher() or ("",))[0]

    @property
    def peer_certificate(self) -> bytes:
        """The peer's own certificate, DER; empty before the handshake, and where it has none."""
        return self._tls.getpeercert(binary_form=True) or b""

    def read(self, most: int = 4 * RECORD) -> bytes:
        """The next bytes, at most this many (at least RECORD), b"" for nothing now."""
        buffer = bytearray(most)
        return bytes(memoryview(buffer)[: self.read_into(memoryview(buffer))])

    def _failed(self, error: OSError) -> None:
        """`ended` in the words of OpenSSL's reason or of the kernel."""
        if isinstance(error, ssl.SSLZeroReturnError | ssl.SSLEOFError):
            self.ended = self.ended or "closed by the peer"
        elif isinstance(error, ssl.SSLError):
            if not self.ended:
                self.openssl_reason = error.reason or ""
            self.ended = self.ended or f"TLS: {error.reason or error}"
        else:
            self.ended = self.ended or f"TCP: {error.strerror or error}"
