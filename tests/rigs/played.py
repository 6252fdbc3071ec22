"""Verdicts on topologies without a lab: results are made up, and some of them fail."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from lab.explain.model import Chain, Explanation, Finding, failure
from lab.report.verdict import Verdict
from lab.runtime.protocol import Stage, StepResult
from lab.topology.load import TopologyFile, load
from lab.topology.model.steps import Connects, Refused, text_of, verb_of

TOPOLOGIES = Path(__file__).parents[2] / "topologies"
BEGAN = 1_800_000_000.0


def explanation(words: str = "the firewall drops it") -> dict[str, Any]:
    """Of a step that failed at a firewall."""
    found = (
        Finding("name", "passed", "is 203.0.113.2", at="2027-01-15T08:00:00.000+00:00"),
        failure("firewall", words, "udp dport 500 drop", remedy="let out udp/500"),
        Finding("tls", "not reached"),
    )
    return Explanation("alice", f"alice: {words}", (Chain("IkeV2", found),)).as_data()


def played(
    topology: TopologyFile | str, failed: Collection[int] = (), words: str = "was seen"
) -> tuple[TopologyFile, Verdict]:
    """A topology (or the name of one of ours), and a verdict in which these steps failed."""
    file = load(TOPOLOGIES / f"{topology}.yaml") if isinstance(topology, str) else topology
    verdict = Verdict.of(file, file.topology.name)
    verdict.began, verdict.seconds = BEGAN, 12.5
    verdict.add(Stage(name="build the world", state="done", began=BEGAN, seconds=0.4, detail=words))
    for index, step in enumerate(file.topology.expect):
        evidence: dict[str, Any] = {}
        if isinstance(step, Connects):
            tunnel = {"protocol": step.over or "IkeV2", "address": f"172.16.201.{index}"}
            evidence = {"tunnel": tunnel, "the client's own lines": [words]}
        elif isinstance(step, Refused):
            evidence = {"the gateway's log": {"message": words, "reason": step.because}}
        held = index not in failed
        verdict.add(
            StepResult(
                index=index,
                verb=verb_of(step) or "",
                text=text_of(step),
                held=held,
                detail=words,
                seconds=0.25,
                began=BEGAN + 1 + index / 2,
                evidence=evidence,
                explanation=None if held else explanation(words),
            )
        )
    return file, verdict
