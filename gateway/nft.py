"""nftables in the process: libnftables (package libnftables1) through ctypes."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


class NftError(Exception):
    """The library or the kernel refuses a command; quotes it: reason, line and caret."""


@cache
def _library() -> Any:
    nft = ctypes.CDLL("libnftables.so.1")
    nft.nft_ctx_new.restype = ctypes.c_void_p
    nft.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    nft.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
    return nft


class Nft:
    """A context of the library's. It belongs to the network namespace in which it is made, and to
    one thread at a time. OSError where there is no library."""

    def __init__(self) -> None:
        self._context = ctypes.c_void_p(_library().nft_ctx_new(0))
        _library().nft_ctx_buffer_error(self._context)
        _library().nft_ctx_buffer_output(self._context)

    def run(self, commands: str) -> str:
        """Carry out nft commands as one transaction; their output. NftError: nothing was done."""
        nft, context = _library(), self._context
        if nft.nft_run_cmd_from_buffer(context, ctypes.c_char_p(commands.encode())):
            said = nft.nft_ctx_get_error_buffer(context).decode(errors="replace").strip()
            raise NftError(said)
        output: bytes = nft.nft_ctx_get_output_buffer(context)
        return output.decode(errors="replace")

    def close(self) -> None:
        """Give its memory back."""
        _library().nft_ctx_free(self._context)
