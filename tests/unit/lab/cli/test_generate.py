from __future__ import annotations

from pathlib import Path

import pytest

from lab.boot.verbs import OF_THE_LAUNCHER, VERBS
from lab.cli.generate import generated

CHECKOUT = Path(__file__).parents[4]


@pytest.mark.parametrize("name", generated(CHECKOUT))
def test_a_file_made_from_the_code_is_as_the_code_is(name: str) -> None:
    present = (CHECKOUT / name).read_text(encoding="utf-8")
    assert present == generated(CHECKOUT)[name], "write it anew: ./p2slab test --generate"


def test_every_verb_is_carried_out_by_somebody() -> None:
    modules = {path.stem for path in (CHECKOUT / "lab" / "cli").glob("[a-z]*.py")}
    assert set(VERBS) <= modules | {*OF_THE_LAUNCHER}
