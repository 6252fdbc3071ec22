"""An explanation names the cause: each file of tests/causes has one thing wrong, and its header
says the layer, the words of the cause, and those of the proof."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.rigs.verified import CHECKOUT, verified

FILES = sorted(path.name for path in (CHECKOUT / "tests/causes").glob("*.yaml"))
EXPECTATION_FAILED = 1


@pytest.mark.parametrize("name", FILES)
def test_the_cause_is_named_with_its_proof(name: str) -> None:
    wanted = dict(re.findall(r"^# (layer|cause|proof): *(.*)$", text_of(name), re.MULTILINE))
    code, told = verified(f"tests/causes/{name}")
    assert code == EXPECTATION_FAILED, told["failure"]
    *others, last = told["results"]
    assert all(row["held"] for row in others), [row for row in others if not row["held"]]
    explanation = last["explanation"]
    words = "\n".join([explanation["sentence"], *failed(explanation)])
    missing = [
        term
        for term in (*wanted["cause"].split(";"), wanted["proof"])
        if not any(occurs(word.strip(), words) for word in term.split("|"))
    ]
    assert (explanation["layer"], missing) == (wanted["layer"], []), words


def test_there_are_files() -> None:
    assert len(FILES) >= 50


def text_of(name: str) -> str:
    return (CHECKOUT / "tests/causes" / name).read_text(encoding="utf-8")


def failed(explanation: dict[str, Any]) -> Iterator[str]:
    """Causes and proofs of the layers that failed."""
    for chain in explanation["chains"]:
        for row in chain["layers"]:
            if row["state"] == "failed":
                yield from (row["cause"], *row["proof"])


def occurs(word: str, text: str) -> bool:
    """As a whole word, or, with a star, as the beginning of one."""
    end = "" if word.endswith("*") else r"(?![A-Za-z0-9])"
    return bool(
        re.search(rf"(?<![A-Za-z0-9]){re.escape(word.rstrip('*'))}{end}", text, re.IGNORECASE)
    )
