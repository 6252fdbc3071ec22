"""The injected causes: the files of tests/causes, and what of a cause an explanation lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.rigs.verified import CHECKOUT, verified

FOLDER = "tests/causes"
EXPECTATION_FAILED = 1
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
        """The layer and terms that an explanation lacks. Those of the cause have to be in its own
        words: in proofs are everybody's."""
        words = "\n".join([told["sentence"], *(row.get("cause", "") for row in _failed(told))])
        layer = [] if told.get("layer") == self.layer else [f"layer {self.layer}"]
        return [*layer, *(term for term in self.terms if not occurs(term, words))]

    def unproved(self, told: Mapping[str, Any]) -> list[str]:
        """The term of the proof, if no proof has it."""
        words = "\n".join(line for row in _failed(told) for line in row.get("proof", ()))
        return [] if occurs(self.proof, words) else [f"proof {self.proof}"]


def cause_of(file: str) -> Cause:
    """By the header of a file of the folder."""
    text = (CHECKOUT / FOLDER / file).read_text(encoding="utf-8")
    header = dict(_HEADER.findall(text))
    terms, by = (_parts(header.get(key, "")) for key in ("cause", "by"))
    return Cause(header["layer"], terms, header["proof"], by)


def fewest() -> list[str]:
    """Files in which, between them, every function recognises a cause: each file has the most
    functions that those before it have not, or is the first of several such."""
    functions = {file: set(cause_of(file).by) for file in FILES}
    left, chosen = set().union(*functions.values()), []
    while left:
        best = max(FILES, key=lambda file: len(functions[file] & left))
        chosen.append(best)
        left -= functions[best]
    return sorted(chosen)


def assert_named(file: str) -> None:
    """Build its lab, and see that the explanation of its last step is right."""
    wanted = cause_of(file)
    code, told = verified(f"{FOLDER}/{file}")
    assert code == EXPECTATION_FAILED, told["failure"]
    *others, last = told["results"]
    assert all(row["held"] for row in others), [row for row in others if not row["held"]]
    found = last["explanation"]
    assert wanted.missing(found) + wanted.unproved(found) == [], found


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";") if part.strip())


def _failed(told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Its layers that failed."""
    for chain in told["chains"]:
        yield from (row for row in chain["layers"] if row["state"] == "failed")


def occurs(term: str, text: str) -> bool:
    """One of its words as a whole word, or, with a star, as the beginning of one."""
    return any(_occurs(word.strip(), text) for word in term.split("|"))


def _occurs(word: str, text: str) -> bool:
    end = "" if word.endswith("*") else r"(?![A-Za-z0-9])"
    return bool(
        re.search(rf"(?<![A-Za-z0-9]){re.escape(word.rstrip('*'))}{end}", text, re.IGNORECASE)
    )
