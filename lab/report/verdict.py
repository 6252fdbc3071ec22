"""The verdict on one topology, gathered from the events of its lab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from lab.boot.enter import outside
from lab.errors import EXPECTATION_FAILED, HELD
from lab.runtime.protocol import Event, Failed, Stage, StepResult

if TYPE_CHECKING:
    from lab.topology.load import TopologyFile


@dataclass
class Verdict:
    """What happened, from the first stage to the last check."""

    name: str
    file: str
    expected: int = 0
    """How many steps `expect:` has."""
    lines: Sequence[int] = ()
    """The line of each in the file."""
    results: list[StepResult] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    failure: Failed | None = None
    seconds: float = 0.0
    lab: dict[str, Any] = field(default_factory=dict)
    """The lab's status when it was built: engines with their datapaths, clients with their
    kernels, memory."""
    kept: bool = False
    """Whether it was left up for a look."""
    machine: list[str] = field(default_factory=list)
    """What the machine did to it, in sentences; only of what did not hold."""
    logs: str | None = None
    """Where its logs are, if they were kept."""

    @classmethod
    def of(cls, topology: TopologyFile, name: str) -> Self:
        """Of the lab of that name, before anything has happened."""
        expected = len(topology.topology.expect)
        return cls(name, outside(topology.path), expected, topology.lines)

    def add(self, event: Event) -> None:
        """Take in one event of the lab."""
        if isinstance(event, StepResult):
            self.results.append(event)
        elif isinstance(event, Stage) and event.state != "started":
            self.stages.append(event)
        elif isinstance(event, Failed):
            self.failure = event

    @property
    def code(self) -> int:
        """The exit code: that of the failure, else 1 if an expectation failed, else 0."""
        if self.failure is not None:
            return self.failure.code
        return HELD if all(result.held for result in self.results) else EXPECTATION_FAILED

    @property
    def held(self) -> int:
        """How many steps held."""
        return sum(result.held for result in self.results)

    def place(self, result: StepResult) -> str:
        """The step's FILE:LINE, as compilers have it; the file's name alone if it is not known."""
        known = result.index < len(self.lines)
        return f"{self.file}:{self.lines[result.index]}" if known else self.file

    def as_data(self) -> dict[str, Any]:
        """For `--json`: seconds of each stage, every result with what was measured and quoted."""
        return {
            "topology": self.name,
            "file": self.file,
            "held": self.code == HELD,
            "exitCode": self.code,
            "seconds": round(self.seconds, 3),
            "stages": [asdict(stage) for stage in self.stages],
            "results": [asdict(result) for result in self.in_order],
            "engines": self.lab.get("engines", []),
            "clients": self.lab.get("clients", []),
            "memory": self.lab.get("memory", {}),
            "machine": self.machine,
            "logs": self.logs,
            "failure": self.failure and asdict(self.failure),
        }

    @property
    def in_order(self) -> list[StepResult]:
        """The results in the order of the file (side by side, they arrive as they end)."""
        return sorted(self.results, key=lambda result: result.index)
