"""Whoever a topology of the project refuses is explained right: p2slab test tests/slow/explained.py

Builds each topology, carries out its steps, and after each that somebody is refused by, or does not
reach something, asks `explain`. Half an hour on two processors; -k NAME chooses topologies, and -s
shows the explanations with the seconds that they took.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.explain.model import lines
from lab.report.session import build, start_lab
from lab.report.verdict import Verdict
from lab.runtime.handle import Handle
from lab.runtime.protocol import StepResult
from lab.topology.load import TopologyFile, load
from lab.topology.model.steps import Approve, CannotResolve, Deny, Refused, Step
from tests.slow.answers import ASKED, Answer, wanted

CHECKOUT = Path(__file__).parents[2]
FILES = sorted((CHECKOUT / "topologies").glob("*.yaml"))


def groups(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Up to each that is asked about, which is the last, with the user's answers beside it."""
    group: list[Step] = []
    for step in steps:
        asked = bool(group) and isinstance(group[-1], ASKED)
        if asked and isinstance(step, Approve | Deny):
            group.insert(-1, step)
            continue
        if asked:
            yield group
            group = []
        group.append(step)
    if group:
        yield group


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[tuple[Handle, TopologyFile]]:
    file = load(request.param)
    handle = start_lab(file, f"explained-{uuid.uuid4().hex[:8]}")
    try:
        assert build(handle, Verdict(handle.name, str(file.path)), lambda _: None)
        yield handle, file
    finally:
        handle.down()


def explained(handle: Handle, step: Step) -> dict[str, Any]:
    if isinstance(step, Refused):
        return handle.explain(step.refused)
    if isinstance(step, CannotResolve):
        return handle.explain(step.cannotResolve, step.name)
    port = f":{step.protocol}/{step.port}" if step.port else ""
    return handle.explain(step.cannotReach, f"{step.host or step.address}{port}")


@pytest.mark.parametrize("lab", FILES, indirect=True, ids=[path.stem for path in FILES])
def test_who_is_refused_is_explained(lab: tuple[Handle, TopologyFile]) -> None:
    handle, file = lab
    wrong, answers = [], wanted(file)
    for group in groups(file.topology.expect):
        results: list[StepResult] = []
        handle.run(group, lambda event, to=results: to.append(event))  # type: ignore[misc]
        wrong += [f"did not hold: {one.text}: {one.detail}" for one in results
                  if isinstance(one, StepResult) and not one.held]  # fmt: skip
        if isinstance(group[-1], ASKED):
            began = time.monotonic()
            found = explained(handle, group[-1])
            text, answer = next(answers)
            told = [f"{text} ({time.monotonic() - began:.1f} s)", *lines(found)]
            print(*told, sep="\n", end="\n\n", flush=True)
            if flaws := [*flaws_of(found, answer)]:
                wrong.append("\n".join([*flaws, *told]))
    assert not wrong, "\n".join(wrong)


def flaws_of(found: dict[str, Any], answer: Answer) -> Iterator[str]:
    layer, word = answer
    if found.get("layer") != layer:
        yield f"the layer is {found.get('layer')}, not {layer}"
    if word not in found["sentence"]:
        yield f"the sentence has no {word!r}"
    for row in (row for chain in found["chains"] for row in chain["layers"]):
        missing = [key for key in ("cause", "proof", "remedy") if not row.get(key)]
        if row["state"] == "failed" and missing:
            yield f"{row['layer']} has no {' and no '.join(missing)}"
