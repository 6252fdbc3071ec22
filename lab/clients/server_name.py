"""Check the name in the gateway's certificate, which sstpc does not.

sstpc 1.0.18 only checks that the certificate chains to the root (measured): it accepts a
certificate of the same authority for another name. So openssl checks first, on a separate
connection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lab.nodes.base import Completed, Node

HTTPS = 443
LIMIT = 5.0
"""Seconds for TCP and TLS."""
_OTHER = re.compile(r"^verify error:num=62:", re.MULTILINE)
"""X509_V_ERR_HOSTNAME_MISMATCH."""
_SAME = re.compile(r"^Verified peername: ", re.MULTILINE)
_ERROR = re.compile(
    r"^(?:[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:(?P<library>[^:]+)"
    r"|s_client: (?P<program>.+)|(?P<verify>verify error:.+))",
    re.MULTILINE,
)


@dataclass(frozen=True)
class NameCheck:
    """`unknown`: there was no certificate, or it chains to another root."""

    verdict: Literal["same", "other", "unknown"]
    lines: tuple[str, ...] = ()
    """openssl's error messages."""
    reached: bool = True
    """Whether openssl ended in time; if not, `lines` are ours."""


async def compare_name(
    node: Node,
    server: str,
    root_file: str,
    proxy: tuple[str, int] | None = None,
    env: Mapping[str, str] | None = None,
) -> NameCheck:
    """Open a TLS connection to the server as the client would, and close it."""
    argv = ["openssl", "s_client", "-brief", "-connect", f"{server}:{HTTPS}",
            "-servername", server, "-CAfile", root_file, "-verify_hostname", server,
            "-verify_return_error",
            *(("-proxy", f"{proxy[0]}:{proxy[1]}") if proxy else ())]  # fmt: skip
    try:
        done = await node.run(argv, limit=LIMIT, env=env)
    except TimeoutError:
        line = f"openssl: {server} gave no answer within {LIMIT:g} s"
        return NameCheck("unknown", (line,), reached=False)
    return read_check(done)


def read_check(done: Completed) -> NameCheck:
    """Parse the output of `openssl s_client -brief`. Text from a certificate never begins a line,
    so it cannot pass for openssl's own messages."""
    output = done.output
    found = (next(filter(None, match.groups())) for match in _ERROR.finditer(output))
    lines = tuple(dict.fromkeys(f"openssl: {message}" for message in found))
    if _OTHER.search(output):
        return NameCheck("other", lines)
    return NameCheck("same" if done.code == 0 and _SAME.search(output) else "unknown", lines)
