"""Every statement of the seed has a proof that is there, or is a gap that is written down."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from pydantic import ValidationError

from lab.cli.seed_coverage import STATEMENTS, Proof, Statement, statements
from lab.topology.load import load
from lab.topology.model.steps import text_of
from tests.seed.mutate import flaw_of

CHECKOUT = Path(__file__).parents[4]
ROWS = {number: row for rows in statements(CHECKOUT).values() for number, row in rows.items()}
PROOFS = {number: row.proof for number, row in ROWS.items() if row.proof}
COUNT = 173
"""Statements of the seed, by the first audit of it."""
GAPS = {
    "missing": set(),
    "not observable": {46, 58, 79, 125, 126},
}
"""Statements without a proof: all that are allowed. Whoever closes one removes it here."""
PROOF = {"shows": "a.py::test_a", "in": "a.py", "text": "1", "becomes": "2"}


@cache
def names(place: str) -> frozenset[str]:
    """Tests of a module, or steps of a topology."""
    path = CHECKOUT / place
    if path.suffix == ".yaml":
        return frozenset(text_of(step) for step in load(path).topology.expect)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def test_the_statements_are_all_there_once_and_in_order() -> None:
    text = (CHECKOUT / STATEMENTS).read_text(encoding="utf-8")
    assert list(map(int, re.findall(r"^    ([0-9]+):$", text, re.MULTILINE))) == list(ROWS)
    assert list(ROWS) == list(range(1, COUNT + 1))


@pytest.mark.parametrize("state", GAPS)
def test_a_statement_has_a_proof_or_is_an_allowed_gap(state: str) -> None:
    assert {number for number, row in ROWS.items() if row.state == state} == GAPS[state]


@pytest.mark.parametrize("number", PROOFS)
def test_a_proof_is_there_and_its_mutation_can_be_made(number: int) -> None:
    proof = PROOFS[number]
    name = proof.name if proof.place.endswith(".yaml") else proof.name.partition("[")[0]
    assert name in names(proof.place)
    assert flaw_of(CHECKOUT, proof) is None


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"missing": "all of it", "proof": PROOF},
        {"missing": "all of it", "unobservable": "by nobody"},
        {"proof": PROOF | {"text": None}},
        {"proof": PROOF, "proves": "more"},
    ],
)
def test_a_statement_has_one_state(state: dict[str, object]) -> None:
    assert Statement.model_validate({"says": "a", "proof": PROOF}).state == "shown"
    with pytest.raises(ValidationError):
        Statement.model_validate({"says": "a"} | state)


def test_a_proof_knows_its_place_and_its_mutation() -> None:
    one = Proof.model_validate(PROOF | {"shows": "topologies/a.yaml::a reaches b address fd00::1"})
    assert (one.place, one.name) == ("topologies/a.yaml", "a reaches b address fd00::1")
    assert one.mutation == Proof.model_validate(PROOF).mutation
