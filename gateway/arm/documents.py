"""Documents that a client PUTs: parsed, or refused in Azure's error format."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.common.errors import Detail, InvalidDocumentError

Model = TypeVar("Model", bound=BaseModel)


def from_json(body: bytes) -> Any:
    """Parse JSON. InvalidDocumentError: not JSON, nested too deeply, or a number too long."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidDocumentError(f"not JSON: {error}") from None


def parse(model: type[Model], data: object) -> Model:
    """Validate a document. InvalidDocumentError lists everything wrong with its format."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = [
            Detail("InvalidRequestFormat", item["msg"], target(item["loc"]))
            for item in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidDocumentError("the document is not one of Azure's", details) from None


def target(path: tuple[str | int, ...]) -> str:
    """A path in Azure's notation: properties.a.b[0].c"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
