"""The JSON Schema of topology files, from the models."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from lab.topology.model import Topology


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12; unknown keys are refused, Azure's document included."""
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **Topology.model_json_schema(by_alias=True, mode="validation"),
    }
