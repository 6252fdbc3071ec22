"""A step that did not hold, told in lines: for terminals, JUnit and pytest alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lab.explain.model import lines

QUOTED_LINES = 3
"""Lines of a program's log that are quoted."""


def told(
    detail: str, evidence: Mapping[str, Any], explanation: Mapping[str, Any] | None
) -> Iterator[str]:
    """What was seen, what the programs said, and why, in parts of a StepResult; nothing twice."""
    yield detail
    words = list(quoted(evidence, detail))
    yield from words
    if explanation:
        yield from lines(_without(explanation, [detail, *words, explanation["sentence"]]))


def benchmark(row: Mapping[str, Any]) -> str:
    """At which scale a gateway's throughput is shown, by a row of the lab's status."""
    full = row["mbps"] / row["scale"]
    return (
        f"{row['gateway']}: {row['mbps']:g} Mbit/s of throughput, {row['scale']:g} of its SKU's "
        f"{full:.0f}"
    )


def _without(explanation: Mapping[str, Any], said: list[str]) -> dict[str, Any]:
    """The explanation without causes and proofs that were said."""

    def new(text: str) -> bool:
        fresh = not any(text in each for each in said)
        said.append(text)
        return fresh

    def layer(row: Mapping[str, Any]) -> dict[str, Any]:
        said.append(row.get("seen", ""))
        cause = row.get("cause", "")
        kept = {
            "cause": cause if new(cause) else "",
            "proof": list(filter(new, row.get("proof", ()))),
        }
        return {**row, **kept}

    chains = [
        {**chain, "layers": [layer(row) for row in chain["layers"]]}
        for chain in explanation["chains"]
    ]
    return {**explanation, "chains": chains}


def quoted(evidence: Mapping[str, Any], detail: str) -> Iterator[str]:
    """Messages in the evidence that are not already in the detail."""
    for name, value in evidence.items():
        if isinstance(value, Mapping):
            text = str(value.get("message", ""))
        elif isinstance(value, list):
            text = "; ".join(map(str, value[-QUOTED_LINES:]))
        else:
            text = str(value)
        if text and text not in detail:
            yield f"{name}: {text}"
