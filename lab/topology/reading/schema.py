"""The JSON Schema of topology files, from the models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from gateway.arm.fields import ROWS, Row
from gateway.arm.resource import NOT_YET
from lab.topology.model.topology import Topology
from lab.topology.reading.docstrings import description


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12; it refuses unknown keys, also in Azure's document."""
    rules = Topology.model_json_schema(by_alias=True, mode="validation")
    for model in _models(BaseModel):
        _describe(rules if model is Topology else rules["$defs"].get(model.__name__, {}), model)
    for arm, rows in ROWS.items():
        if known := rules["$defs"].get(arm.__name__):
            known["properties"] |= {name: _of_azure(row) for name, row in rows.items()}
    _close(rules)
    return {"$schema": GenerateJsonSchema.schema_dialect, **rules}


def _of_azure(row: Row) -> dict[str, Any]:
    """A field of Azure's document that the lab takes and does not carry out."""
    if row.feature is None:
        return {"description": "Read-only or of no effect: taken and left out."}
    nothing = [None, "", [], {}, *row.nothing]
    return {"description": f"{row.feature.name}: {NOT_YET}.", "enum": nothing}


def _models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The models of topology files."""
    for model in base.__subclasses__():
        if model.__module__.startswith("lab.topology."):
            yield model
        yield from _models(model)


def _describe(rule: dict[str, Any], model: type[BaseModel]) -> None:
    """Make a field's docstring its description."""
    for name, field in model.model_fields.items():
        known = rule.get("properties", {}).get(field.alias or name)
        text = description(model, name)
        if known is not None and text:
            in_order = dict(sorted([*known.items(), ("description", text)]))  # as pydantic has it
            known.clear()
            known.update(in_order)


def _close(rule: Any) -> None:
    """Refuse keys that are not names in mappings from names; pydantic allows them."""
    if isinstance(rule, dict):
        if "patternProperties" in rule:
            rule["additionalProperties"] = False
        rule = list(rule.values())
    if isinstance(rule, list):
        for part in rule:
            _close(part)
