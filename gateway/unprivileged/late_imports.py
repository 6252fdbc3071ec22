"""No module is imported after the worker has given up root.

It may not be able to read them any more, and whether it is depends on where the program lies; so
a forgotten import fails everywhere, and in the tests first.
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
    """From now on."""
    sys.meta_path.insert(0, _Forbidden())
