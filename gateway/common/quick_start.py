"""Start a program of many modules in less time: call `hurry` before the first of them is imported,
and `settle` after the last.
"""

from __future__ import annotations

import gc
import sys
from types import ModuleType

LOADER = "pydantic.plugin._loader"


def hurry() -> None:
    """No garbage collection, which would scan all that the imports make again and again, and no
    plug-ins of pydantic's."""
    gc.disable()
    expect_no_plugins()


def settle() -> None:
    """Collect garbage from now on, but not among what is there: it stays."""
    gc.freeze()
    gc.enable()


def expect_no_plugins() -> None:
    """Let pydantic have no plug-ins; call it before the first model is defined.

    pydantic would search the metadata of every installed package for them, even with
    PYDANTIC_DISABLE_PLUGINS; that takes a tenth of a program's start.
    """
    loader = ModuleType(LOADER)
    loader.__dict__["get_plugins"] = tuple
    sys.modules.setdefault(LOADER, loader)
