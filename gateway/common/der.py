"""The few parts of DER (X.690) that the gateway reads and writes itself. Pure."""

from __future__ import annotations

SEQUENCE, OCTETS, BITS = 0x30, 0x04, 0x03


def span(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the value at `at` begins and ends, according to its length.

    The end may be beyond the bytes there are.
    """
    if at + 2 > len(der):
        return at + 2, at + 2
    first = der[at + 1]
    if first < 0x80:
        return at + 2, at + 2 + first
    start = at + 2 + (first & 0x7F)
    return start, start + int.from_bytes(der[at + 2 : start])


def values(content: bytes, most: int = 100) -> list[bytes] | None:
    """The values side by side in a content; None if lengths do not add up or there are more."""
    found: list[bytes] = []
    at = 0
    while at < len(content):
        end = span(content, at)[1]
        if end > len(content) or len(found) == most:
            return None
        found.append(content[at:end])
        at = end
    return found


def inside(value: bytes) -> bytes:
    """The content of a value."""
    begin, end = span(value, 0)
    return value[begin:end]


def tlv(tag: int, *parts: bytes) -> bytes:
    """Tag, length, content."""
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size) + content
