"""The verdict on one topology, collected from the events of its lab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from lab.boot.enter import outside
from lab.errors import EXPECTATION_FAILED, HELD
from lab.report.systems import Dialled, cells, dials
from lab.runtime.protocol import Event, Failed, Stage, StepResult

if TYPE_CHECKING:
    from lab.topology.load import TopologyFile
    from lab.topology.reading.problems import Located


@dataclass
class Verdict:
    """The results of one lab, from the first stage to the last check."""

    name: str
    file: str
    expected: int = 0
    """The number of steps in `expect:`."""
    lines: Sequence[int] = ()
    """The line of each step in the file."""
    dials: Mapping[int, Dialled] = field(default_factory=dict)
    """The steps that dial one protocol."""
    warnings: Sequence[Located] = ()
    """Those of the topology."""
    results: list[StepResult] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    failure: Failed | None = None
    seconds: float = 0.0
    lab: dict[str, Any] = field(default_factory=dict)
    """The lab's status when it was built: engines with their datapaths, clients with their
    kernels, memory."""
    kept: bool = False
    """Whether the lab was left up."""
    machine: list[str] = field(default_factory=list)
    """Remarks about the machine; only if the lab did not hold."""
    logs: str | None = None
    """The directory of its logs."""

    @classmethod
    def of(cls, topology: TopologyFile, name: str) -> Self:
        """An empty verdict for a lab of that name."""
        expected = len(topology.topology.expect)
        return cls(
            name,
            outside(topology.path),
            expected,
            topology.lines,
            dials(topology.topology),
            topology.warnings,
        )

    def add(self, event: Event) -> None:
        """Add an event of the lab."""
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
        """The number of steps that held."""
        return sum(result.held for result in self.results)

    def place(self, result: StepResult) -> str:
        """The step's FILE:LINE, as compilers print it; only the file if the line is unknown."""
        known = result.index < len(self.lines)
        return f"{self.file}:{self.lines[result.index]}" if known else self.file

    def as_data(self) -> dict[str, Any]:
        """The document of `--json`: stages with seconds, results with evidence."""
        return {
            "topology": self.name,
            "file": self.file,
            "held": self.code == HELD,
            "exitCode": self.code,
            "seconds": round(self.seconds, 3),
            "warnings": [asdict(warning) for warning in self.warnings],
            "stages": [asdict(stage) for stage in self.stages],
            "results": [asdict(result) for result in self.in_order],
            "systems": cells(self.dials, self.in_order),
            "engines": self.lab.get("engines", []),
            "clients": self.lab.get("clients", []),
            "memory": self.lab.get("memory", {}),
            "machine": self.machine,
            "logs": self.logs,
            "failure": self.failure and asdict(self.failure),
        }

    @property
    def in_order(self) -> list[StepResult]:
        """The results in the order of the file; concurrent steps arrive as they end."""
        return sorted(self.results, key=lambda result: result.index)
