"""State machines by table: which event leads from which phase to which."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class Symbol(Enum):
    """A member of a table's keys, hashed by identity: Enum hashes the name, in Python, at each
    look-up."""

    __hash__ = object.__hash__


P = TypeVar("P", bound=Enum)
E = TypeVar("E", bound=Enum)


class IllegalEvent(Exception):  # noqa: N818 - it names what happened, as the tables do
    """An event that the table does not allow in this phase."""


def after(transitions: Mapping[tuple[P, E], P], phase: P, event: E) -> P:
    """The phase that an event leads to. IllegalEvent: the table has none."""
    try:
        return transitions[phase, event]
    except KeyError:
        raise IllegalEvent(f"{event.value} in phase {phase.value}") from None
