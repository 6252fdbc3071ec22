"""Is it the gateway that was dialled? Its certificate's name, which sstpc does not compare.

sstpc 1.0.18 checks that the certificate leads to the root and no more (measured): a certificate
of the same authority for another name would do. So openssl asks first, on a connection of its own.
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
    """`unknown` where there was no certificate to look at, or one that leads to another root."""

    verdict: Literal["same", "other", "unknown"]
    lines: tuple[str, ...] = ()
    """openssl's own words on what went wrong."""
    reached: bool = True
    """Whether openssl ended by itself in time; else `lines` are ours."""


async def compare_name(
    node: Node,
    server: str,
    root_file: str,
    proxy: tuple[str, int] | None = None,
    env: Mapping[str, str] | None = None,
) -> NameCheck:
    """Open a TLS connection to the server as the client would, and close it again."""
    argv = ["openssl", "s_client", "-brief", "-connect", f"{server}:{HTTPS}",
            "-servername", server, "-CAfile", root_file, "-verify_hostname", server,
            "-verify_return_error",
            *(("-proxy", f"{proxy[0]}:{proxy[1]}") if proxy else ())]  # fmt: skip
    try:
        told = await node.run(argv, limit=LIMIT, env=env)
    except TimeoutError:
        said = f"openssl: {server} gave no answer within {LIMIT:g} s"
        return NameCheck("unknown", (said,), reached=False)
    return read_check(told)


def read_check(told: Completed) -> NameCheck:
    """What `openssl s_client -brief` said. A certificate's own words stand behind others in a
    line, so that they cannot pass for openssl's."""
    said = told.said
    found = (next(filter(None, match.groups())) for match in _ERROR.finditer(said))
    lines = tuple(dict.fromkeys(f"openssl: {words}" for words in found))
    if _OTHER.search(said):
        return NameCheck("other", lines)
    return NameCheck("same" if told.code == 0 and _SAME.search(said) else "unknown", lines)
