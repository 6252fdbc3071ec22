"""The choice of steps by their words and numbers, for `verify` and `check`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lab.errors import UsageError

_NUMBERS = re.compile(r"(?P<first>[0-9]{1,6})(?:-(?P<last>[0-9]{1,6}))?")


def chosen(texts: Sequence[str], words: str | None, numbers: Sequence[str]) -> list[int]:
    """The indices of the chosen steps, in order; UsageError if there are none.

    `texts` are the steps in words. A step is chosen if it has all `words`, in any order and case,
    and if its number, from 1, is among `numbers`: `3`, or `3-5`. Without either, all are.
    """
    found = list(range(len(texts)))
    if numbers:
        wanted = {index for number in numbers for index in _indices(number, len(texts))}
        found = [index for index in found if index in wanted]
    if words is not None:
        parts = words.casefold().split()
        found = [n for n in found if all(part in texts[n].casefold() for part in parts)]
        if not parts or not found:
            raise UsageError(f"no step has the words {words!r}", _listed(texts))
    return found


def _indices(number: str, count: int) -> range:
    written = _NUMBERS.fullmatch(number)
    first = int(written["first"]) if written else 0
    last = int(written["last"] or first) if written else 0
    if not 1 <= first <= last <= count:
        raise UsageError(f"there is no step {number}", f"a number from 1 to {count}, or 1-{count}")
    return range(first - 1, last)


def _listed(texts: Sequence[str]) -> str:
    return "words of one of these:\n" + "\n".join(f"  {text}" for text in texts)
