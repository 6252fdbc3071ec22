"""tests/slow/explained.py has an answer for everybody whom a topology of the project refuses."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from lab.explain.model import Layer
from lab.topology.load import load
from tests.slow import answers
from tests.slow.answers import REASONS, ROWS, wanted

FILES = sorted((Path(__file__).parents[2] / "topologies").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_topology_has_its_rows(path: Path) -> None:
    assert all(layer in get_args(Layer) and word for _, (layer, word) in wanted(load(path)))


def test_every_row_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked(dict[object, object]):
        def __getitem__(self, key: object) -> object:
            unused.discard(key)
            return super().__getitem__(key)

    unused: set[object] = {*REASONS, *ROWS}
    monkeypatch.setattr(answers, "REASONS", Asked(REASONS))
    monkeypatch.setattr(answers, "ROWS", Asked(ROWS))
    asked = [text for path in FILES for text, _ in wanted(load(path))]
    assert asked
    assert not unused
