"""Documents as somebody PUTs them: read, or refused in Azure's shape."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.common.errors import Detail, InvalidDocumentError

Model = TypeVar("Model", bound=BaseModel)


def from_json(body: bytes) -> Any:
    """JSON as values; InvalidDocumentError for what is none, too deep, or a number too long."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidDocumentError(f"not JSON: {error}") from None


def parse(model: type[Model], data: object) -> Model:
    """The document; InvalidDocumentError with everything that is wrong with its form."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = [
            Detail("InvalidRequestFormat", item["msg"], target(item["loc"]))
            for item in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidDocumentError("the document is not one of Azure's", details) from None


def target(path: tuple[str | int, ...]) -> str:
    """A path as Azure writes it: properties.a.b[0].c"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
