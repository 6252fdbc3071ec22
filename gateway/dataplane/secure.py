"""Which implementation of TLS carries the tunnels: MemoryTls.

Measured by `p2slab bench dataplane`, in gateway cores per Gbit/s: with one client, 0.12 up and 0.16
down, against SocketTls's 0.14 and 0.18; with 8 of 128 clients active, 0.15 and 0.17 against 0.15
and 0.21 (compiled part; in Python they differ by less than 5 %). MemoryTls needs more memory for
busy clients.
"""

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
    """Make a TLS connection that owns the connected TCP socket; then call its handshake()."""
    tune(stream)
    return MemoryTls(stream, context, server_side=server_side, server_hostname=server_hostname)
