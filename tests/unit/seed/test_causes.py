"""The header of an injected cause, and what of it an explanation lacks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rigs.causes import FILES, Cause, cause_of, fewest
from tests.rigs.verified import CHECKOUT
from tests.seed.disabled import disabled
from tests.seed.mutate import flaw_of

CAUSE = Cause("mtu", ("1400", "too large|too big", "home*"), "drop", ("mtu.too_large",))


def told(cause: str, *proof: str, layer: str = "mtu") -> dict[str, Any]:
    row = {"layer": layer, "state": "failed", "cause": cause, "proof": proof}
    passed = {"layer": "route", "state": "passed", "seen": "1400 drop"}
    return {"layer": layer, "sentence": "", "chains": [{"layers": [passed, row]}]}


@pytest.mark.parametrize(
    ("explanation", "missing"),
    [
        (told("1400 bytes are too big for homes"), []),
        (told("1400 bytes are too big for homes", layer="nat"), ["layer mtu"]),
        (told("14000 bytes are too large, says home"), ["1400"]),
        (told("too large", "1400 at home"), ["1400", "home*"]),
    ],
)
def test_the_words_of_a_cause_are_not_looked_for_in_proofs(
    explanation: dict[str, Any], missing: list[str]
) -> None:
    assert CAUSE.missing(explanation) == missing


def test_a_proof_is_a_proof() -> None:
    assert CAUSE.unproved(told("", "home: drop")) == []
    assert CAUSE.unproved(told("drop", "dropped")) == ["proof drop"]


def test_the_fewest_have_every_function() -> None:
    chosen = fewest()
    assert len(chosen) < len(FILES)
    functions = [set(cause_of(file).by) for file in FILES]
    assert set().union(*(cause_of(file).by for file in chosen)) == set().union(*functions)


@pytest.mark.parametrize("file", FILES)
def test_every_cause_says_who_recognises_it(file: str) -> None:
    cause = cause_of(file)
    assert cause.by
    for function in cause.by:
        assert flaw_of(CHECKOUT, disabled(CHECKOUT, function, cause.layer)) is None
