"""Forbids imports after the worker has dropped privileges.

Whether it could still read modules depends on where the program is installed. With this, a
forgotten import fails everywhere, and first of all in the tests.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


class _Forbidden:
    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> None:
        raise ImportError(f"{name} is imported after privileges were dropped")


def forbid() -> None:
    """Forbid all further imports (ImportError)."""
    sys.meta_path.insert(0, _Forbidden())
