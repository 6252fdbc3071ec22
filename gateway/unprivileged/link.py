"""The gateway's end of the channel to a worker, on asyncio; one worker at a time."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gateway.common.errors import EngineError
from gateway.unprivileged.channel import Channel, ChannelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec.json import Decoder

    from gateway.unprivileged.messages import Message

T = TypeVar("T")


class WorkerLink(Generic[T]):
    """A link that is renewed for each worker. `broken` is called with the reason when it fails."""

    def __init__(
        self,
        name: str,
        incoming: Decoder[T],
        outgoing: Decoder[Any],
        on_message: Callable[[T], None],
        broken: Callable[[str], None],
    ) -> None:
        self._name = name
        self._incoming = incoming
        self._outgoing = outgoing
        self._on_message = on_message
        self._broken = broken
        self._channel: Channel[T] | None = None
        self._theirs: socket.socket | None = None

    @property
    def connected(self) -> bool:
        """Whether a worker is connected, as far as is known."""
        return self._channel is not None

    def renew(self) -> None:
        """Make a new socket pair for a worker that is about to start."""
        self.close()
        ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel = Channel(ours, self._incoming, self._outgoing)
        asyncio.get_running_loop().add_reader(ours, self._readable)

    def theirs(self) -> int:
        """The descriptor of the worker's end, to be inherited."""
        assert self._theirs
        return self._theirs.fileno()

    def started(self) -> None:
        """Close our copy of the worker's end, which would hide that the worker has exited."""
        if self._theirs:
            self._theirs.close()
            self._theirs = None

    def close(self) -> None:
        """Close both ends."""
        self.started()
        if self._channel:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._channel.fileno())
            loop.remove_writer(self._channel.fileno())
            self._channel.close()
            self._channel = None

    def send(self, message: Message) -> None:
        """Send to the worker. EngineError: there is none, or it cannot be sent. ValueError: the
        message is not valid."""
        if self._channel is None:
            raise EngineError(f"{self._name} is not running")
        try:
            self._channel.send(message)
        except ChannelError as error:
            raise EngineError(f"{self._name}: {error}") from error
        if self._channel.wants_write:
            asyncio.get_running_loop().add_writer(self._channel.fileno(), self._writable)

    def _readable(self) -> None:
        channel = self._channel
        try:
            for message in channel.receive() if channel else ():
                self._on_message(message)
                if channel is not self._channel:
                    return
        except ChannelError as error:
            self.close()
            self._broken(str(error))

    def _writable(self) -> None:
        if self._channel:
            with suppress(ChannelError):  # the reader will report it
                self._channel.flush()
            if not self._channel.wants_write:
                asyncio.get_running_loop().remove_writer(self._channel.fileno())
