"""Rules over a document of which parts are unknown, because they are wrong themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.arm.resource import VirtualNetworkGateway
    from gateway.arm.rules.case import Case, Path, Violation


def told_whatever_it_is(
    rule: Callable[[Case], Iterator[Violation]], case: Case, unknown: frozenset[Path]
) -> list[Violation]:
    """What a rule finds without having looked at any of the unknown parts.

    Their paths start at `properties`. What a rule has looked at is watched, not told by it.
    """
    read: set[Path] = set()
    watched = cast("VirtualNetworkGateway", _Watched(case.gateway, (), read))
    found = list(rule(replace(case, gateway=watched)))
    parts = {("properties", *path) for path in unknown}
    return [] if any(meet(one, part) for one in read for part in parts) else found


def meet(one: Path, other: Path) -> bool:
    """Whether one path is the other, or leads to it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


class _Watched:
    """Stands for a model: whose fields are read is noted, down to what is no model itself."""

    def __init__(self, model: BaseModel, path: Path, read: set[Path]) -> None:
        self._model, self._path, self._read = model, path, read

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._model, name)
        if isinstance(value, BaseModel):
            return _Watched(value, (*self._path, name), self._read)
        known = name in type(self._model).model_fields  # else it is made of any of them
        self._read.add((*self._path, name) if known else self._path)
        return value
