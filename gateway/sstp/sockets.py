"""The SSTP worker's TCP 443 listener and TUN device, opened by the gateway as root."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from ipaddress import IPv4Interface
from typing import TYPE_CHECKING

from gateway.common.errors import EngineError
from gateway.dataplane import tun
from gateway.policy.pool import usable
from gateway.policy.protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv4Network

PORT = 443
DEVICE = PROTOCOLS["SSTP"].device
MTU = 1400
"""Bytes of an IP packet in the tunnel: Ethernet's 1500 without IP, TCP, TLS, SSTP and PPP."""
BACKLOG = 1024


class WorkerSockets:
    """The sockets of successive workers; they stay open as long as the engine."""

    def __init__(self, public: IPv4Address) -> None:
        self._public = public
        self._listener: socket.socket | None = None
        self._tun: int | None = None
        self._pool: tuple[IPv4Network, ...] = ()

    @property
    def own_address(self) -> IPv4Address:
        """The gateway's address in the tunnel: the first of the pool."""
        return next(usable(self._pool))

    def descriptors(self) -> dict[str, int]:
        """The descriptors for the worker, by option name."""
        assert self._listener
        assert self._tun is not None
        return {"listen": self._listener.fileno(), "tun": self._tun}

    def open(self, pool: Sequence[IPv4Network], *, vnet_hdr: bool) -> None:
        """Open what is not open yet. EngineError: that failed."""
        self._pool = tuple(pool)
        if self._listener is None:
            self._listener = _listen(self._public)
        if self._tun is None:
            self._tun = tun.open_tun(DEVICE, vnet_hdr=vnet_hdr)
            address = IPv4Interface(f"{self.own_address}/32")
            try:
                tun.configure(DEVICE, address, MTU, self._pool)
            except EngineError:
                self._close_tun()
                raise

    def close(self) -> None:
        """Close the listener and remove the device."""
        if self._listener:
            self._listener.close()
            self._listener = None
        self._close_tun()

    def _close_tun(self) -> None:
        if self._tun is not None:
            with suppress(OSError):
                os.close(self._tun)
            self._tun = None


def _listen(address: IPv4Address) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((str(address), PORT))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise EngineError(f"cannot listen on {address}:{PORT}", said=error.strerror) from error
    return listener
