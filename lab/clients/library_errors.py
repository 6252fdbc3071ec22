"""What a library says when it does not take the user's own certificate or key.

Such an error is the client's refusal, as a VPN program's message is; any other exception is a fault
of the lab's own.
"""

from __future__ import annotations

from lab.topology.model.vocabulary import Reason

UNUSABLE: Reason = "no-certificate"
"""As Windows' error 798: no certificate that can be used."""


def refusal(error: Exception) -> str | None:
    """The refusal as a sentence; None: the error is none of a library's."""
    # Not needed by a dial that succeeds.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from OpenSSL import SSL, crypto  # noqa: PLC0415
    from vici.exception import CommandException  # noqa: PLC0415

    if isinstance(error, SSL.Error | crypto.Error):
        return f"the client's OpenSSL refuses its own certificate: {_queue(error)}"
    if isinstance(error, UnsupportedAlgorithm):
        return f"the client's library does not know its own certificate: {error}"
    if isinstance(error, CommandException):
        return f"the client's charon refuses its own certificate or key: {error}"
    return None


def _queue(error: Exception) -> str:
    """OpenSSL's queue of errors: library, function and reason of each."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(str(entry[-1]) for entry in queue) or "no reason given"
