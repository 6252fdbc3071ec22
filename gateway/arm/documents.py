"""Documents that a client PUTs: parsed, or refused in Azure's error format."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.arm.canonical import canonical, text_of
from gateway.common.errors import Detail, InvalidDocumentError

Model = TypeVar("Model", bound=BaseModel)
_OBJECT = "must be an object, such as {...}"
_WORDS = {
    "extra_forbidden": "there is no such property",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
}
"""In place of pydantic's own words, which are about Python."""


def from_json(body: bytes) -> Any:
    """Parse JSON. InvalidDocumentError: not JSON, nested too deeply, or a number too long."""
    try:
        return json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InvalidDocumentError(f"not JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice")
    return result


def parse(model: type[Model], data: object, *, name: str = "") -> Model:
    """Validate a document as any of Azure's tools writes it (`gateway.arm.canonical`).

    `name` is that of the resource, which a PUT has in its URL: a document need not repeat it.
    InvalidDocumentError lists everything wrong with its format.
    """
    try:
        found = canonical(model, data)
    except RecursionError:
        raise InvalidDocumentError("the document is nested too deeply") from None
    details = [
        Detail("InvalidRequestFormat", f"{flaw.message}; {flaw.remedy}", text_of(flaw.path))
        for flaw in found.flaws
    ]
    told = {detail.target for detail in details}
    document = found.document
    if name and isinstance(document, dict):
        document = {"name": name} | document
    try:
        parsed = None if found.foreign else model.model_validate(document)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            place = text_of(found.place(item["loc"]))
            if place not in told:
                words = _WORDS.get(item["type"], item["msg"])
                details.append(Detail("InvalidRequestFormat", words, place))
    if details or parsed is None:
        raise InvalidDocumentError("the document is not one of Azure's", details)
    return parsed
