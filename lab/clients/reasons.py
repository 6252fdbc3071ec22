"""From the messages of the client programs to a reason, and to the lines worth quoting.

The first pattern of a table that matches any line decides. The messages are those of strongSwan
5.9.8 and OpenVPN 2.6, and for SSTP of sstpc 1.0.18, which logs little, pppd 2.4.9, and openssl
3.0, which checks the gateway before sstpc dials.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from lab.topology.model.vocabulary import Reason

Table = tuple[tuple[str, Reason], ...]

STRONGSWAN: Table = (
    (r"unable to resolve|could not be resolved", "no-answer"),
    (r"no private key found", "no-certificate"),
    (r"giving up after \d+ retransmits", "no-answer"),
    (r"no trusted .* public key found|to verify TLS server", "server-untrusted"),
    # before the next pattern: a client does not find the issuer of its own certificate either
    (r"received EAP_FAILURE|received AUTHENTICATION_FAILED", "refused"),
    (r"no issuer certificate found", "server-untrusted"),
    (r"signature validation failed|constraint check failed", "server-untrusted"),
    (r"received NO_PROPOSAL_CHOSEN notify", "no-proposal"),
    (r"INTERNAL_ADDRESS_FAILURE", "no-address"),
    (r"received .* notify error", "refused"),
)  # fmt: skip
OPENVPN: Table = (
    (r"HTTP proxy returned", "proxy"),
    (r"RESOLVE: Cannot resolve", "no-answer"),
    (r"VERIFY (X509NAME )?ERROR|certificate verify failed", "server-untrusted"),
    (
        r"md too weak|key too small|Cannot load (inline )?(certificate|private key)",
        "no-certificate",
    ),
    (r"AUTH_FAILED", "refused"),
    (
        r"connect to .* failed|TLS key negotiation failed|server_poll|Server poll timeout",
        "no-answer",
    ),
    (r"Connection reset|tls-crypt|TLS Error|TLS handshake failed", "refused"),
)
SSTP: Table = (
    (r"HTTP CONNECT failed|Could not connect to proxy server", "proxy"),
    (r"[Cc]ould not resolve host|Name or service not known", "no-answer"),
    (r"Connection refused|No route to host|timed out", "no-answer"),
    (r"verify error|Verification of server certificate failed", "server-untrusted"),
    (r"-> Alert: (unknown CA|bad certificate|certificate expired)", "server-untrusted"),
    (r"alert (protocol version|handshake failure|insufficient security)", "tls"),
    (r"no protocols available|unsupported protocol|no ciphers available", "tls"),
    (r"EAP-TLS: Your certificate has expired", "expired"),
    (r"EAP-TLS: Your certificate is not yet valid", "not-yet-valid"),
    (r"EAP-TLS: (Cannot (use|load)|Error loading|Private key)", "no-certificate"),
    (r"Could not determine local IP address|Peer refused to agree to our IP", "no-address"),
    (r"peer reports authentication failure|[Aa]uthentication failed", "refused"),
    (r"TYPE\(5\): ABORT|Connection was aborted|Expected HTTP code 200", "refused"),
)
QUOTED = 3
_PACKETS = re.compile(r"(generating|parsed|sending packet|received packet)\b|SIG[A-Z0-9]+\[")
"""Lines about packets, which do not explain a failure."""


def judge(
    table: Table, lines: Sequence[str], own: Mapping[str, Reason] = MappingProxyType({})
) -> tuple[Reason, str]:
    """The reason, and the program's messages: the line that matched and the last ones.

    `own`: lines that we wrote ourselves, with their reasons.
    """
    for pattern, reason in table:
        for number, line in enumerate(lines):
            if own[line] == reason if line in own else re.search(pattern, line):
                after = _without_packets(lines[number + 1 :])
                return reason, "; ".join(dict.fromkeys([line, *after[-QUOTED + 1 :]]))
    quoted = (_without_packets(lines) or list(lines))[-QUOTED:]
    return "refused", "; ".join(quoted) or "the program logged nothing"


def _without_packets(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if not _PACKETS.match(line)]
