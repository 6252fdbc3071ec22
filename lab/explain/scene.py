"""What an explanation may look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.world import World


@dataclass(frozen=True)
class Scene:
    """A running lab."""

    world: World
    said: Callable[[str, str, float], Sequence[str]]
    """The lines that a node's program has logged since a time (seconds since the epoch)."""
