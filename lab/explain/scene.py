"""What an explanation may look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lab.world import World


class Said(Protocol):
    """Looks into the logs of a lab's programs."""

    def __call__(self, node: str, program: str, since: float, until: float = ...) -> Sequence[str]:
        """The lines that a node's program has logged since a time, and before another one if given
        (seconds since the epoch)."""


@dataclass(frozen=True)
class Scene:
    """A running lab."""

    world: World
    said: Said
