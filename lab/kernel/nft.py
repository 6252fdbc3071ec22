"""nftables in the process: libnftables (package libnftables1) through ctypes."""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from typing import Any

from lab.errors import LabError

_one_at_a_time = threading.Lock()  # the library does not promise to be thread-safe


@cache
def _library() -> Any:
    nft = ctypes.CDLL("libnftables.so.1")
    nft.nft_ctx_new.restype = ctypes.c_void_p
    nft.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    nft.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
    return nft


def run(commands: str) -> str:
    """Carry out nft commands in the calling thread's namespace, as one transaction; its output.

    LabError quotes the library: line, caret and reason.
    """
    with _one_at_a_time:
        nft = _library()
        # The context belongs to the namespace in which it is made: a new one each time.
        context = ctypes.c_void_p(nft.nft_ctx_new(0))
        try:
            nft.nft_ctx_buffer_error(context)
            nft.nft_ctx_buffer_output(context)
            if nft.nft_run_cmd_from_buffer(context, ctypes.c_char_p(commands.encode())):
                said = nft.nft_ctx_get_error_buffer(context).decode(errors="replace").strip()
                raise LabError(f"nftables refused the rules: {said}")
            output: bytes = nft.nft_ctx_get_output_buffer(context)
            return output.decode(errors="replace")
        finally:
            nft.nft_ctx_free(context)
