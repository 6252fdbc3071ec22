"""The injected causes: the files of tests/causes, and what of a cause an explanation lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.rigs.verified import CHECKOUT

FOLDER = "tests/causes"
FILES = sorted(path.name for path in (CHECKOUT / FOLDER).glob("*.yaml"))
_HEADER = re.compile(r"^# (layer|cause|proof|by): *(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Cause:
    """The header of a file. A term is words with bars between, of which one has to occur."""

    layer: str
    terms: tuple[str, ...]
    """Of the cause."""
    proof: str
    """A term."""
    by: tuple[str, ...]
    """Who recognises it: functions of lab.explain, as `module.function`. Without any one of them it
    is not named."""

    def missing(self, told: Mapping[str, Any]) -> list[str]:
        """The layer and terms of the cause that an explanation lacks."""
        words = "\n".join(words_of(told))
        layer = [] if told.get("layer") == self.layer else [f"layer {self.layer}"]
        return [*layer, *(term for term in self.terms if not occurs(term, words))]


def cause_of(file: str) -> Cause:
    """By the header of a file of the folder."""
    text = (CHECKOUT / FOLDER / file).read_text(encoding="utf-8")
    header = dict(_HEADER.findall(text))
    terms, by = (_parts(header.get(key, "")) for key in ("cause", "by"))
    return Cause(header["layer"], terms, header["proof"], by)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";") if part.strip())


def words_of(told: Mapping[str, Any]) -> Sequence[str]:
    """The sentence of an explanation, and causes and proofs of the layers that failed."""
    return [told["sentence"], *_failed(told)]


def _failed(told: Mapping[str, Any]) -> Iterator[str]:
    for chain in told["chains"]:
        for row in chain["layers"]:
            if row["state"] == "failed":
                yield from (row.get("cause", ""), *row.get("proof", ()))


def occurs(term: str, text: str) -> bool:
    """One of its words as a whole word, or, with a star, as the beginning of one."""
    return any(_occurs(word.strip(), text) for word in term.split("|"))


def _occurs(word: str, text: str) -> bool:
    end = "" if word.endswith("*") else r"(?![A-Za-z0-9])"
    return bool(
        re.search(rf"(?<![A-Za-z0-9]){re.escape(word.rstrip('*'))}{end}", text, re.IGNORECASE)
    )
