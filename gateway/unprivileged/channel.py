"""One end of the SOCK_SEQPACKET socket between the gateway and a worker, without an event loop.

Each side calls `receive` when the socket is readable and `flush` when it is writable.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import DecodeError

from gateway.unprivileged.messages import ENCODER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msgspec.json import Decoder

    from gateway.unprivileged.messages import Message

T = TypeVar("T")
LARGEST = 131072
"""Maximum bytes of one message: 20 roots of RSA-4096 are 40 kB."""
MOST_WAITING = 10000
"""Maximum messages that the other side has not read."""


class ChannelError(Exception):
    """The other side has closed, sends invalid messages or does not read: give up the channel."""


class Channel(Generic[T]):
    """Sends the messages of one direction, receives those of the other."""

    def __init__(self, end: socket.socket, incoming: Decoder[T], outgoing: Decoder[Any]) -> None:
        """`outgoing`: the other side's decoder."""
        end.setblocking(False)
        self._socket = end
        self._incoming = incoming
        self._outgoing = outgoing
        self._waiting: deque[bytes] = deque()
        self._buffer = memoryview(bytearray(LARGEST))

    @property
    def wants_write(self) -> bool:
        """Whether messages are waiting to be sent."""
        return bool(self._waiting)

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def send(self, message: Message) -> None:
        """Send, or queue until `flush`. ChannelError: that cannot succeed. ValueError: the other
        side would refuse the message."""
        data = self._encode(message)
        if len(data) > LARGEST:
            kind = type(message).__name__
            raise ChannelError(f"{kind} would have {len(data)} bytes, {LARGEST} are allowed")
        if len(self._waiting) >= MOST_WAITING:
            raise ChannelError("the other side does not read")
        self._waiting.append(data)
        self.flush()

    def flush(self) -> None:
        """Send queued messages as far as the socket accepts them. ChannelError."""
        try:
            while self._waiting:
                self._socket.send(self._waiting[0])
                self._waiting.popleft()
        except BlockingIOError:
            pass
        except OSError as error:
            raise ChannelError(f"the other side is gone: {error.strerror}") from error

    def receive(self) -> Iterator[T]:
        """The messages that have arrived. ChannelError: closed, or an invalid message."""
        while (size := self._take()) is not None:
            try:
                message = self._incoming.decode(self._buffer[:size])
            except (DecodeError, RecursionError) as error:
                # msgspec's texts would quote the input
                raise ChannelError(f"no message: {type(error).__name__}") from None
            yield message

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _encode(self, message: Message) -> bytes:
        try:
            data = ENCODER.encode(message)
            self._outgoing.decode(data)
        except (DecodeError, UnicodeError) as error:
            said = f"{type(message).__name__} would be refused: {type(error).__name__}"
            raise ValueError(said) from None  # the cause quotes the message
        return data

    def _take(self) -> int | None:
        """The size of the message that is in the buffer now; None: there is none."""
        try:
            size, _, flags, _ = self._socket.recvmsg_into([self._buffer])
        except BlockingIOError:
            return None
        except OSError as error:
            raise ChannelError(f"the other side is gone: {error.strerror}") from error
        if not size:
            raise ChannelError("the other side is gone")
        if flags & socket.MSG_TRUNC:
            raise ChannelError("a message that is too long")
        return size
