"""Remarks about the machine that ran a lab, for verdicts and `status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lab.kernel import neighbour_table

NOTABLE = 0.5
"""Seconds of waiting worth a remark, if the program waited longer than it ran."""


def remarks(about: Mapping[str, Any]) -> Iterator[str]:
    """Remarks from a lab's status; none if the machine was not overloaded."""
    for program, turns in about.get("processor", {}).items():
        if turns["waited"] > max(NOTABLE, turns["ran"]):
            yield (
                f"the machine was busy: {program} waited {turns['waited']:.1f} s of "
                f"{about['age']:.1f} s for a processor, and ran {turns['ran']:.1f} s"
            )
    refused = neighbour_table.refused() - about.get("neighboursRefusedBefore", 0)
    if "neighboursRefusedBefore" in about and refused > 0:
        yield (
            f"the machine's neighbour table was full {refused} times meanwhile: neighbours without "
            "a static entry could not be reached (net.ipv4.neigh.default.gc_thresh3)"
        )
