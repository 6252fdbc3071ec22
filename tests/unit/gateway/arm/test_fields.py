"""Every field of Azure's documents is known here: measured against Azure's SDK for Python."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
from azure.mgmt.network import models as azure
from pydantic import BaseModel

from gateway.arm.canonical import _bare
from gateway.arm.connections import Connection, LocalNetworkGateway
from gateway.arm.fields import READ_ONLY, ROWS, VALUES, Row
from gateway.arm.flaw import fold
from gateway.arm.model import ArmModel
from gateway.arm.resource import SubResource, VirtualNetworkGateway

DOCUMENTS: dict[str, type[BaseModel]] = {
    "VirtualNetworkGateway": VirtualNetworkGateway,
    "VirtualNetworkGatewayConnection": Connection,
    "LocalNetworkGateway": LocalNetworkGateway,
}


def fields(kind: Any) -> dict[str, tuple[str, bool, list[Any]]]:
    """By ARM's name: the SDK's name, whether it is read-only, and the types that it refers to."""
    kind()  # the SDK's fields are made with the first object
    hints: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        hints |= inspect.get_annotations(base)
    return {
        one._rest_name: (
            name,
            one._visibility == ["read"],
            [getattr(azure, word) for word in re.findall(r"_models\.(\w+)", str(hints[name]))],
        )
        for name, one in kind._attr_to_rest_field.items()
    }


def structures(kinds: list[Any]) -> list[Any]:
    return [kind for kind in kinds if not issubclass(kind, enum.Enum)]


def carried(kind: Any, model: type[BaseModel], path: str) -> Iterator[str]:
    """What is wrong with a model."""
    rows = ROWS.get(model, {})
    for name, (attribute, read_only, kinds) in fields(kind).items():
        place = f"{path}.{name}"
        if fold(attribute) != fold(name):
            yield f"{place}: the SDK's {attribute} is not recognised"
        if name not in model.model_fields and name not in rows:
            yield f"{place}: unknown"
        elif name in rows:
            yield from left_out(rows[name], kinds, place, read_only=read_only)
        else:
            if read_only and name != "name":
                yield f"{place}: read-only"
            yield from values(model, name, kinds, place)
            inner = _bare(model.model_fields[name].annotation)
            inner = _bare(get_args(inner)[0]) if get_origin(inner) is tuple else inner
            if isinstance(inner, type) and issubclass(inner, ArmModel) and inner is not SubResource:
                for part in structures(kinds):
                    yield from carried(part, inner, place)


def left_out(row: Row, kinds: list[Any], path: str, *, read_only: bool) -> Iterator[str]:
    if read_only and row != READ_ONLY:
        yield f"{path}: read-only"
    for part in structures(kinds) if row.inside is not None else ():
        for name, (_, _, inner) in fields(part).items():
            if name not in (row.inside or {}):
                yield f"{path}.{name}: unknown"
            else:
                yield from left_out(row.inside[name], inner, f"{path}.{name}", read_only=False)


def values(model: type[BaseModel], name: str, kinds: list[Any], path: str) -> Iterator[str]:
    """Each enumerated value is one of the model's, or asks for a feature."""
    inner = _bare(model.model_fields[name].annotation)
    inner = _bare(get_args(inner)[0]) if get_origin(inner) is tuple else inner
    known = {*get_args(inner), *VALUES.get((model, name), {})}
    for one in kinds if get_origin(inner) is Literal else ():
        yield from (f"{path}: {value.value}" for value in one if value.value not in known)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_field_is_carried_out_or_left_out_or_refused(name: str) -> None:
    assert list(carried(getattr(azure, name), DOCUMENTS[name], name)) == []


def test_no_row_stands_beside_a_field_of_the_model() -> None:
    assert [(model.__name__, name) for model, rows in ROWS.items() for name in rows
            if name in model.model_fields] == []  # fmt: skip


def test_names_differ_in_more_than_case() -> None:
    for model, rows in ROWS.items():
        names = [fold(name) for name in (*model.model_fields, *rows)]
        assert len(names) == len(set(names)), model
