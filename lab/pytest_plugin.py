"""The `lab` fixture: a topology brought up for a test, for our tests and for users' own.

    @pytest.mark.topology("topologies/quickstart.yaml")
    def test_alice_sees_the_app(lab):
        lab.expect({"connects": "alice", "over": "IkeV2"})
        assert "hello" in lab.exec("alice", ["curl", "-s", "http://app1.contoso.internal/"]).stdout

A lab lives as long as its test; it dies with pytest, however pytest ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.nodes.base import Completed
from lab.report.session import build, start_lab
from lab.report.verdict import Verdict
from lab.runtime.handle import Handle
from lab.runtime.protocol import Event, StepResult
from lab.topology.load import load
from lab.topology.steps import Steps


class RunningLab:
    """What a test may do with a lab: the words of `expect:`, programs in nodes, the operator."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    def expect(self, *steps: dict[str, Any]) -> list[StepResult]:
        """Carry out checks and actions; the test fails with the details of what did not hold."""
        results: list[StepResult] = []

        def take(event: Event) -> None:
            if isinstance(event, StepResult):
                results.append(event)

        self.handle.run(Steps.validate_python(steps), take)
        failed = [f"{result.text}: {result.detail}" for result in results if not result.held]
        assert not failed, "\n".join(failed)
        return results

    def exec(self, node: str, argv: list[str], *, input: str = "", limit: float = 30) -> Completed:
        """Run a program in a node."""
        return self.handle.exec(node, argv, input=input, limit=limit)

    def operate(self, gateway: str, action: str, body: dict[str, Any] | None = None) -> Any:
        """What the gateway's operator does: get, put, sessions, log, disconnect, profile."""
        return self.handle.operate(gateway, action, body)["value"]


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "topology(file): the topology that the `lab` fixture builds")


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[RunningLab]:
    """The lab of the test's topology mark, built; its name is the test's, so that many can run."""
    mark = request.node.get_closest_marker("topology")
    assert mark, "mark the test with @pytest.mark.topology(FILE)"
    file = load(Path(mark.args[0]))
    handle = start_lab(file, f"{file.topology.name}-test-{os.getpid()}")
    try:
        verdict = Verdict(handle.name, str(file.path))
        built = build(handle, verdict, lambda _: None)
        assert built, f"not built: {verdict.failure}"
        yield RunningLab(handle)
    finally:
        handle.down()
