"""The documents of tests/vectors/azure-templates, each in a topology, and the right answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

VECTORS = Path(__file__).parents[1] / "vectors/azure-templates"


@dataclass(frozen=True)
class Template:
    """A shape that public templates give a gateway."""

    file: str
    source: str
    around: str
    over: str = ""
    """What alice connects over; empty: the document is refused."""
    says: tuple[str, ...] = ()
    """How each refusal begins."""

    def topology(self) -> str:
        """The text of a topology whose gateway has the document."""
        around: dict[str, Any] = yaml.safe_load((VECTORS / f"{self.around}.yaml").read_text())
        document = json.loads((VECTORS / f"{self.file}.json").read_text())
        gateway = {"vnet": "contoso", "properties": document["properties"]}
        step = {"connects": "alice", "over": self.over} if self.over else {"connects": "alice"}
        return json.dumps({**around, "gateways": {"contoso-gw": gateway}, "expect": [step]})


def templates() -> list[Template]:
    """All of them."""
    return [Template(**answer) for answer in yaml.safe_load((VECTORS / "answers.yaml").read_text())]
