"""Lists of configuration options (RFC 1661 section 6)."""

from __future__ import annotations

from typing import NamedTuple

MOST_OPTIONS = 64
"""More than LCP and IPCP define; a longer list is malformed."""


class Option(NamedTuple):
    """`value` without type and length."""

    kind: int
    value: bytes


def parse_options(data: bytes) -> tuple[Option, ...] | None:
    """Parse options; None: a length is wrong, and the packet must be discarded."""
    options: list[Option] = []
    while data:
        if len(data) < 2 or not 2 <= data[1] <= len(data) or len(options) >= MOST_OPTIONS:
            return None
        options.append(Option(data[0], data[2 : data[1]]))
        data = data[data[1] :]
    return tuple(options)


def encode_options(options: tuple[Option, ...]) -> bytes:
    """Encode options as type, length, value."""
    return b"".join(bytes((kind, 2 + len(value))) + value for kind, value in options)
