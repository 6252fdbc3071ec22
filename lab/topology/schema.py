"""The JSON Schema of topology files, from the models."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from lab.topology.model import Topology


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12; unknown keys are refused, Azure's document included."""
    rules = Topology.model_json_schema(by_alias=True, mode="validation")
    _close(rules)
    return {"$schema": GenerateJsonSchema.schema_dialect, **rules}


def _close(rule: Any) -> None:
    """A mapping from names has no keys but those that can be names; pydantic leaves that open."""
    if isinstance(rule, dict):
        if "patternProperties" in rule:
            rule["additionalProperties"] = False
        rule = list(rule.values())
    if isinstance(rule, list):
        for part in rule:
            _close(part)
