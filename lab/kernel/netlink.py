"""A namespace's netlink socket: batched requests, and errors that name their request."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Sequence

from lab.kernel.encoding import (
    HEADER,
    NETLINK_EXT_ACK,
    NLM_F_ACK,
    NLM_F_ACK_TLVS,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSGERR_ATTR_MSG,
    SOL_NETLINK,
    attributes,
    messages,
)
from lab.kernel.requests import Request

BATCH = 128
"""Requests per batch: their errors fit into the socket's receive buffer (those of 400 do not)."""
QUESTIONS = 32
"""The same for requests with answers of some kilobytes each."""
RECEIVE = 1 << 18

_ERROR = struct.Struct("=i")
"""struct nlmsgerr: the error; then the request's own header."""


class KernelError(OSError):
    """The kernel refused one request; `request` is its `ip` command, `hint` the kernel's text."""

    def __init__(self, code: int, request: str, hint: str | None) -> None:
        super().__init__(code, f"{request}: {os.strerror(code)}" + (f" ({hint})" if hint else ""))
        self.request = request
        self.hint = hint


class Netlink:
    """A netlink socket in the network namespace of the thread that creates this object: rtnetlink,
    or another netlink `protocol`."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, protocol)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)

        self._socket.setblocking(False)  # the kernel has answered when send() returns

    def apply(self, requests: Sequence[Request]) -> None:
        """Send requests in order.

        The kernel continues after an error: KernelError of the first, with notes for the others
        of its batch.
        """
        for start in range(0, len(requests), BATCH):
            self._exchange(requests[start : start + BATCH])

    def ask(self, requests: Sequence[Request]) -> list[bytes]:
        """Send requests with one answer each; the answers, in order."""
        answers: list[bytes] = []
        for start in range(0, len(requests), QUESTIONS):
            answers += self._exchange(requests[start : start + QUESTIONS])
        return answers

    def _exchange(self, requests: Sequence[Request]) -> list[bytes]:
        """One send(). Only the last request asks for an ACK; errors always arrive, in order."""
        batch, last = bytearray(), len(requests) - 1
        for number, request in enumerate(requests):
            length, kind, flags, _, port = HEADER.unpack_from(request.data)
            batch += HEADER.pack(length, kind, flags | NLM_F_ACK * (number == last), number, port)
            batch += request.data[HEADER.size :]
        self._socket.send(batch)
        answers: list[bytes] = []
        refusals: list[KernelError] = []
        for message in self._messages():
            _, kind, _, number, _ = HEADER.unpack_from(message)
            if kind != NLMSG_ERROR:
                answers.append(message)
                continue
            code, hint = _verdict(message)
            if code:
                refusals.append(KernelError(code, requests[number].command, hint))
            if number == last:
                break
        if refusals:
            for other in refusals[1:]:
                refusals[0].add_note(f"then also: {other}")
            raise refusals[0]
        return answers

    def _messages(self) -> Iterator[bytes]:
        """The messages of the answers, while the caller iterates."""
        while True:
            yield from messages(self._socket.recv(RECEIVE))

    def dump(
        self, command: str, kind: int, family: int = socket.AF_UNSPEC, length: int = 16
    ) -> list[bytes]:
        """All messages of the answer to a dump request of this type, such as RTM_GET*. `length` of
        the request's header: 16 fits ifinfomsg, ifaddrmsg, rtmsg and fib_rule_hdr."""
        body = struct.pack("=B", family).ljust(length, b"\0")
        flags = NLM_F_REQUEST | NLM_F_DUMP
        self._socket.send(HEADER.pack(HEADER.size + len(body), kind, flags, 0, 0) + body)
        found: list[bytes] = []
        for message in self._messages():
            answer = HEADER.unpack_from(message)[1]
            if answer == NLMSG_DONE:
                break
            if answer == NLMSG_ERROR:
                code, hint = _verdict(message)
                raise KernelError(code, command, hint)
            found.append(message)
        return found

    def close(self) -> None:
        """Close the socket, which holds the namespace."""
        self._socket.close()


def _verdict(message: bytes) -> tuple[int, str | None]:
    """The error number, 0 for an acknowledgement, and the kernel's message about it."""
    (code,) = _ERROR.unpack_from(message, HEADER.size)
    flags = HEADER.unpack_from(message)[2]
    if not code or not flags & NLM_F_ACK_TLVS:
        return abs(code), None
    request = HEADER.size + _ERROR.size
    end = request + ((HEADER.unpack_from(message, request)[0] + 3) & ~3)
    text = dict(attributes(message, end)).get(NLMSGERR_ATTR_MSG)
    return abs(code), None if text is None else text.rstrip(b"\0").decode(errors="replace")
