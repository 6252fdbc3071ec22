"""The verdict on one topology, collected from the events of its lab."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from lab.boot.enter import outside
from lab.errors import EXPECTATION_FAILED, HELD
from lab.explain.model import stamp
from lab.report.secrets import Secrets
from lab.report.systems import Dialled, cells, dials
from lab.runtime.protocol import Event, Failed, Stage, StepResult
from lab.topology.model.steps import text_of

if TYPE_CHECKING:
    from lab.topology.load import TopologyFile
    from lab.topology.reading.problems import Located

FORMAT = 1
"""The version of the document; another one has keys less, or of another meaning."""


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
    story: str = ""
    steps: Sequence[str] = ()
    """The text of each step."""
    secrets: Secrets = field(default_factory=Secrets, repr=False)
    """They are removed from what is added."""
    began: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    results: list[StepResult] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    failure: Failed | None = None
    seconds: float = 0.0
    lab: dict[str, Any] = field(default_factory=dict)
    """The lab's status when it was built: engines with their datapaths, scales, clients with their
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
        steps = topology.topology.expect
        return cls(
            name,
            outside(topology.path),
            len(steps),
            topology.lines,
            dials(topology.topology),
            topology.warnings,
            topology.topology.story,
            [text_of(step) for step in steps],
            Secrets(topology.topology),
        )

    def add(self, event: Event) -> None:
        """Add an event of the lab."""
        hidden = self.secrets.hidden
        if isinstance(event, StepResult):
            said = {key: hidden(getattr(event, key)) for key in ("detail", "evidence")}
            explanation = hidden(event.explanation)
            self.results.append(replace(event, **said, explanation=explanation))
        elif isinstance(event, Stage) and event.state != "started":
            self.stages.append(replace(event, detail=hidden(event.detail)))
        elif isinstance(event, Failed):
            self.failure = replace(event, message=hidden(event.message))

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
        """The document of `--json` and of a report: stages with seconds, results with evidence."""
        return {
            "version": FORMAT,
            "topology": self.name,
            "file": self.file,
            "story": self.story,
            "held": self.code == HELD,
            "exitCode": self.code,
            "began": stamp(self.began),
            "seconds": round(self.seconds, 3),
            "warnings": [asdict(warning) for warning in self.warnings],
            "stages": [asdict(stage) for stage in self.stages],
            "steps": [
                {"line": line, "text": text}
                for line, text in zip(self.lines, self.steps, strict=False)
            ],
            "results": [
                {"place": self.place(result), **asdict(result)} for result in self.in_order
            ],
            "systems": cells(self.dials, self.in_order),
            "engines": self.lab.get("engines", []),
            "benchmarks": self.lab.get("benchmarks", []),
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


def as_json(documents: Sequence[Mapping[str, Any]]) -> str:
    """The documents of verdicts (Verdict.as_data), as `--json` and a report have them."""
    return json.dumps(documents, indent=2)
