"""What the machine did to a lab, in sentences: of a lab's status, for verdicts and `status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lab.kernel import neighbour_table

NOTABLE = 0.5
"""Seconds of waiting that are told of, if they are more than the program ran."""


def remarks(about: Mapping[str, Any]) -> Iterator[str]:
    """Nothing for a machine that had time and room for it."""
    for program, turns in about.get("processor", {}).items():
        if turns["waited"] > max(NOTABLE, turns["ran"]):
            yield (
                f"the machine was busy: {program} waited {turns['waited']:.1f} s of "
                f"{about['age']:.1f} s for a processor, and ran {turns['ran']:.1f} s"
            )
    refused = neighbour_table.refused() - about.get("neighboursRefusedBefore", 0)
    if "neighboursRefusedBefore" in about and refused > 0:
        yield (
            f"the machine's table of neighbours was full {refused} times meanwhile: whom a lab "
            "does not know by heart could not be reached (net.ipv4.neigh.default.gc_thresh3)"
        )
