"""From what the client programs say to one word, and to the lines worth quoting.

Each table is looked through in order; the first pattern found in any line decides. The lines of
strongSwan are those of 5.9.8, OpenVPN's those of 2.6.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lab.topology.vocabulary import Reason

Table = tuple[tuple[str, Reason], ...]

STRONGSWAN: Table = (
    (r"unable to resolve|could not be resolved", "no-answer"),
    (r"giving up after \d+ retransmits", "no-answer"),
    (r"no trusted .* public key found|no issuer certificate found", "server-untrusted"),
    (r"signature validation failed|constraint check failed", "server-untrusted"),
    (r"INTERNAL_ADDRESS_FAILURE", "no-address"),
    (r"no private key found", "no-certificate"),
    (r"received .* notify error|received EAP_FAILURE|received AUTHENTICATION_FAILED", "refused"),
)  # fmt: skip
OPENVPN: Table = (
    (r"HTTP proxy returned", "proxy"),
    (r"RESOLVE: Cannot resolve", "no-answer"),
    (r"VERIFY (X509NAME )?ERROR|certificate verify failed", "server-untrusted"),
    (r"AUTH_FAILED", "refused"),
    (
        r"connect to .* failed|TLS key negotiation failed|server_poll|Server poll timeout",
        "no-answer",
    ),
    (r"Connection reset|tls-crypt|TLS Error|TLS handshake failed", "refused"),
)
QUOTED = 3


def judge(table: Table, lines: Sequence[str]) -> tuple[Reason, str]:
    """The reason, and the program's own words: the telling line and the last ones."""
    for pattern, reason in table:
        for number, line in enumerate(lines):
            if re.search(pattern, line):
                return reason, "; ".join(dict.fromkeys([line, *lines[number + 1 :][-QUOTED + 1 :]]))
    return "refused", "; ".join(lines[-QUOTED:]) or "the program said nothing"
