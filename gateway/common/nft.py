"""nftables within the process: libnftables (package libnftables1) through ctypes, and set elements
over netlink."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address


_OUTPUT_HANDLE = 1 << 3
"""NFT_CTX_OUTPUT_HANDLE (nftables/libnftables.h)."""


class NftError(Exception):
    """The library or the kernel refuses a command; the message quotes reason, line and caret."""


@cache
def _library() -> Any:
    nft = ctypes.CDLL("libnftables.so.1")
    nft.nft_ctx_new.restype = ctypes.c_void_p
    nft.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    nft.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
    return nft


class Nft:
    """A context of the library. It belongs to the network namespace in which it is made, and to
    one thread at a time. OSError: the library is missing."""

    def __init__(self, *, handles: bool = False) -> None:
        """`handles`: lists have the rules' numbers, too."""
        self._context = ctypes.c_void_p(_library().nft_ctx_new(0))
        if handles:
            _library().nft_ctx_output_set_flags(self._context, _OUTPUT_HANDLE)
        _library().nft_ctx_buffer_error(self._context)
        _library().nft_ctx_buffer_output(self._context)

    def run(self, commands: str) -> str:
        """Execute nft commands as one transaction; return their output. NftError: no change."""
        nft, context = _library(), self._context
        if nft.nft_run_cmd_from_buffer(context, ctypes.c_char_p(commands.encode())):
            text = nft.nft_ctx_get_error_buffer(context).decode(errors="replace").strip()
            raise NftError(text)
        output: bytes = nft.nft_ctx_get_output_buffer(context)
        return output.decode(errors="replace")

    def close(self) -> None:
        """Free the context."""
        _library().nft_ctx_free(self._context)


# ------------------------------------------------------------------------------ elements of sets

_NETFILTER = 12
_INET = 1
_NFTABLES = 10
_BEGIN, _END = 0x10, 0x11
_NEW, _DELETE = _NFTABLES << 8 | 12, _NFTABLES << 8 | 14
_REQUEST, _ACK, _CREATE = 0x1, 0x4, 0x400
_NESTED = 0x8000
_TABLE, _SET, _ELEMENTS = 1, 2, 3
_LIST_ELEMENT, _KEY, _VALUE, _TIMEOUT = 1, 1, 1, 4
_HEADER = struct.Struct("=IHHII")
_ERROR = struct.Struct("=i")
_LONGEST_ANSWER = 4096
"""Bytes: an answer quotes the message that it is for."""
_PATIENCE = 1.0
"""Seconds to wait for the kernel's answers, which exist as soon as the request is sent."""


@dataclass(frozen=True)
class Change:
    """Add (`there`) or delete an element of a set of addresses and interfaces
    (`ipv4_addr . ifname`).

    `seconds`: the element's timeout, for sets with timeouts; None: no timeout.
    """

    name: str
    """The set's name."""
    address: IPv4Address
    interface: str
    there: bool
    seconds: int | None = None


class Elements:
    """Changes set elements in one table of the family inet, over netlink (linux/netfilter/
    nf_tables.h): libnftables reads the whole table for each command, which takes ten times as long.

    It belongs to the network namespace in which it is made. OSError: there is no netlink.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._number = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        self._socket.settimeout(_PATIENCE)

    def apply(self, changes: Sequence[Change]) -> None:
        """Apply all changes in one transaction. NftError: none was applied."""
        bound = bytes((0, 0)) + _NFTABLES.to_bytes(2)
        first = self._number + 1
        parts = [self._message(_BEGIN, _REQUEST, bound)]
        for change in changes:
            kind, flags = (_NEW, _CREATE) if change.there else (_DELETE, 0)
            # The kernel always reports errors; only the last message asks for a success report.
            flags |= _ACK if change is changes[-1] else 0
            parts.append(self._message(kind, _REQUEST | flags, self._body(change)))
        last = self._number
        parts.append(self._message(_END, _REQUEST, bound))
        try:
            self._socket.send(b"".join(parts))
            while (answer := self._answer()) != (last, 0):
                number, code = answer
                if number >= first:  # otherwise it belongs to an earlier transaction
                    raise NftError(os.strerror(code))
        except OSError as error:
            raise NftError(f"the kernel gives no answer: {error}") from error

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _answer(self) -> tuple[int, int]:
        """The number of the message answered, and the error number; 0: success."""
        answer = self._socket.recv(_LONGEST_ANSWER)
        number: int = _HEADER.unpack_from(answer)[3]
        code: int = _ERROR.unpack_from(answer, _HEADER.size)[0]
        return number, -code

    def _message(self, kind: int, flags: int, body: bytes) -> bytes:
        self._number += 1
        return _HEADER.pack(_HEADER.size + len(body), kind, flags, self._number, 0) + body

    def _body(self, change: Change) -> bytes:
        key = change.address.packed + change.interface.encode().ljust(16, b"\0")
        element = _attribute(_KEY | _NESTED, _attribute(_VALUE, key))
        if change.seconds is not None:
            element += _attribute(_TIMEOUT, (change.seconds * 1000).to_bytes(8))
        elements = _attribute(_ELEMENTS | _NESTED, _attribute(_LIST_ELEMENT | _NESTED, element))
        return _of_set(self._table, change.name) + elements


@cache
def _of_set(table: str, name: str) -> bytes:
    return (
        bytes((_INET, 0, 0, 0))
        + _attribute(_TABLE, table.encode() + b"\0")
        + _attribute(_SET, name.encode() + b"\0")
    )


def _attribute(kind: int, content: bytes) -> bytes:
    length = 4 + len(content)
    return struct.pack("=HH", length, kind) + content.ljust((length + 3 & ~3) - 4, b"\0")
