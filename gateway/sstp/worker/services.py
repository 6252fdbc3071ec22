"""What a caller asks of the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl

    from gateway.dataplane.plane import Plane
    from gateway.dataplane.reactor import Reactor
    from gateway.ppp.events import Attempt
    from gateway.sstp.protocol.call import CallConfig
    from gateway.sstp.worker.connection import Caller


class House(Protocol):
    """The worker as its callers see it."""

    reactor: Reactor
    plane: Plane
    tls: ssl.SSLContext
    calls: CallConfig

    def asks(self, caller: Caller, attempt: Attempt) -> None:
        """An attempt to come in; `answer` is to be called."""

    def opened(self, caller: Caller, binding: str) -> None:
        """Packets go."""

    def refused(self, caller: Caller, reason: str, message: str, user: str) -> None:
        """It was turned away."""

    def ended(self, caller: Caller, why: str) -> None:
        """No packets go any more."""

    def gone(self, caller: Caller) -> None:
        """The connection is closed."""

    def fault(self, caller: Caller) -> None:
        """An exception is being handled that should not have been."""
