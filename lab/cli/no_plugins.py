"""Disable pydantic's plug-ins: the private root has none.

pydantic would search the metadata of every installed package for them, even with
PYDANTIC_DISABLE_PLUGINS; that takes a tenth of the time of a verb that reads a topology.
"""

from __future__ import annotations

import sys
from types import ModuleType

LOADER = "pydantic.plugin._loader"


def expect_no_plugins() -> None:
    """Disable the search; call it before the first model is defined."""
    loader = ModuleType(LOADER)
    loader.__dict__["get_plugins"] = tuple
    sys.modules.setdefault(LOADER, loader)
