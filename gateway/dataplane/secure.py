"""Which implementation of TLS carries the tunnels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.dataplane.tls import tune
from gateway.dataplane.tls_memory import MemoryTls

if TYPE_CHECKING:
    import socket
    import ssl

    from gateway.dataplane.tls import TlsConnection


def secure(
    stream: socket.socket,
    context: ssl.SSLContext,
    *,
    server_side: bool = True,
    server_hostname: str | None = None,
) -> TlsConnection:
    """TLS over a connected TCP socket, which it owns from now on; then call its handshake()."""
    tune(stream)
    return MemoryTls(stream, context, server_side=server_side, server_hostname=server_hostname)
