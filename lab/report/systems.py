"""The dials of a verdict as a grid: client system by protocol and authentication."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.topology.model.steps import Connects, Refused
from lab.topology.planning.needs import may_authenticate

if TYPE_CHECKING:
    from lab.runtime.protocol import StepResult
    from lab.topology.model.topology import Topology

FROM = 5
"""Systems from which a verdict on a terminal has the grid: with fewer, the rows say enough."""
WORDS = {"IkeV2": "IKEv2"}
CONNECTED = "yes"


@dataclass(frozen=True)
class Dialled:
    """A step that dials one protocol."""

    system: str
    """The client's operating system when the lab begins, with what it lacks."""
    protocol: str
    authentication: str
    """ARM's word: Certificate or Radius."""
    expected: str
    """CONNECTED, or why it is refused."""


def dials(topology: Topology) -> dict[int, Dialled]:
    """Index of a step to what it dials; without `over` it may be any protocol."""
    found = {}
    for index, step in enumerate(topology.expect):
        if not isinstance(step, Connects | Refused) or step.over is None:
            continue
        name = step.connects if isinstance(step, Connects) else step.refused
        client = topology.clients[name]
        radius = may_authenticate(topology, topology.gateway_of(client), "Radius")
        expected = CONNECTED if isinstance(step, Connects) else step.because or "refused"
        authentication = "Radius" if radius else "Certificate"
        found[index] = Dialled(client.system.label, step.over, authentication, expected)
    return found


def cells(dialled: Mapping[int, Dialled], results: Iterable[StepResult]) -> list[dict[str, Any]]:
    """The grid as data: what came of each dial, in the order of the steps."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        one = dialled.get(result.index)
        if one:
            place = (one.system, one.protocol, one.authentication)
            outcome = one.expected if result.held else "NOT HELD"
            found.setdefault(place, []).append(outcome)
    return [
        {"system": system, "protocol": protocol, "authentication": how, "outcomes": outcomes}
        for (system, protocol, how), outcomes in found.items()
    ]


def grid(data: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The rows of the grid as text; none for a few systems."""
    systems = list(dict.fromkeys(cell["system"] for cell in data))
    if len(systems) < FROM:
        return
    columns = sorted({(cell["authentication"], cell["protocol"]) for cell in data})
    at = {
        (cell["system"], (cell["authentication"], cell["protocol"])): ", ".join(cell["outcomes"])
        for cell in data
    }
    table = [
        ["", *(how for how, _ in columns)],
        ["", *(WORDS.get(protocol, protocol) for _, protocol in columns)],
        *([system, *(at.get((system, column), "-") for column in columns)] for system in systems),
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        padded = (word.ljust(width) for word, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()
