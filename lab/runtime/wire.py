"""Messages on a SOCK_SEQPACKET socket: JSON and descriptors; large ones travel as a file."""

from __future__ import annotations

import json
import os
import socket
from array import array
from collections.abc import Sequence
from typing import Any

LARGEST = 32 * 1024
"""Bytes of a plain message; a socket's buffer takes some six of them."""
DESCRIPTORS = 16

_NUMBER = array("i").itemsize

Message = dict[str, Any]


def send(sock: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """One message; BlockingIOError if the socket does not block and is full."""
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
    """One message with its descriptors; EOFError when the other side has gone."""
    # Not socket.recv_fds: it drops its flags, and the descriptors would reach every program.
    space = socket.CMSG_SPACE(DESCRIPTORS * _NUMBER)
    data, ancillary, _, _ = sock.recvmsg(LARGEST, space, socket.MSG_CMSG_CLOEXEC)
    if not data:
        raise EOFError("the other side has gone")
    numbers = b"".join(content for _, kind, content in ancillary if kind == socket.SCM_RIGHTS)
    descriptors = array("i", numbers).tolist()
    message: Message = json.loads(data)
    if message.get("attached"):
        with os.fdopen(descriptors.pop(0), "rb") as file:
            message = json.loads(os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0))
    return message, descriptors
