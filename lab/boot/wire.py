"""Messages on a SOCK_SEQPACKET socket: JSON and descriptors; large messages are sent as a file."""

from __future__ import annotations

import json
import os
import socket
from array import array
from collections.abc import Sequence
from typing import Any

LARGEST = 32 * 1024
"""Bytes of a plain message; a socket's buffer holds about six of them."""
DESCRIPTORS = 16

_NUMBER = array("i").itemsize

Message = dict[str, Any]


def send(sock: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send one message; BlockingIOError if the socket is non-blocking and full."""
    data = json.dumps(message).encode()
    if len(data) <= LARGEST:
        socket.send_fds(sock, [data], list(descriptors))
        return
    attached = os.memfd_create("message")
    try:
        with os.fdopen(os.dup(attached), "wb") as file:
            file.write(data)
        socket.send_fds(sock, [b'{"attached":true}'], [attached, *descriptors])
    finally:
        os.close(attached)


def receive(sock: socket.socket) -> tuple[Message, list[int]]:
    """Receive one message with its descriptors; EOFError if the peer has disconnected."""
    # Not socket.recv_fds: it drops its flags, and every program would inherit the descriptors.
    space = socket.CMSG_SPACE(DESCRIPTORS * _NUMBER)
    data, ancillary, _, _ = sock.recvmsg(LARGEST, space, socket.MSG_CMSG_CLOEXEC)
    if not data:
        raise EOFError("the peer has disconnected")
    numbers = b"".join(content for _, kind, content in ancillary if kind == socket.SCM_RIGHTS)
    descriptors = array("i", numbers).tolist()
    message: Message = json.loads(data)
    if message.get("attached"):
        with os.fdopen(descriptors.pop(0), "rb") as file:
            message = json.loads(os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0))
    return message, descriptors
