"""How inputs are changed: bytes, lists of steps, text, JSON and DER, each within its own form."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
"""An input made of one that is known; the others are there to take parts of."""

LONGEST = 250_000
"""Bytes of an input; the fuzzer cuts it off there."""
Step = tuple[int, bytes]
_NUMBERS = (0, 1, 2, 3, 4, 5, 8, 16, 20, 127, 128, 253, 254, 255, 256, 4095, 4096, 32767, 32768,
            65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)  # fmt: skip


# -------------------------------------------------------------------------------------- bytes


def of_bytes(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Some small changes one upon another."""
    for _ in range(_few(dice)):
        data = dice.choice(_CHANGES)(dice, data, others)
    return data


def _few(dice: random.Random) -> int:
    return dice.choice((1, 1, 1, 2, 2, 3, 4, 8))


def _part(dice: random.Random, data: bytes, most: int = 1 << 20) -> slice:
    begin = dice.randrange(len(data) + 1)
    length = min(dice.choice((1, 2, 4, 8, 16, 64, 1 << 16)), most)
    return slice(begin, begin + dice.randrange(length + 1))


def _flip(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _byte(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def _number(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A length or a count that is another one, or a little wrong."""
    width = dice.choice((1, 2, 2, 4))
    if len(data) < width:
        return data
    at = dice.randrange(len(data) - width + 1)
    old = int.from_bytes(data[at : at + width])
    new = dice.choice((dice.choice(_NUMBERS), old + dice.choice((-2, -1, 1, 2)), len(data) - at))
    return data[:at] + (new % (1 << 8 * width)).to_bytes(width) + data[at + width :]


def _drop(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    part = _part(dice, data)
    return data[: part.start] + data[part.stop :]


def _repeat(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    part = _part(dice, data, 64)
    times = dice.choice((1, 1, 2, 10, 300))
    return data[: part.start] + data[part] * times + data[part.start :]


def _insert(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.randbytes(dice.choice((1, 2, 4, 20, 100))) + data[at:]


def _cut(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _splice(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = dice.choice(others)
    part, there = _part(dice, data), _part(dice, other)
    return data[: part.start] + other[there] + data[part.stop :]


_CHANGES = (_flip, _byte, _byte, _number, _number, _drop, _repeat, _insert, _cut, _splice, _splice)


# -------------------------------------------------------------------------------------- steps


def join(steps: Sequence[Step]) -> bytes:
    """Steps as an input: a kind, two bytes of length, and what it is about."""
    return b"".join(bytes((kind,)) + len(data).to_bytes(2) + data for kind, data in steps)


def split(data: bytes) -> list[Step]:
    """Any bytes as steps: what is cut off is shorter."""
    steps = []
    at = 0
    while at < len(data):
        end = at + 3 + int.from_bytes(data[at + 1 : at + 3])
        steps.append((data[at], data[at + 3 : end]))
        at = end
    return steps


def of_steps(kinds: int, most: int = 60, content: Mutation = of_bytes) -> Mutation:
    """Steps of `kinds` kinds: left out, done twice, in another order, or changed in themselves."""

    def mutation(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
        steps = split(data)
        for _ in range(_few(dice)):
            other = split(dice.choice(others))
            _change_steps(dice, steps, other, kinds, content)
        return join([(kind, part[:65535]) for kind, part in steps[:most]])

    return mutation


def _change_steps(
    dice: random.Random, steps: list[Step], other: list[Step], kinds: int, content: Mutation
) -> None:
    at = dice.randrange(len(steps) + 1)
    way = dice.randrange(10)
    if way == 0:
        steps[at : at + dice.choice((1, 1, 3))] = []
    elif way == 1:
        steps[at:at] = steps[dice.randrange(len(steps) + 1) :][: dice.choice((1, 1, 4))]
    elif way == 2:
        steps.insert(at, (dice.randrange(kinds), dice.randbytes(dice.choice((0, 1, 2, 8, 40)))))
    elif way in (3, 4) and other:
        begin = dice.randrange(len(other))
        steps[at:at] = other[begin : begin + dice.choice((1, 2, 5))]
    elif way == 5:
        steps[at:] = other[dice.randrange(len(other) + 1) :]
    elif at < len(steps):
        kind, part = steps[at]
        if dice.randrange(8) == 0:
            kind = dice.randrange(kinds)
        parts = [step[1] for step in (*steps, *other)]
        steps[at] = kind, content(dice, part, parts)


# --------------------------------------------------------------------------------------- text

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
NASTY = (
    "", "null", "~", "true", "-1", "0", "1e309", ".nan", "4" * 5000, "0x10", "::", "::/0",
    "0.0.0.0/0", "10.0.0.0/33", "255.255.255.255", "fe80::1%eth0", "[]", "{}", "[[[[", "{{{{",
    "&a", "*a", "<<: *a", "!!python/object:os.system", "|", ">-", "'", '"', "#", "%", "\\", "\t",
    "\u2028", "\u202e", "\ufeff", "\x00", "\x1b[2J", "²", "٣", "ß" * 50, "a" * 300, "../../etc",
    "CN=a,CN=b", "${root.publicCertData}", "${", "2026-01-01", "1:30", "=", "- ", "? ", "---\n",
)  # fmt: skip


def of_text(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Words and lines: changed for others, moved, doubled, left out."""
    if dice.randrange(20) == 0:
        return of_bytes(dice, data, others)
    for _ in range(_few(dice)):
        text = data.decode("utf-8", "surrogateescape")
        other = dice.choice(others).decode("utf-8", "surrogateescape")
        changed = dice.choice((_words, _words, _lines))(dice, text, other)
        data = changed.encode("utf-8", "surrogateescape")
    return data


def _words(dice: random.Random, text: str, other: str) -> str:
    words, theirs = _TOKEN.findall(text), _TOKEN.findall(other)
    at = dice.randrange(len(words) + 1)
    new = dice.choice((dice.choice(NASTY), dice.choice(theirs or [""]), dice.choice(words or [""])))
    words[at : at + dice.choice((0, 1, 1, 1, 2))] = [new]
    return "".join(words)


def _lines(dice: random.Random, text: str, other: str) -> str:
    lines, theirs = text.splitlines(keepends=True), other.splitlines(keepends=True)
    at = dice.randrange(len(lines) + 1)
    way = dice.randrange(5)
    if way == 0:
        lines[at : at + dice.choice((1, 1, 5))] = []
    elif way == 1:
        lines[at:at] = lines[dice.randrange(len(lines) + 1) :][: dice.choice((1, 2, 8))]
    elif way == 2:
        lines[at:at] = theirs[dice.randrange(len(theirs) + 1) :][: dice.choice((1, 2, 8))]
    elif way == 3 and at < len(lines):
        lines[at] = " " * dice.choice((1, 2, 4)) + lines[at]
    elif at < len(lines):
        lines[at] = lines[at].removeprefix("  ")
    return "".join(lines)


# --------------------------------------------------------------------------------------- JSON

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 30, 2**31, 2**63, 10**30, 1.5, float("nan"), float("inf"), [], {},
    "10.0.0.0/8", "172.16.201.0/29", "::/0", "203.0.113.9", "SSTP", "Radius", "IPsec", *NASTY,
)  # fmt: skip


def of_json(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A value somewhere in it: replaced, left out, moved, wrapped, with another name."""
    try:
        value, other = json.loads(data), json.loads(dice.choice(others))
    except (ValueError, RecursionError):
        return of_bytes(dice, data, others)
    if dice.randrange(25) == 0:
        return of_bytes(dice, data, others)
    if dice.randrange(200) == 0:
        depth = dice.choice((5, 200, 20_000))
        return b"[" * depth + b"]" * depth
    for _ in range(_few(dice)):
        value = _change_json(dice, value, other)
    changed = json.dumps(value).encode()
    return changed if len(changed) <= LONGEST else data


def _change_json(dice: random.Random, value: Any, other: Any) -> Any:
    holder, key = dice.choice(_places(value))
    there = _copy(_value(*dice.choice(_places(other))))
    if holder is None:
        return _copy(_new_json(dice, value, there))
    way = dice.randrange(6)
    if way == 0:
        del holder[key]
    elif way == 1 and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif way == 2 and isinstance(holder, dict):
        holder[str(dice.choice(NASTY))] = holder.pop(key)
    else:
        holder[key] = _new_json(dice, holder[key], there)
    return _copy(value)


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _new_json(dice: random.Random, old: Any, there: Any) -> Any:
    if isinstance(old, str) and dice.randrange(2):
        return _words(dice, old, str(there))
    return dice.choice((dice.choice(_VALUES), there, [old], [old] * 30, {"a": old}))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Where a value stands: in what, and under which key; the whole under none."""
    found: list[tuple[Any, Any]] = [(None, value)]
    todo = [value] if isinstance(value, list | dict) else []
    while todo:
        holder = todo.pop()
        keys = range(len(holder)) if isinstance(holder, list) else list(holder)
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], list | dict):
                todo.append(holder[key])
    return found


def _value(holder: Any, key: Any) -> Any:
    return key if holder is None else holder[key]
