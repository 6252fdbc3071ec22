"""No cause is named without the function that recognises it: p2slab test tests/slow/unexplained.py

Builds the lab of each file of tests/causes in a copy of the checkout, once for each function of its
`by:`, in which that function finds nothing, and looks whether its explanation still has the layer
and the words of the cause. Half an hour on two processors (-n 2); -k NAME chooses causes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.causes import EXPECTATION_FAILED, FILES, FOLDER, cause_of
from tests.rigs.verified import CHECKOUT
from tests.seed.disabled import disabled
from tests.seed.mutate import applied, copy_of, flaw_of, p2slab

CASES = [(file, function) for file in FILES for function in cause_of(file).by]


@pytest.fixture(scope="session")
def checkout() -> Iterator[Path]:
    with copy_of(CHECKOUT) as place:
        yield place


@pytest.mark.parametrize(("file", "function"), CASES)
def test_a_cause_is_not_named_without_its_function(
    checkout: Path, file: str, function: str
) -> None:
    cause = cause_of(file)
    mutation = disabled(checkout, function, cause.layer)
    assert flaw_of(checkout, mutation) is None
    with applied(checkout, mutation):
        done = p2slab(checkout, "verify", "--json", f"{FOLDER}/{file}")
    assert done.returncode == EXPECTATION_FAILED, done.stderr
    *others, last = json.loads(done.stdout)[0]["results"]
    assert all(row["held"] for row in others), [row for row in others if not row["held"]]
    told = last["explanation"]
    assert not told["sentence"].startswith("no explanation"), told["sentence"]
    missing = cause.missing(told)
    print(f"{file} without {function}: no {'; '.join(missing)}")
    assert missing, told["sentence"]
