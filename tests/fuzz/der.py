"""DER taken apart, changed within its form, and put together again with lengths that fit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from tests.fuzz.mutations import of_bytes

SEQUENCE, BIT_STRING, OCTET_STRING, INTEGER, SET = 0x30, 0x03, 0x04, 0x02, 0x31
_DEEPEST = 20


@dataclass
class Node:
    """A tag, and parts or bytes. `form`: how its length is written, 0 as DER has it, so many
    bytes more than are needed, or -1 for BER's indefinite one.
    """

    tag: int
    body: list[Node] | bytes
    form: int = 0
    before: bytes = b""
    """What stands before the parts: the unused bits of a BIT STRING."""


def read(data: bytes, depth: int = 0) -> list[Node] | None:
    """Elements one after another; None for what is no DER."""
    nodes = []
    at = 0
    while at < len(data):
        head = _head(data, at)
        if head is None or depth > _DEEPEST:
            return None
        begin, end = head
        nodes.append(_node(data[at], data[begin:end], depth))
        at = end
    return nodes


def _head(data: bytes, at: int) -> tuple[int, int] | None:
    if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
        return None
    length, begin = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, begin = int.from_bytes(data[begin : begin + size]), begin + size
        if not 1 <= size <= 4:
            return None
    return (begin, begin + length) if begin + length <= len(data) else None


def _node(tag: int, body: bytes, depth: int) -> Node:
    """Strings that hold DER, as extensions and keys do, are read too."""
    before = body[:1] if tag == BIT_STRING else b""
    if tag & 0x20 or (tag in (OCTET_STRING, BIT_STRING) and len(body) > 2):
        parts = read(body[len(before) :], depth + 1)
        if parts is not None:
            return Node(tag, parts, before=before)
    return Node(tag, body)


def write(nodes: Sequence[Node]) -> bytes:
    """As bytes again."""
    return b"".join(_write(node) for node in nodes)


def _write(node: Node) -> bytes:
    parts = isinstance(node.body, list)
    body = bits_of(node)
    if node.form < 0 and parts:
        return bytes((node.tag, 0x80)) + body + b"\0\0"
    return bytes((node.tag,)) + length_of(len(body), max(0, node.form)) + body


def length_of(length: int, more: int = 0) -> bytes:
    """With so many bytes more than are needed."""
    if length < 0x80 and not more:
        return bytes((length,))
    size = (length.bit_length() + 7) // 8 + more
    return bytes((0x80 | size,)) + length.to_bytes(size)


def signature_of(certificate: list[Node] | None) -> Node | None:
    """Where a certificate's signature stands; None for what is none."""
    whole = certificate[0].body if certificate else b""
    if not isinstance(whole, list) or len(whole) != 3 or whole[2].tag != BIT_STRING:
        return None
    return whole[2]


def bits_of(node: Node) -> bytes:
    """The content of a string, whether or not it was read as DER."""
    return node.before + write(node.body) if isinstance(node.body, list) else node.body


def all_of(nodes: list[Node]) -> list[tuple[list[Node], int]]:
    """Every node, as the list that it is in and its place there."""
    found = []
    todo = [nodes]
    while todo:
        siblings = todo.pop()
        for at, node in enumerate(siblings):
            found.append((siblings, at))
            if isinstance(node.body, list):
                todo.append(node.body)
    return found


_ODD: tuple[bytes, ...] = (
    b"", b"\0", b"\1", b"\2", b"\3", b"\x7f", b"\x80", b"\xff", b"\0\xff", b"\1\0\1", bytes(40),
    b"\x80" + bytes(7) + b"\1", b"\1" * 20, b"\x7f" + b"\xff" * 511, b"\x7f" + b"\xff" * 2047,
    b"99991231235959Z", b"991231235959Z", b"000000000000Z", b"20261301000000Z", b"2611241200Z",
    b"alice\0", b"\xff\xfe", b"\xed\xa0\x80", b"alice/bob@x", b"\x1b[2J", b"a" * 5000,
    b"\x55\x1d\x25", b"\x55\x1d\x13", b"\x55\x1d\x0f", b"\x55\x1d\x1e", b"\x2a\x86\x48\x86\xf7",
)  # fmt: skip
_TAGS = (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A, 0x0C, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1C, 0x1E,
         0x30, 0x31, 0x80, 0x81, 0x82, 0xA0, 0xA1, 0xA3)  # fmt: skip


def of_der(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """An element changed for another, left out, doubled, tagged or measured otherwise."""
    nodes = read(data)
    if not nodes or dice.randrange(6) == 0:
        return of_bytes(dice, data, others)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        places = all_of(nodes)
        if not places:
            break
        siblings, at = dice.choice(places)
        _change(dice, siblings, at, read(dice.choice(others)) or nodes)
    return write(nodes)


def _change(dice: random.Random, siblings: list[Node], at: int, other: list[Node]) -> None:
    node = siblings[at]
    way = dice.randrange(9)
    if way == 0:
        del siblings[at]
    elif way == 1:
        siblings[at:at] = deepcopy([node] * dice.choice((1, 1, 1, 30)))
    elif way == 2:
        node.tag = dice.choice((dice.choice(_TAGS), dice.randrange(256)))
    elif way == 3:
        node.form = dice.choice((-1, 1, 2, 100))
    elif way == 4:
        there, place = dice.choice(all_of(other))
        siblings[at] = deepcopy(there[place])
    elif isinstance(node.body, list):
        dice.shuffle(node.body)
        node.before = bytes((dice.randrange(9),)) if node.before else b""
    else:
        odd = dice.choice(_ODD)
        siblings[at] = Node(
            node.tag, odd if dice.randrange(2) else of_bytes(dice, node.body, [odd])
        )
