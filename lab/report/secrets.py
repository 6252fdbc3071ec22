"""Secrets of a topology, removed from what programs have said.

No message is meant to have one; but the programs' own words are theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

HIDDEN = "(secret)"
SHORT = 4
"""Characters: shorter secrets are only hidden where they are words of their own."""


class Secrets:
    """The secrets of a topology. `hidden` returns texts without them."""

    def __init__(self, value: Any = None) -> None:
        spellings = {text for secret in _found(value) for text in _spellings(secret)}
        # The longest first: one may be a part of another.
        ordered = sorted(filter(None, spellings), key=lambda text: (-len(text), text))
        self._pattern = re.compile("|".join(map(_pattern, ordered))) if ordered else None

    def hidden(self, value: Any) -> Any:
        """A copy of JSON data in which the texts have no secrets; keys stay."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self._pattern.sub(HIDDEN, value)
        if isinstance(value, Mapping):
            return {key: self.hidden(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.hidden(part) for part in value]
        return value


def _found(value: Any, key: str = "") -> Iterator[str]:
    """Secret fields of models, and those of Azure's documents in steps; `key`: of the value."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, str):
        yield from (value,) if key.endswith(("Secret", "sharedKey")) else ()
    else:
        for inner, part in _parts(value):
            yield from _found(part, inner)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, BaseModel):
        yield from ((name, getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, Mapping):
        yield from ((str(key), part) for key, part in value.items())
    elif isinstance(value, list | tuple):
        yield from (("", part) for part in value)


def _spellings(secret: str) -> Iterator[str]:
    """As it is, and as programs quote it."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]


def _pattern(text: str) -> str:
    escaped = re.escape(text)
    return escaped if len(text) >= SHORT else rf"(?<!\w){escaped}(?!\w)"
