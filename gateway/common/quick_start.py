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


NEW_OBJECTS = 10_000
"""New objects until the next collection: few of ours are in cycles, and looking for those at every
700 objects (Python's own choice) takes a twentieth of what an SSTP call takes."""


def settle() -> None:
    """Collect garbage from now on, but not among what is there: it stays."""
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
    gc.enable()


def expect_no_plugins() -> None:
    """Let pydantic have no plug-ins; call it before the first model is defined.

    pydantic would search the metadata of every installed package for them, even with
    PYDANTIC_DISABLE_PLUGINS; that takes a tenth of a program's start.
    """
    loader = ModuleType(LOADER)
    loader.__dict__["get_plugins"] = tuple
    sys.modules.setdefault(LOADER, loader)
