"""nftables as a library, in the network namespace of the calling thread."""

from __future__ import annotations

import threading

from gateway.common.nft import Nft, NftError
from lab.errors import LabError

_one_at_a_time = threading.Lock()  # the library does not promise to be thread-safe


def run(commands: str, *, handles: bool = False) -> str:
    """Run nft commands in the calling thread's namespace as one transaction; their output,
    with the rules' numbers if `handles`.

    LabError has the library's message: line, caret and reason.
    """
    with _one_at_a_time:
        context = Nft(
            handles=handles
        )  # belongs to the namespace in which it is created, so never reused
        try:
            return context.run(commands)
        except NftError as error:
            raise LabError(f"nftables refused the rules: {error}") from error
        finally:
            context.close()
