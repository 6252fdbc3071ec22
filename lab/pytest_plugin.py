"""The pytest fixture `lab`, which brings up a topology for a test.

    @pytest.mark.topology("topologies/quickstart.yaml")
    def test_alice_sees_the_app(lab):
        lab.expect({"connects": "alice", "over": "IkeV2"})
        assert "hello" in lab.exec("alice", ["curl", "-s", "http://app1.contoso.internal/"]).stdout

The file name is relative to the test's directory, or to the one where pytest was started. A lab
lives as long as its test, and dies with pytest, however pytest ends.

If p2slab is installed, every pytest on the machine loads this module, with its own Python and
without the packages of the private root: those are imported only for a lab.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.nodes.base import Completed
    from lab.runtime.handle import Handle
    from lab.runtime.protocol import Event, StepResult
    from lab.topology.load import TopologyFile
    from lab.topology.model.steps import Step

__tracebackhide__ = True  # pytest shows a failure at the test's own line
_LONGEST = 70
"""Characters of a topology's name in that of its lab, which has at most 84."""
_UNSET = '.*"asyncio_default_fixture_loop_scope" is unset'
"""A warning of pytest-asyncio, which users of this plugin do not necessarily use."""


class RunningLab:
    """A lab for a test: steps of `expect:`, programs in nodes, the gateways' operator."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    def expect(self, *steps: dict[str, Any]) -> list[StepResult]:
        """Execute checks and actions; AssertionError with the details of those that failed."""
        from lab.runtime.protocol import StepResult  # noqa: PLC0415 (not on every Python)

        results: list[StepResult] = []

        def add(event: Event) -> None:
            if isinstance(event, StepResult):
                results.append(event)

        self.handle.run(_parsed(steps), add)
        failed = [f"{result.text}: {result.detail}" for result in results if not result.held]
        if failed:
            raise AssertionError("\n".join(failed))
        return results

    def exec(self, node: str, argv: list[str], *, input: str = "", limit: float = 30) -> Completed:
        """Run a program in a node."""
        return self.handle.exec(node, argv, input=input, limit=limit)

    def operate(self, gateway: str, action: str, body: dict[str, Any] | None = None) -> Any:
        """An operator's request to a gateway: get, put, sessions, log, disconnect, profile."""
        return self.handle.operate(gateway, action, body)["value"]


def _parsed(steps: tuple[dict[str, Any], ...]) -> list[Step]:
    """Parse steps; AssertionError with their problems."""
    from pydantic import ValidationError  # noqa: PLC0415 (as above)

    from lab.topology.model.steps import Steps  # noqa: PLC0415 (as above)
    from lab.topology.reading.error_text import problem_of  # noqa: PLC0415 (as above)

    try:
        return Steps.validate_python(steps)
    except ValidationError as error:
        document = {"expect": list(steps)}
        errors = [{**one, "loc": ("expect", *one["loc"])} for one in error.errors()]
        problems = [problem_of(one, document) for one in errors]  # type: ignore[arg-type]
    lines = [
        f"step {int(problem.path[1]) + 1}: {problem.message}; {problem.remedy}".strip("; ")
        for problem in problems
    ]
    raise AssertionError("\n".join(lines))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the mark `topology`."""
    config.addinivalue_line("markers", "topology(file): the topology that the `lab` fixture builds")
    warnings.filterwarnings("ignore", message=_UNSET)


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[RunningLab]:
    """The built lab of the test's topology mark; its name is unique, so that many can run."""
    if "P2SLAB_SOURCE" not in os.environ:  # set by the launcher (lab.boot.enter.environment)
        _fail(f"labs are built in p2slab's private root: p2slab test {request.path}")
    from lab.report.session import start_lab  # noqa: PLC0415 (as above)

    handle, failure = None, ""
    try:
        try:
            file = _marked_topology(request)
            handle = start_lab(file, f"{file.topology.name[:_LONGEST]}-test-{os.getpid()}")
            _build(handle, file)
        except LabError as error:
            failure = str(error)
        if handle is None or failure:
            _fail(failure)
        yield RunningLab(handle)
    finally:
        if handle is not None:
            handle.down()


def _marked_topology(request: pytest.FixtureRequest) -> TopologyFile:
    """The topology of the test's mark."""
    from lab.topology.load import load  # noqa: PLC0415 (as above)

    mark = request.node.get_closest_marker("topology")
    if mark is None or not mark.args:
        _fail('the test has no topology: mark it with @pytest.mark.topology("FILE")')
    places = [request.path.parent / mark.args[0], Path(mark.args[0])]
    return load(next((place for place in places if place.exists()), places[0]))


def _build(handle: Handle, file: TopologyFile) -> None:
    """Wait until the lab is ready; LabError if it cannot be built."""
    from lab.boot.enter import outside  # noqa: PLC0415 (as above)
    from lab.failure import exception_of  # noqa: PLC0415 (as above)
    from lab.report.session import build  # noqa: PLC0415 (as above)
    from lab.report.verdict import Verdict  # noqa: PLC0415 (as above)

    verdict = Verdict(handle.name, outside(file.path))
    if not build(handle, verdict, lambda _: None):
        assert verdict.failure
        failure = verdict.failure
        raise exception_of(
            {"message": failure.message, "remedy": failure.remedy, "code": failure.code}
        )


def _fail(message: str) -> NoReturn:
    """Fail the test with this message, without a traceback of our code."""
    pytest.fail(message, pytrace=False)
