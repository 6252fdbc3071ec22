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
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.nodes.base import Completed
    from lab.runtime.handle import Handle
    from lab.runtime.journal import Line
    from lab.runtime.protocol import Event, StepResult
    from lab.topology.load import TopologyFile

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
        from lab.topology.reading.problems import StepsError  # noqa: PLC0415 (as above)

        results: list[StepResult] = []

        def add(event: Event) -> None:
            if isinstance(event, StepResult):
                results.append(event)

        try:
            self.handle.run(steps, add)
        except StepsError as error:
            raise AssertionError("\n".join(error.lines)) from None
        failed = [result for result in results if not result.held]
        if failed:
            place = _calling_place()
            raise AssertionError("\n".join(_why(result, place) for result in failed))
        return results

    def check(self, *sentences: str) -> list[StepResult]:
        """Execute steps given as sentences, `bob reaches app1:80`; otherwise as `expect`."""
        from lab.errors import UsageError  # noqa: PLC0415 (as above)
        from lab.topology.reading.sentence import step_of  # noqa: PLC0415 (as above)

        try:
            steps = [step_of(sentence) for sentence in sentences]
        except UsageError as error:
            raise AssertionError(str(error)) from None
        return self.expect(*steps)

    def connect(self, client: str, over: str | None = None) -> StepResult:
        """Connect a client, as its user would."""
        return self.expect({"connects": client} | ({"over": over} if over else {}))[0]

    def hangup(self, client: str) -> StepResult:
        """End a client's tunnel, as its user would."""
        return self.expect({"hangUp": client})[0]

    def restart(self, client: str) -> StepResult:
        """Restart a client computer."""
        return self.expect({"restart": client})[0]

    def revoke(self, client: str) -> StepResult:
        """Revoke a client's certificate at its gateway."""
        return self.expect({"revoke": client})[0]

    def reinstate(self, client: str) -> StepResult:
        """Take a client's certificate off its gateway's list of revoked ones."""
        return self.expect({"reinstate": client})[0]

    def disconnect(self, client: str) -> StepResult:
        """End a client's sessions at its gateway, as the operator would."""
        return self.expect({"disconnect": client})[0]

    def update(self, gateway: str, properties: dict[str, Any]) -> StepResult:
        """Merge properties into a gateway's document (RFC 7396)."""
        return self.expect({"update": gateway, "properties": properties})[0]

    def logs(self, node: str | None = None, program: str | None = None) -> list[Line]:
        """What the programs have logged so far: time, node, program, text."""
        from lab.runtime.journal import Reader  # noqa: PLC0415 (as above)

        self.handle.settle()
        reader = Reader(self.handle.inside)
        try:
            return [
                line
                for line in reader.new()
                if node in (None, line.node) and program in (None, line.program)
            ]
        finally:
            reader.close()

    def profile(self, name: str) -> bytes:
        """The VPN client package (zip) of a gateway, or for a client."""
        return self.handle.package(name)

    def exec(self, node: str, argv: list[str], *, input: str = "", limit: float = 30) -> Completed:
        """Run a program in a node."""
        return self.handle.exec(node, argv, input=input, limit=limit)

    def operate(self, gateway: str, action: str, body: dict[str, Any] | None = None) -> Any:
        """An operator's request to a gateway: get, put, sessions, log, disconnect, profile."""
        return self.handle.operate(gateway, action, body)["value"]


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


def _why(result: StepResult, place: str) -> str:
    """As `verify` tells it; `place` is the test's own line, for there the step is expected."""
    from lab.report.told import told  # noqa: PLC0415 (not on every Python)

    detail, *rest = told(result.detail, result.evidence, result.explanation)
    return "\n  ".join([f"{place}: {result.text}: {detail}", *rest])


def _calling_place() -> str:
    """FILE:LINE of the innermost call that is not of this module."""
    from lab.boot.enter import outside  # noqa: PLC0415 (as above)

    calls = traceback.walk_stack(None)
    frame, line = next(call for call in calls if call[0].f_code.co_filename != __file__)
    return f"{outside(frame.f_code.co_filename)}:{line}"


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
